// One day of AAPL is changed; three models forecast before and after.
import {
  edit, forecast, interval, logPrices, moveOf, spreadOf,
} from "./forecaster.js";
import {
  $, bar, drag, get, handle, line, live, number, say, scale, set, text, xAxis,
  yAxis,
} from "./draw.js";

const DAYS = 60, AHEAD = [1, 5, 20], LEFT = 38, RIGHT = 10;
const COLOURS = { lstm: "blue", linear: "green", garch: "pink" };
const RETURNS = scale(15, -15, 24, 124), RANGES = scale(20, 0, 158, 236);
let model, log, edited, range, before, after;

const origin = () => model.origins[0] + get("origin");
const day = () => origin() - DAYS + get("day");
const across = (width) => scale(0, DAYS, LEFT, width - RIGHT);

export function start(weights) {
  model = weights;
  log = edited = logPrices(model.rows);
  say({ fit_end: model.fit_end, refit: model.refit });
  $("origin").max = model.origins[1] - model.origins[0];
  const fans = Object.keys(COLOURS).map((kind) =>
    [`fan-${kind}`, (width) => fan(width, kind)]);
  live("outlook", { days, ...Object.fromEntries(fans) }, (changed) => {
    ["move", "spread"].includes(changed) ? change(changed) : undo();
    after = forecast(edited, model, origin());
    write();
  });
  $("undo").addEventListener("click", () => set({ day: get("day") }));
  set({ move: -10 }); // something to see at first sight
  drag("days", (px, py, width, grip) => {
    if (grip === "move") set({ move: RETURNS.back(py) });
    else if (grip === "spread") set({ spread: RANGES.back(py) });
    else set({ day: Math.floor(across(width).back(px)) + 1 });
  });
}

// Another return or range for the day. A large return needs a large range:
// its slider gives way, and comes back with the return.
function change(changed) {
  if (changed === "spread") range = get("spread") / 100;
  edited = edit(log, day(), get("move") / 100, range);
  $("spread").value = 100 * spreadOf(edited, day());
}

function undo() {
  edited = log;
  before = forecast(log, model, origin());
  range = spreadOf(log, day());
  $("move").value = 100 * moveOf(log, day());
  $("spread").value = 100 * range;
}

// Ends of a central interval after 1 … 20 sessions, in %
const ends = (scales, kind, level) =>
  interval(scales[kind], model[kind], level, model.premium);

function write() {
  const dates = model.rows.Date;
  say({ "on-day": dates[day()], "on-origin": dates[origin()] });
  for (const kind in COLOURS) {
    const [old, now] = [before, after].map((scales) =>
      ends(scales, kind, "80").map(([low, high]) => (high - low) / 2));
    for (const h of AHEAD) say({ [`${kind}-${h}`]:
      `${number(old[h - 1], 1)} → ${number(now[h - 1], 1)}` });
  }
}

// Returns and ranges of the window as bars; the day that is picked has grips
function days(width) {
  const x = across(width), wide = Math.max(x(1) - x(0) - 1.5, 1);
  const first = origin() - DAYS + 1, picked = get("day") - 1;
  const move = (rows, k) => RETURNS(100 * moveOf(rows, first + k));
  const spread = (rows, k) => RANGES(100 * spreadOf(rows, first + k));
  const bars = (rows, k, kind) =>
    bar(x(k), RETURNS(0), move(rows, k), wide, kind) +
    bar(x(k), RANGES(0), spread(rows, k), wide, kind);
  const every = Array.from({ length: DAYS }, (_, k) =>
    bars(edited, k, k === picked ? "fill blue" : "number"));
  const middle = x(picked) + wide / 2;
  return [262,
    text(LEFT, 12, "return of the session (%)", "title") +
    text(LEFT, 148, "range, high over low (%)", "title") +
    yAxis([-10, 0, 10], RETURNS, LEFT, width - RIGHT, whole) +
    yAxis([0, 10, 20], RANGES, LEFT, width - RIGHT) + every.join("") +
    xAxis([6, 29, 52], (k) => x(k + 0.5), 236, (k) =>
      model.rows.Date[first + k]) +
    bars(log, picked, "was") + // as it was, in outline
    handle(middle, move(edited, picked), "blue", "move") +
    handle(middle, spread(edited, picked), "blue", "spread")];
}
const whole = (value) => number(value, 0);

// Intervals of the next sessions, as change from the close of the origin
function fan(width, kind) {
  const all = Object.keys(COLOURS).flatMap((name) =>
    [before, after].flatMap((scales) => ends(scales, name, "95").flat()));
  const reach = Math.ceil(Math.max(...all.map(Math.abs)) / 10) * 10;
  const height = width < 340 ? 170 : 210, count = after.lstm.length;
  const y = scale(reach, -reach, 10, height);
  const x = scale(0, count, LEFT, width - RIGHT);
  const edge = (scales, level, side) => [[LEFT, y(0)],
    ...ends(scales, kind, level).map((pair, h) => [x(h + 1), y(pair[side])])];
  const band = (level, name) => line([...edge(after, level, 0),
    ...edge(after, level, 1).reverse()], `band ${name} ${COLOURS[kind]}`);
  const old = ["80", "95"].flatMap((level) => [0, 1].map((side) =>
    line(edge(before, level, side), `before before-${level}`)));
  const close = model.rows.Close.slice(origin(), origin() + count + 1);
  const came = close.map((to, h) => [x(h), y(100 * (to / close[0] - 1))]);
  const ticks = [-1, -0.5, 0, 0.5, 1].map((part) => part * reach);
  return [height + 34, yAxis(ticks, y, LEFT, width - RIGHT, whole) +
    band("95", "wide") + band("80", "") + old.join("") +
    line(came, "curve ink thin") + xAxis(AHEAD, x, height) +
    text(width - RIGHT, height + 30, "sessions ahead", "end tick")];
}
