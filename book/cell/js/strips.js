// Strips of colour: one row a unit, one column a step.
import { clamp, tag } from "./draw.js";

const CIVIDIS = [[0, 34, 77], [53, 69, 108], [102, 105, 112],
  [148, 142, 119], [200, 183, 101], [253, 231, 55]];
const LEVELS = 24;

function cividis(share) {
  const k = Math.min(Math.floor(share * 5), 4); // between which of the six
  const mix = (a, b) => Math.round(a + (share * 5 - k) * (b - a));
  return `rgb(${CIVIDIS[k].map((a, j) => mix(a, CIVIDIS[k + 1][j]))})`;
}

// values (T, h) → h rows of T cells; share(value, row) in 0 … 1. One path a
// colour, not a rectangle a cell: at 400 steps the browser has less to hold.
export function strip(values, x, top, size, share) {
  const paths = Array.from({ length: LEVELS + 1 }, () => "");
  const wide = (x(1) - x(0) + 0.3).toFixed(2);
  values.forEach((row, t) => row.forEach((value, k) => {
    const corner = `${x(t).toFixed(2)} ${(top + k * size).toFixed(2)}`;
    paths[Math.round(clamp(share(value, k), 0, 1) * LEVELS)] +=
      `M${corner}h${wide}v${size}h-${wide}z`;
  }));
  return paths.map((d, level) =>
    d && tag("path", { d, fill: cividis(level / LEVELS) })).join("");
}
