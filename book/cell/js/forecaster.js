// What forecasting/ computes, for one stock: features.py, Linear and the LSTM
// of lstm.py, GARCH of baselines.py. Row 0 is there for its close only; the
// two recursions that know all of the past start from a saved state.
import { answer, lstmForward } from "./cells.js";

const LATELY = 20, SPANS = [1, 5, 22, 66, 250], QUARTER = 63;
const LITTLE = 0.03, TINY = 1e-12, LOOKBACK = 60;

const clip = (value, low, high) => Math.min(Math.max(value, low), high);
const sum = (values) => values.reduce((total, value) => total + value, 0);

// Mean of the last n values up to row t, of fewer at first
const meanOfLast = (values, n, t) => {
  const last = values.slice(Math.max(t - n + 1, 0), t + 1);
  return sum(last) / last.length;
};

export const logPrices = ({ Open, High, Low, Close, Volume }) =>
  Close.map((close, t) => ({
    open: Math.log(Open[t]), high: Math.log(High[t]), low: Math.log(Low[t]),
    close: Math.log(close), volume: Math.log1p(Volume[t]),
  }));

export const moveOf = (log, t) => log[t].close - log[t - 1].close;
export const spreadOf = (log, t) => log[t].high - log[t].low;

// The history in which session t had another return and range, if that holds
// the open and the close. The gap at the open stays, and so do the returns of
// later sessions.
export function edit(log, t, move, spread) {
  const { open, high, low, close } = log[t];
  const up = high - Math.max(open, close), down = Math.min(open, close) - low;
  const share = up + down > 0 ? up / (up + down) : 0.5;
  const now = log[t - 1].close + move;
  const beyond = Math.max(spread - Math.abs(now - open), 0);
  const shift = now - close;
  const later = (row) => ({ open: row.open + shift, high: row.high + shift,
    low: row.low + shift, close: row.close + shift, volume: row.volume });
  const changed = { ...log[t], close: now,
    high: Math.max(open, now) + share * beyond,
    low: Math.min(open, now) - (1 - share) * beyond };
  return [...log.slice(0, t), changed, ...log.slice(t + 1).map(later)];
}

// Garman & Klass's variance of the hours of trade
const garmanKlass = ({ open, high, low, close }) => Math.max(
  (high - low) ** 2 / 2 - (2 * Math.log(2) - 1) * (close - open) ** 2, 0);

// features.inputs for the sessions up to `last`, and the recent volatility.
// state: the recent variance after row 0.
export function inputs(log, state, last) {
  const decay = 0.5 ** (1 / LATELY), fade = 0.5 ** (1 / 4);
  const now = [Math.sqrt(state)], variance = [0], volume = [log[0].volume];
  const wild = [], rows = [null];
  let recent = state - TINY, weight = 0, smooth = new Array(6).fill(0);
  for (let t = 1; t <= last; t++) {
    const gap = log[t].open - log[t - 1].close, range = garmanKlass(log[t]);
    const before = now[t - 1], move = clip(moveOf(log, t) / before, -8, 8);
    variance.push(gap ** 2 + range);
    volume.push(log[t].volume);
    recent = decay * recent + (1 - decay) * variance[t];
    now.push(Math.sqrt(recent + TINY));
    wild.push(Math.log(Math.sqrt(variance[t]) / before + LITTLE));
    const session = [
      move,
      Math.log(Math.sqrt(range) / before + LITTLE),
      clip(gap / before, -8, 8),
      Math.abs(move),
      Math.min(move, 0),
      clip(volume[t] - meanOfLast(volume, 60, t), -3, 3),
    ];
    weight = fade * weight + 1;
    smooth = smooth.map((old, k) => old + (session[k] - old) / weight);
    const past = SPANS.map((n) => 0.5 * Math.log(
      (meanOfLast(variance, n, t) + TINY) / now[t] ** 2));
    rows.push([...session, ...smooth, ...past]);
  }
  const wilder = [0, ...wild.map((value, t) =>
    clip(value - meanOfLast(wild, 60, t), -2, 3))];
  for (let t = 1; t <= last; t++) rows[t].push(...clock(wilder, t));
  return { rows, now };
}

// The earnings clock: how wild it was 63, 126, 189 and 252 sessions before
// the next day, week and month
function clock(wilder, t) {
  return [[0, 2], [1, 5], [1, 20]].map(([first, last]) => {
    const parts = [1, 2, 3, 4].map((quarter) => t - QUARTER * quarter)
      .filter((row) => row + first >= 0)
      .map((row) => sum(wilder.slice(row + first, row + last + 1)));
    return sum(parts) / (Math.max(parts.length, 1) * (last - first + 1));
  });
}

const scaled = (row, { mean, sd }) =>
  row.map((value, k) => (value - mean[k]) / sd[k]);

// GJR-GARCH(1,1): the scale of the next 1 … H sessions
function garchVolatility(log, { params, variance, width }, origin) {
  const [mu, omega, alpha, gamma, beta] = params;
  let step = variance, total = 0;
  for (let t = 1; t <= origin; t++) {
    const shock = moveOf(log, t) - mu;
    const felt = alpha + (shock < 0 ? gamma : 0);
    step = omega + felt * shock ** 2 + beta * step;
  }
  return width.map((wide) => {
    total += step;
    step = omega + (alpha + gamma / 2 + beta) * step;
    return wide * Math.sqrt(total + TINY);
  });
}

// Scale of the Student-t of the log return over 1 … H sessions, by model
export function forecast(log, { recent, linear, lstm, garch }, origin) {
  const { rows, now } = inputs(log, recent, origin);
  const said = answer(scaled(rows[origin], linear), linear)
    .map((value, h) => value + Math.log(now[origin] ** 2 * (h + 1)));
  const window = rows.slice(origin - LOOKBACK + 1, origin + 1)
    .map((row) => scaled(row, lstm));
  const added = answer(lstmForward(window, lstm).h.at(-1), lstm);
  return {
    lstm: lstm.width.map((width, h) =>
      width * Math.exp((said[h] + added[h] * lstm.unit[h]) / 2)),
    linear: linear.width.map((width, h) => width * Math.exp(said[h] / 2)),
    garch: garchVolatility(log, garch, origin),
  };
}

// Ends of a central interval of the close, as change from the origin in %
export const interval = (scale, { t }, level, premium) => scale.map((s, h) =>
  [-1, 1].map((side) =>
    100 * Math.expm1(premium * (h + 1) + side * s * t[level][h])));
