// Forecasts as a chart: what was, the median of what may come, and intervals around it.

import { figure, many } from "./words.js";

const INNER = 0.8; // the interval that is shown beside the widest
const LEAST = 60;
const MOST = 400;
const HORIZONS = 4; // of history

// How many steps of history are shown beside `horizon` steps that are foretold.
export function windowOf(horizon) {
  return Math.min(MOST, Math.max(LEAST, HORIZONS * horizon));
}

// [{name, kind, low, high}] of the quantiles' names, the widest first: at most two intervals
export function intervals(names) {
  const levels = names.filter((name) => /^q0?\.\d+$/.test(name)).map((name) => ({ name, q: Number(name.slice(1)) }));
  const pairs = levels
    .filter(({ q }) => q < 0.5)
    .map((low) => ({ low, high: levels.find((one) => Math.abs(one.q - (1 - low.q)) < 1e-9) }))
    .filter(({ high }) => high)
    .map(({ low, high }) => ({ low: low.name, high: high.name, share: high.q - low.q }))
    .sort((a, b) => b.share - a.share);
  if (!pairs.length) return [];
  const inner = pairs.reduce((a, b) => (Math.abs(b.share - INNER) < Math.abs(a.share - INNER) ? b : a));
  return [...new Set([pairs[0], inner])].map((one) => ({
    ...one,
    kind: one === inner ? "inner" : "outer",
    name: `${Number((100 * one.share).toFixed(1))} % interval`,
  }));
}

// history: [[x, y or null], …] up to x = now; ahead: {forecast: [H], quantiles: {q: [H]}, time: [H]}
// earlier: [[x, y], …] what was foretold a step before; label: x → the step's name
export function fan({ title, history, ahead, now, earlier = [], label }) {
  const lines = [{ name: title, kind: "truth", points: history }];
  if (earlier.length) lines.push({ name: "foretold a step before", kind: "earlier", points: earlier });
  const bands = [];
  if (ahead?.forecast?.length) {
    // What may come begins where what was has ended.
    const [, last] = history[history.length - 1] ?? [now, null];
    const points = (values) => values.map((y, i) => [now + 1 + i, y]);
    const from = last === null ? [] : [[now, last]];
    lines.push({ name: "forecast (median)", kind: "model", points: [...from, ...points(ahead.forecast)] });
    for (const one of intervals(Object.keys(ahead.quantiles ?? {}))) {
      const low = ahead.quantiles[one.low];
      const high = ahead.quantiles[one.high];
      const all = low.map((y, i) => [now + 1 + i, y, high[i]]).filter(([, y, z]) => y !== null && z !== null);
      bands.push({ name: one.name, kind: one.kind, points: [...from.map(([x, y]) => [x, y, y]), ...all] });
    }
  }
  const named = (x) => (x > now ? brief(ahead?.time?.[x - now - 1] ?? `+${x - now}`) : brief(label(x)));
  return { lines, bands, now, label: named, sentence: told({ title, history, ahead, bands, now, label }) };
}

function told({ title, history, ahead, bands, now, label }) {
  const [, last] = history[history.length - 1] ?? [now, null];
  const what = history.length ? `${brief(label(now))}: ${title} ${last === null ? "is missing" : figure(last)}. ` : "";
  const known = (ahead?.forecast ?? []).filter((y) => y !== null);
  if (!known.length) return `${what}No forecast yet.`;
  const range = (values) => `${figure(Math.min(...values))} to ${figure(Math.max(...values))}`;
  const inner = bands.find((band) => band.kind === "inner") ?? bands[0];
  const held = inner?.points.length
    ? `, the ${inner.name} ${range(inner.points.flatMap(([x, low, high]) => (x > now ? [low, high] : [])))}`
    : "";
  return `${what}The next ${many(ahead.forecast.length, "step")}: median ${range(known)}${held}.`;
}

// 2024-01-01T00:00:00 as 2024-01-01 00:00
export function brief(time) {
  return String(time)
    .replace(/^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d):00(\.0+)?/, "$1 $2")
    .replace(/ 00:00$/, "");
}

// A forecast as rows of a table.
export function asRows(ahead) {
  const names = Object.keys(ahead.quantiles ?? {});
  const rows = ahead.forecast.map((y, i) => ({
    time: ahead.time?.[i] ?? `+${i + 1}`,
    forecast: y,
    ...Object.fromEntries(names.map((name) => [name, ahead.quantiles[name][i]])),
  }));
  return { columns: ["time", "forecast", ...names], rows };
}
