// One cell with one unit. All eight weights are 1, so that z = x + h + b.
import { lstmForward } from "./cells.js";
import {
  $, bar, clamp, dot, drag, get, handle, line, live, number, rect, say, scale,
  set, small, tenTo, text, xAxis, yAxis,
} from "./draw.js";

const WEIGHTS = { W: [[1, 1, 1, 1]], U: [[1, 1, 1, 1]] };
const NAMES = ["i", "f", "cTilde", "o", "c", "h"];
const AFTER = [1, 10, 100], FLOOR = -10, LEFT = 46, RIGHT = 14;
const power = scale(0, FLOOR, 14, 178); // the vertical axis, in powers of ten

// The cell's numbers after one step, and those it started from
function step() {
  const [x, h0, c0] = ["x", "h", "c"].map(get);
  const b = ["bi", "bf", "bc", "bo"].map(get);
  const cache = lstmForward([[x]], { ...WEIGHTS, b }, [h0], [c0]);
  const now = NAMES.map((name) => [name, cache[name][0][0]]);
  return { x, h0, c0, ...Object.fromEntries(now) };
}

export function start() {
  live("one", { conveyor, decay }, (changed) => {
    // f has a slider of its own: it moves the bias that makes f so
    const others = get("x") + get("h");
    if (changed === "f") $("bf").value = (get("f") - others).toFixed(2);
    $("f").value = others + get("bf");
    write(step());
  });
  drag("decay", (px, py, width) => {
    const f = 10 ** (power.back(py) / steps(width).back(px));
    set({ f: f < 1 ? Math.log(f / (1 - f)) : 10 });
  });
}

function write(now) {
  for (const name of NAMES) say({ [`now-${name}`]: number(now[name], 3) });
  const [i, f, g, o, c, h] = NAMES.map((name) => number(now[name]));
  say({
    "f-is": number(now.f, 4),
    "sum-c": `${f} · ${number(now.c0)} + ${i} · ${g} = ${c}`,
    "sum-h": `${o} · tanh(${c}) = ${h}`,
  });
  for (const k of AFTER) {
    const kept = now.f ** k, left = kept * now.c0;
    // The same step again and again adds i c~ (1 + f + … + f^(k-1))
    const added = now.i * now.cTilde * (1 - kept) / (1 - now.f);
    say({
      [`gradient-${k}`]: small(kept),
      [`left-${k}`]: (left < 0 ? "−" : "") + small(Math.abs(left)),
      [`c-${k}`]: number(left + added, 3),
    });
  }
}

// The belt from c before to c after, as thick as what it carries
function conveyor(width) {
  const now = step();
  const belt = 54, product = 120, gates = 172, bus = 292;
  const [f, i, g, o] = [0.13, 0.36, 0.59, 0.8].map((part) => part * width);
  const middle = (i + g) / 2, box = clamp(width / 6.6, 46, 76);
  const arrow = (...points) =>
    line(points, "wire", { "marker-end": "url(#head)" });
  const carry = (from, to, value) => rect(from, belt - 11, to - from, 22,
    "gauge") + line([[from, belt], [to, belt]],
    value < 0 ? "belt orange" : "belt blue",
    { "stroke-width": 1 + 9 * Math.min(Math.abs(value), 2) });
  const node = (x, y, sign) => dot(x, y, 12, "node") +
    text(x, y + 5, sign, "mid");
  const state = (symbol, below, value) => `<tspan class="symbol">${symbol}` +
    `<tspan dy="3" font-size="75%">${below}</tspan></tspan>` +
    `<tspan dy="-3"> ${number(value)}</tspan>`;
  const gate = (x, symbol, value, low, words, kind) => {
    const y = scale(low, 1, gates + 84, gates); // c~ fills from its middle
    return arrow([x, bus], [x, gates + 87]) +
      rect(x - box / 2, gates, box, 84, "gauge") +
      bar(x - box / 2, y(0), y(value), box, `fill pale ${kind}`) +
      rect(x - box / 2, gates, box, 84, "frame") +
      text(x, gates + 24, symbol, "mid symbol") +
      text(x, gates + 72, number(value), "mid") +
      text(x + 5, bus - 8, words, "tick");
  };
  return [bus + 30,
    carry(0, f, now.c0) + carry(f, middle, now.f * now.c0) +
    carry(middle, width, now.c) +
    arrow([f, gates], [f, belt + 14]) +
    arrow([i, gates], [i, product], [middle - 13, product]) +
    arrow([g, gates], [g, product], [middle + 13, product]) +
    arrow([middle, product], [middle, belt + 14]) +
    arrow([o, gates], [o, product + 13]) +
    arrow([o, belt], [o, product - 13]) +
    arrow([o, product], [width - 3, product]) +
    line([[0, bus], [o, bus]], "wire") + node(f, belt, "×") +
    node(middle, belt, "+") + node(middle, product, "×") +
    node(o, product, "×") + text(0, belt - 22, state("c", "t−1", now.c0)) +
    text(width, belt - 22, state("c", "t", now.c), "end") +
    text(width, product + 24, state("h", "t", now.h), "end") +
    text(o - 6, 91, "tanh", "end tick") +
    text(f + 18, belt + 30, `keeps ${number(now.f * now.c0)}`, "tick") +
    text(middle, product + 32, `adds ${number(now.i * now.cTilde)}`,
      "mid tick") +
    gate(f, "f", now.f, 0, "forget", "blue") +
    gate(i, "i", now.i, 0, "input", "blue") +
    gate(g, "c̃", now.cTilde, -1, "new", "amber") +
    gate(o, "o", now.o, 0, "output", "blue") +
    text(0, bus + 20, `${state("x", "t", now.x)} and ` +
      `${state("h", "t−1", now.h0)} reach all four`)];
}

const steps = (width) => scale(1, 100, LEFT, width - RIGHT);

function decay(width) {
  const exponent = (k) => k * Math.log10(step().f);
  const x = steps(width), inside = (k) => exponent(k) >= FLOOR;
  const y = (k) => power(Math.max(exponent(k), FLOOR));
  const points = Array.from({ length: 100 }, (_, k) => [x(k + 1), y(k + 1)]);
  const last = points.findIndex((_, k) => !inside(k + 1));
  return [218,
    yAxis([0, -2, -4, -6, -8, -10], power, LEFT, width - RIGHT, (tick) =>
      tick ? tenTo(tick) : "1") +
    xAxis([1, 10, 25, 50, 75, 100], x, 178) +
    line(last < 0 ? points : points.slice(0, last + 1), "curve blue") +
    AFTER.filter(inside).map((k) => handle(x(k), y(k), "blue", k)).join("") +
    text(width - RIGHT, 212, "steps k", "end tick")];
}
