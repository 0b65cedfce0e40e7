// Fills figure, table and words with the rows that are chosen.
const verdict = JSON.parse(document.getElementById("verdict").textContent);
const form = document.getElementById("choice");

const shares = (score) => score.axis.startsWith("share");
const number = (score, x) => x === null ? "–"
  : shares(score) ? `${(100 * x).toFixed(1)} %` : x.toFixed(4);
const pValue = (p) => p < 0.001 ? "<\u00a00.001" : p.toFixed(3);

function best(score, rows) {
  const far = {
    low: (x) => x,
    high: (x) => -x,
  }[score.best] ?? ((x) => Math.abs(x - score.best));
  return rows.filter((r) => r.value !== null)
    .reduce((a, b) => far(b.value) < far(a.value) ? b : a);
}

// From the lowest to the highest, but for a model that is far from all others.
function span(rows) {
  const known = rows.filter((r) => r.value !== null);
  const sorted = known.map((r) => r.value).sort((a, b) => a - b);
  const [low, high] = [sorted[1], sorted.at(-2)];
  const far = 2 * Math.max(high - low, 0.02);
  const inside = known.filter(
    (r) => r.value > low - far && r.value < high + far);
  const ends = inside.flatMap((r) => [r.low ?? r.value, r.high ?? r.value]);
  ends.push(rows[0].line);
  const [start, end] = [Math.min(...ends), Math.max(...ends)];
  const room = 0.05 * (end - start || 1);
  return [start - room, end + room];
}

function finding(score, rows, horizon, stock) {
  const first = best(score, rows);
  const which = { low: "lowest", high: "highest" }[score.best]
    ?? `closest to ${number(score, score.best)}`;
  const networks = rows.filter((r) => /^(Bi)?LSTM$/.test(r.model));
  const tests = networks.filter((r) => r.p !== null).map((r) =>
    `${r.model} against ${r.against}: p\u00a0${r.p < 0.001 ? "" : "=\u00a0"}${pValue(r.p)}`);
  const sessions = horizon === "1" ? "session" : "sessions";
  const of = stock === "pooled" ? "all stocks" : stock;
  return `${horizon} ${sessions} ahead, ${of}: ${which} is ${first.model} `
    + `with ${number(score, first.value)}.`
    + (tests.length ? ` ${tests.join("; ")}.` : "");
}

function tabulate(score, rows) {
  const tested = rows.some((r) => r.p !== null);
  const head = ["model", "score", ...(tested ? ["p", "against"] : [])];
  const body = rows.map((r) => {
    const itself = r.model === r.against;
    const test = itself ? ["–", "–"] : [pValue(r.p ?? NaN), r.against];
    return [r.model, number(score, r.value), ...(tested ? test : [])];
  });
  const cell = (text, scope) => {
    const element = document.createElement(scope ? "th" : "td");
    if (scope) element.scope = scope;
    element.textContent = text;
    return element;
  };
  const line = (cells) => {
    const tr = document.createElement("tr");
    tr.append(...cells);
    return tr;
  };
  document.querySelector("#table thead")
    .replaceChildren(line(head.map((text) => cell(text, "col"))));
  document.querySelector("#table tbody").replaceChildren(
    ...body.map((row) => line(row.map((text, i) => cell(text, !i && "row")))));
}

function draw(plot, score, rows) {
  const [start, end] = span(rows);
  const edge = 0.02 * (end - start); // where a model stands that is outside
  const within = (x) => Math.min(Math.max(x, start + edge), end - edge);
  const x = rows.map((r) => r.value === null ? NaN : within(r.value));
  const source = plot.select_one("rows");
  source.data = {
    ...source.data,
    x,
    said: rows.map((r) => number(score, r.value)),
    low: rows.map((r, i) => within(r.low ?? x[i])),
    high: rows.map((r, i) => within(r.high ?? x[i])),
  };
  plot.x_range.setv({ start, end });
  plot.select_one("line").location = rows[0].line;
  plot.select_one("x").axis_label = score.axis;
  const out = rows
    .filter((r) => r.value !== null && (r.value < start || r.value > end))
    .map((r) => `${r.model} at ${number(score, r.value)}`);
  document.getElementById("outside").textContent =
    out.length ? `Outside the figure: ${out.join(", ")}.` : "";
}

// Bokeh draws on a canvas, which no style sheet reaches.
function paint(plot) {
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--pst-color-text-base").trim();
  const faint = style.getPropertyValue("--pst-color-border").trim();
  for (const axis of [plot.select_one("x"), plot.select_one("y")]) {
    axis.setv({
      axis_label_text_color: ink, major_label_text_color: ink,
      axis_line_color: ink, major_tick_line_color: ink,
      minor_tick_line_color: null,
    });
  }
  plot.select_one("grid").grid_line_color = faint;
  plot.select_one("line").line_color = ink;
}

function update(plot) {
  const { score: name, horizon, stock } =
    Object.fromEntries(new FormData(form));
  const score = verdict[name];
  const rows = score.rows[`${stock} ${horizon}`];
  const found = finding(score, rows, horizon, stock);
  document.getElementById("asked").textContent = score.text;
  document.getElementById("found").textContent = found;
  document.getElementById("drawn").setAttribute("aria-label", found);
  tabulate(score, rows);
  draw(plot, score, rows);
  history.replaceState(null, "", `#${name}-${horizon}-${stock}`);
}

function start() {
  const plot = window.Bokeh?.documents[0]?.get_model_by_name("plot");
  if (!plot) return requestAnimationFrame(start);
  // A link may say what to choose: #qlike-5-IBM
  const [name, horizon, stock] = location.hash.slice(1).split("-");
  if (verdict[name]?.rows[`${stock} ${horizon}`]) {
    Object.assign(form.elements.score, { value: name });
    Object.assign(form.elements.horizon, { value: horizon });
    Object.assign(form.elements.stock, { value: stock });
  }
  form.addEventListener("change", () => update(plot));
  new MutationObserver(() => paint(plot)).observe(document.documentElement,
    { attributeFilter: ["data-theme"] });
  paint(plot);
  update(plot);
}
start();
