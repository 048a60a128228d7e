// A line chart in SVG, drawn anew when its data or its width changes; what it shows is told in a sentence, too.

import { span, stepTicks, ticks } from "./axis.js";
import { draw, make, painted, unique } from "./dom.js";
import { figure } from "./words.js";

const LOW = 220;
const HIGH = 320;
const NARROW = 480; // px from which on there is room for the taller one
const RIGHT = 14;
const TOP = 10;
const BOTTOM = 26;
const GAP = 6; // px between names of steps

// update({lines, bands, label, now, range, written, sentence})
//   lines  [{name, kind, points: [[x, y], …]}]    kind: its class in the style sheet; y null: a gap
//   bands  [{name, kind, points: [[x, low, high], …]}]
//   label  x → its name;  now: x of the line between what was and what may come
//   range  [low, high] of y where it is known;  written: y → text
export function chart(title) {
  const legend = make("ul.legend", { "aria-hidden": "true" });
  const readout = make("p.readout", { "aria-hidden": "true" });
  const caption = make("figcaption", { id: unique("caption") });
  const svg = draw("svg", { role: "img", "aria-label": title, "aria-describedby": caption.id });
  const element = make("figure.chart", {}, legend, svg, readout, caption);
  let data = null;
  let scale = null;
  const paint = painted(() => {
    if (!data) return;
    const width = Math.floor(element.clientWidth);
    if (width < 50) return;
    scale = scaled(data, width);
    svg.replaceChildren(...drawn(data, scale));
    svg.setAttribute("viewBox", `0 0 ${width} ${scale.height}`);
    caption.textContent = data.sentence;
    legend.replaceChildren(...keys(data));
  });
  new ResizeObserver(paint).observe(element);
  svg.addEventListener("pointermove", (event) => {
    if (scale) readout.textContent = read(data, scale.back(event.offsetX));
  });
  svg.addEventListener("pointerleave", () => {
    readout.textContent = "";
  });
  return {
    element,
    update(next) {
      data = next;
      paint();
    },
  };
}

function scaled({ lines, bands = [], range = null, written = sixDigits }, width) {
  const points = [...lines, ...bands].flatMap((one) => one.points);
  const [low, high] = range ?? span(points.flatMap(([, ...values]) => values.filter((y) => y !== null)));
  const xs = points.map(([x]) => x);
  const first = xs.length ? xs.reduce((a, b) => Math.min(a, b)) : 0;
  const last = Math.max(first + 1, xs.length ? xs.reduce((a, b) => Math.max(a, b)) : 1);
  const height = width < NARROW ? LOW : HIGH;
  const marks = ticks(low, high, height / 60).filter((y) => y >= low && y <= high);
  const left = 12 + 7.2 * Math.max(...marks.map((y) => written(y).length), 1);
  const across = width - left - RIGHT;
  const down = height - TOP - BOTTOM;
  return {
    width,
    height,
    left,
    marks,
    written,
    first,
    last,
    x: (x) => left + (across * (x - first)) / (last - first),
    y: (y) => TOP + (down * (high - y)) / (high - low),
    back: (px) => Math.round(first + ((px - left) * (last - first)) / across),
  };
}

function drawn(data, scale) {
  const { x, y, left, width, height } = scale;
  const parts = [];
  for (const mark of scale.marks) {
    parts.push(draw("line.grid", { x1: left, x2: width - RIGHT, y1: y(mark), y2: y(mark) }));
    parts.push(draw("text.mark", { x: left - 7, y: y(mark) + 4, "text-anchor": "end" }, scale.written(mark)));
  }
  parts.push(...named(data, scale));
  if (data.now !== undefined) {
    parts.push(draw("line.now", { x1: x(data.now), x2: x(data.now), y1: TOP, y2: height - BOTTOM }));
  }
  for (const band of data.bands ?? []) {
    const upper = band.points.map(([at, , high]) => `${px(x(at))} ${px(y(high))}`);
    const lower = band.points.map(([at, low]) => `${px(x(at))} ${px(y(low))}`).reverse();
    if (upper.length) parts.push(draw(`path.band.${band.kind}`, { d: `M${[...upper, ...lower].join("L")}Z` }));
  }
  for (const line of data.lines) parts.push(...path(line, scale));
  return parts;
}

// The names of the steps; as many as there is room for.
function named(data, { x, first, last, left, width, height }) {
  const label = data.label ?? String;
  const widest = 7 * Math.max(label(first).length, label(last).length) + 24;
  const room = Math.max(1, Math.floor((width - left - RIGHT) / widest));
  const parts = [];
  let taken = -Infinity; // px up to which there are names
  for (const at of stepTicks(first, last, room)) {
    const half = (7 * label(at).length) / 2;
    const centre = Math.min(Math.max(x(at), left + half - 8), width - half - 2);
    parts.push(draw("line.grid", { x1: x(at), x2: x(at), y1: height - BOTTOM, y2: height - BOTTOM + 4 }));
    if (centre - half < taken + GAP) continue;
    taken = centre + half;
    parts.push(draw("text.mark", { x: centre, y: height - 7, "text-anchor": "middle" }, label(at)));
  }
  return parts;
}

// A line with its gaps; a point that stands alone is a dot.
function path({ kind, points }, { x, y }) {
  const parts = [[]];
  for (const [at, value] of points) {
    if (value === null || !Number.isFinite(value)) parts.push([]);
    else parts[parts.length - 1].push([px(x(at)), px(y(value))]);
  }
  return parts
    .filter((part) => part.length)
    .map((part) =>
      part.length === 1
        ? draw(`circle.dot.${kind}`, { cx: part[0][0], cy: part[0][1], r: 2.5 })
        : draw(`path.line.${kind}`, { d: `M${part.map((one) => one.join(" ")).join("L")}` }),
    );
}

function keys({ lines, bands = [] }) {
  const sample = (one, shape) =>
    make(
      "li",
      {},
      draw("svg.key", { viewBox: "0 0 24 12" }, shape(one)),
      document.createTextNode(one.name),
    );
  return [
    ...lines.filter((one) => one.name).map((one) => sample(one, () => draw(`path.line.${one.kind}`, { d: "M1 6L23 6" }))),
    ...bands.map((one) => sample(one, () => draw(`path.band.${one.kind}`, { d: "M1 1L23 1L23 11L1 11Z" }))),
  ];
}

// What the pointer points at.
function read({ lines, bands = [], label = String, now, written = figure }, at) {
  const told = [...lines, ...bands.filter(() => at !== now)]
    .filter((one) => at !== now || one.kind !== "model")
    .map((one) => [one.name, one.points.find(([x]) => x === at)])
    .filter(([name, point]) => name && point && point[1] !== null)
    .map(([name, [, ...values]]) => `${name} ${values.map((value) => written(value)).join(" to ")}`);
  return told.length ? `${label(at)}: ${told.join(", ")}` : "";
}

function sixDigits(value) {
  return figure(value, 6);
}

function px(value) {
  return Math.round(value * 10) / 10;
}
