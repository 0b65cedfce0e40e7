// Two networks of note 3 read a sequence of the adding problem.
import { read } from "./cells.js";
import {
  $, bar, clamp, drag, get, handle, line, live, number, rect, say, scale, set,
  text, xAxis, yAxis,
} from "./draw.js";
import { strip } from "./strips.js";

const LEFT = 34, RIGHT = 12, MARKS = ["first", "second"];
const SIZE = 9, UNITS = 8; // rows of a strip: pixels, number
const VALUES = scale(0, 1, 96, 16);
const chance = () => Array.from({ length: 400 }, Math.random);
let seen, numbers = chance();

export function start(adding) {
  const gates = { i: "input gate i", f: "forget gate f" };
  const drawings = {
    numbers: drawNumbers, answers: drawAnswers,
    "lstm-inside": (width) => inside(width, seen.lstm, "blue",
      { ...gates, c: "cell state, tanh c" }, adding.slow),
    "rnn-inside": (width) => inside(width, seen.rnn, "orange",
      { h: "hidden state h" }),
  };
  const { mse } = adding;
  say({ "mse-lstm": number(mse.lstm, 4), "mse-rnn": number(mse.rnn, 4) });
  live("reads", drawings, (changed) => {
    keepInside(changed);
    const x = sequence().slice(0, get("step"));
    seen = { x, lstm: read(x, adding.lstm), rnn: read(x, adding.rnn) };
    const last = (all) => number(all.at(-1), 3);
    say({ "steps-read": x.length, guess: last(guesses()), "says-lstm":
      last(seen.lstm.answers), "says-rnn": last(seen.rnn.answers) });
  });
  $("new").addEventListener("click", renew);
  $("play").addEventListener("click", play);
  drag("numbers", (px, py, width, grip) => {
    const t = Math.floor(across(width).back(px)) + 1;
    const far = MARKS.map((name) => Math.abs(t - get(name)));
    const name = grip || MARKS[far[0] <= far[1] ? 0 : 1];
    if (grip) $(`value-${name}`).value = VALUES.back(py);
    set({ [name]: Math.min(t, get("length")) });
  });
  drag("answers", (px, py, width) =>
    set({ step: Math.ceil(across(width).back(px)) }));
}

// x (T, 2): the numbers, and 1 at the two marks
function sequence() {
  const marked = MARKS.map((name) => get(name) - 1);
  return numbers.slice(0, get("length"))
    .map((value, t) => [value, marked.includes(t) ? 1 : 0]);
}

function renew() {
  numbers = chance();
  set({ "value-first": Math.random(), "value-second": Math.random() });
}

// What one slider demands of the others: marks differ and lie inside, and a
// mark that moves takes its number along
function keepInside(changed) {
  const T = get("length");
  for (const name of [...MARKS, "step"]) $(name).max = T;
  if (changed === "length") $("step").value = T;
  if (get("first") === get("second")) {
    const moved = $(changed === "second" ? "second" : "first");
    moved.value = Number(moved.value) + (moved.value < T ? 1 : -1);
  }
  for (const name of MARKS) numbers[get(name) - 1] = get(`value-${name}`);
}

let timer = 0;
function play() {
  // Where motion is unwelcome, a press reads a tenth and no film runs
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const running = timer;
  pause();
  if (running) return;
  if (get("step") === get("length")) set({ step: 1 });
  $("play").textContent = "Pause";
  $("heard").ariaBusy = "true"; // not to be read aloud while it runs
  timer = setInterval(() => {
    const T = get("length"), by = T / (still ? 10 : 100);
    set({ step: Math.min(Math.ceil(get("step") + by), T) });
    if (still || get("step") === T) pause();
  }, 60);
}
function pause() {
  timer = clearInterval(timer);
  $("heard").ariaBusy = "false";
  $("play").textContent = "Play";
}

// The best guess after each step: a mark to come counts its mean, 0.5
function guesses() {
  let guess = 1;
  return seen.x.map(([value, mark]) => (guess += mark * (value - 0.5)));
}

const across = (width) => scale(0, get("length"), LEFT, width - RIGHT);
// Ticks below, a hairline at the step that was read last
const below = (x, top, y) => xAxis([0.25, 0.5, 0.75, 1].map((part) =>
  Math.round(part * get("length"))), (t) => x(t - 0.5), y) +
  line([[x(get("step")), top], [x(get("step")), y]], "cursor");
const atMarks = (x, y) => MARKS.map((name) =>
  text(x(get(name) - 0.5), y, "▲", "mid")).join("");

function drawNumbers(width) {
  const x = across(width), wide = Math.max(x(1) - x(0) - 0.6, 0.6);
  const bars = sequence().map(([value, mark], t) =>
    bar(x(t), 96, VALUES(value), wide, mark ? "fill ink" : "number"));
  const handles = MARKS.map((name) => handle(x(get(name) - 0.5),
    VALUES(get(`value-${name}`)), "ink", name));
  return [136, yAxis([0, 1], VALUES, LEFT, width - RIGHT) + bars.join("") +
    atMarks(x, 112) + below(x, 10, 112) + handles.join("")];
}

function drawAnswers(width) {
  const x = across(width), y = scale(-0.25, 2, 140, 12);
  const curve = (answers, kind) => line(answers.flatMap((a, k) =>
    [k, k + 1].map((t) => [x(t), y(clamp(a, -0.25, 2))])), `curve ${kind}`);
  return [162, yAxis([0, 1, 2], y, LEFT, width - RIGHT) +
    below(x, 12, 140) + curve(guesses(), "ink thin") +
    curve(seen.rnn.answers, "orange") + curve(seen.lstm.answers, "blue")];
}

// A network's strips, then the gradient of its answer by each number
function inside(width, { cache, gradient }, kind, strips, slow = -9) {
  const x = across(width), right = width - RIGHT;
  let top = 20;
  const drawn = Object.entries(strips).map(([name, words]) => {
    // Gates lie in (0, 1), states in (-1, 1)
    const share = { c: (v) => (1 + Math.tanh(v)) / 2, h: (v) => (1 + v) / 2 };
    const markup = text(LEFT, top - 6, words, "title") +
      strip(cache[name], x, top, SIZE, share[name] ?? ((v) => v)) +
      rect(LEFT, top, right - LEFT, UNITS * SIZE, "frame") +
      (slow < 0 ? "" : text(LEFT - 4, top + slow * SIZE + 9, "▶", "end tick"));
    top += UNITS * SIZE + 28;
    return markup;
  });
  const y = scale(-0.25, 1.25, top + 90, top);
  const bars = gradient.map(([by], k) => bar(x(k), y(0),
    y(clamp(by, -0.25, 1.25)), Math.max(x(1) - x(0), 1.4), `fill ${kind}`));
  return [top + 130, drawn.join("") +
    text(LEFT, top - 6, "gradient of the answer by each number", "title") +
    yAxis([0, 1], y, LEFT, right) + bars.join("") +
    atMarks(x, top + 106) + below(x, 20, top + 106)];
}
