// Strips of colour: one row a unit, one column a step.
import { clamp, tag } from "./draw.js";

// cividis from 0 to 1: twenty colours of six digits
const COLOURS =
  "00224e002c640c3470273e6e38476c46516c535a6d5f636f6b6d72777776" +
  "828079908b789c9576aaa073b8aa6ec6b667d4c15fe4ce53f2da44fee838";

// values (T, h) → h rows of T cells; share(value) in 0 … 1. One path a colour,
// and equal neighbours in one piece: at 400 steps there is less to draw.
export function strip(values, x, top, size, share) {
  const paths = new Array(20).fill("");
  values[0].forEach((_, k) => {
    const levels = values.map((row) =>
      Math.round(19 * clamp(share(row[k]), 0, 1)));
    let from = 0;
    levels.forEach((level, t) => {
      if (level === levels[t + 1]) return;
      const wide = (x(t + 1) - x(from) + 0.3).toFixed(1);
      paths[level] += `M${x(from).toFixed(1)} ${top + k * size}` +
        `h${wide}v${size}h-${wide}z`;
      from = t + 1;
    });
  });
  return paths.map((d, level) => d && tag("path",
    { d, fill: `#${COLOURS.slice(6 * level, 6 * level + 6)}` })).join("");
}
