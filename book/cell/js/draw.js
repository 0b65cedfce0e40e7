// Drawing in SVG: markup as text, at the width that the figure has, so that
// its letters stay readable on a phone. And what the page's controls share.

export const $ = (id) => document.getElementById(id);
export const clamp = (v, low, high) => Math.min(Math.max(v, low), high);
export const number = (v, digits = 2) => v.toFixed(digits).replace("-", "−");

// A positive number, as a power of ten where it is small
export function small(value) {
  if (value >= 0.001 || value < 1e-300) return number(value, 3);
  const exponent = Math.floor(Math.log10(value));
  return `${number(value / 10 ** exponent, 1)}·${tenTo(exponent)}`;
}
export const tenTo = (exponent) => "10⁻" +
  [...String(-exponent)].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("");

export function tag(name, attributes, inside = "") {
  const list = Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${value}"`).join("");
  return `<${name}${list}>${inside}</${name}>`;
}
const fixed = (value) => Number(value.toFixed(2));
export const line = (points, kind, attributes = {}) => tag("polyline", {
  points: points.map((point) => point.map(fixed).join()).join(" "),
  class: kind, ...attributes });
export const rect = (x, y, width, height, kind) => tag("rect", {
  x: fixed(x), y: fixed(y), width: fixed(Math.max(width, 0)),
  height: fixed(Math.max(height, 0)), class: kind });
export const bar = (x, from, to, width, kind) =>
  rect(x, Math.min(from, to), width, Math.abs(to - from), kind);
export const text = (x, y, words, kind = "") =>
  tag("text", { x: fixed(x), y: fixed(y), class: kind }, words);
export const dot = (x, y, r, kind, attributes = {}) =>
  tag("circle", { cx: fixed(x), cy: fixed(y), r, class: kind, ...attributes });
// A dot to drag, with room for a finger around it
export const handle = (x, y, kind, grip) => dot(x, y, 6, `fill ${kind}`) +
  dot(x, y, 22, "grip", { "data-grip": grip });

// From numbers to places, and (back) from places to numbers inside
export function scale(from, to, low, high) {
  const slope = (high - low) / (to - from);
  const place = (value) => low + slope * (value - from);
  const back = (at) => from +
    clamp((at - low) / (high - low), 0, 1) * (to - from);
  return Object.assign(place, { back });
}
export const yAxis = (ticks, y, left, right, name = String) =>
  ticks.map((tick) => line([[left, y(tick)], [right, y(tick)]], "hair") +
    text(left - 6, y(tick) + 4, name(tick), "end tick")).join("");
export const xAxis = (ticks, x, y, name = String) => ticks.map((tick) =>
  text(x(tick), y + 16, name(tick), "mid tick")).join("");

// draw(width) → [height, markup]; drawn again when the width changes
function figure(id, draw) {
  const svg = $(id);
  const redraw = () => {
    const [height, markup] = draw(svg.clientWidth || 320);
    svg.style.height = `${height}px`;
    svg.innerHTML = markup;
  };
  new ResizeObserver(redraw).observe(svg);
  return redraw;
}

// move(x, y, width, grip) while a finger or the mouse drags over a figure;
// grip names the handle that was pressed, if any.
export function drag(id, move) {
  let grip = null;
  const svg = $(id);
  const follow = (event) => {
    const box = svg.getBoundingClientRect();
    move(event.clientX - box.left, event.clientY - box.top, box.width, grip);
  };
  svg.addEventListener("pointerdown", (event) => {
    grip = event.target.dataset.grip ?? "";
    svg.setPointerCapture(event.pointerId);
    if (!grip) follow(event);
  });
  // A finger on a handle drags it; elsewhere it may also scroll the page
  svg.addEventListener("touchstart", (event) =>
    event.target.dataset.grip && event.preventDefault(), { passive: false });
  svg.addEventListener("pointermove", (event) => {
    if (svg.hasPointerCapture(event.pointerId)) follow(event);
  });
}

// The inputs hold the state: read one; or set some, one after the other
export const get = (id) => Number($(id).value);
export function set(values) {
  for (const id in values) {
    $(id).value = values[id];
    $(id).dispatchEvent(new Event("input", { bubbles: true }));
  }
}
export function say(words) {
  for (const id in words) $(id).textContent = words[id];
}

// Whenever an input of a section changes, by hand or by a button's data-set:
// render(its id), make the drawings {id: draw}, write the sliders' numbers.
export function live(id, drawings, render) {
  const section = $(id);
  const figures = Object.entries(drawings).map((each) => figure(...each));
  const update = (event) => {
    render(event?.target.id);
    figures.forEach((redraw) => redraw());
    for (const input of section.querySelectorAll("input")) {
      const { digits } = input.dataset;
      const output = input.parentElement.querySelector("output");
      if (digits) output.textContent = number(get(input.id), digits);
      input.ariaValueText = output.textContent;
    }
  };
  section.addEventListener("input", update);
  section.addEventListener("click", ({ target }) =>
    target.dataset.set && set(JSON.parse(target.dataset.set)));
  update();
}
