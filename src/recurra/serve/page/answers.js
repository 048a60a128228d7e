// Whole answers: forecasts, classes, surprise, or whatever rows there are.

import { bars } from "./bars.js";
import { chart } from "./chart.js";
import { asNumber } from "./delimited.js";
import { details } from "./about.js";
import { field, make } from "./dom.js";
import { fan, windowOf } from "./fan.js";
import { LEGEND, marked, most } from "./surprise.js";
import { downloads, table } from "./table.js";
import { figure, many, percent } from "./words.js";

export function showTable(info, { columns, rows }) {
  return [table(columns, rows, { caption: many(rows.length, "row") + "." }), downloads(columns, rows, `${info.name}-answer`)];
}

// given: the table that was sent, for the history beside the forecast; null where it cannot be read here
export function showForecast(info, { columns, rows }, given) {
  const all = Map.groupBy ? Map.groupBy(rows, (row) => row.series) : grouped(rows);
  const time = columns.find((name) => name !== "series" && name !== "forecast" && !/^q[\d.]+$/.test(name));
  const quantiles = columns.filter((name) => /^q[\d.]+$/.test(name));
  const picture = chart("What was, and what may come");
  const choice = make("select", { onchange: () => paint() }, [...all.keys()].map((name) => make("option", { value: name }, name)));
  const chooser = field("Series", choice);
  chooser.hidden = all.size < 2;
  function paint() {
    const name = choice.value;
    const part = all.get(name) ?? rows;
    const past = history(info, given, name, windowOf(part.length));
    picture.update(
      fan({
        title: name,
        history: past.map(({ y }, i) => [i - past.length + 1, y]),
        ahead: {
          forecast: part.map((row) => row.forecast),
          quantiles: Object.fromEntries(quantiles.map((q) => [q, part.map((row) => row[q])])),
          time: part.map((row) => row[time]),
        },
        now: 0,
        label: (x) => past[x + past.length - 1]?.time ?? "",
      }),
    );
  }
  paint();
  return [
    chooser,
    picture.element,
    downloads(columns, rows, `${info.name}-forecast`),
    details("The forecast as a table", table(columns, rows, { caption: `Forecasts of ${many(all.size, "series", "series")}.` })),
  ];
}

function grouped(rows) {
  const all = new Map();
  for (const row of rows) all.set(row.series, [...(all.get(row.series) ?? []), row]);
  return all;
}

// The last known values of a series: [{time, y}]
function history({ schema }, given, name, count) {
  if (!given || schema.series_in_rows) return [];
  const [id] = schema.ids;
  const target = given.columns.includes(name) ? name : schema.targets[0];
  const rows = id && target !== name ? given.rows.filter((row) => String(row[id]) === name) : given.rows;
  if (!given.columns.includes(target)) return [];
  const all = rows.map((row, i) => ({ time: String(row[schema.time] ?? i + 1), y: asNumber(row[target], given.comma) }));
  while (all.length && !Number.isFinite(all[all.length - 1].y)) all.pop();
  return all.slice(-count).map(({ time, y }) => ({ time, y: Number.isFinite(y) ? y : null }));
}

// texts: what was given, a line for each row, where it was lines
export function showClasses(info, { columns, rows }, texts) {
  const probability = (name) => name.match(/^p\((.*)\)$/s)?.[1];
  const classes = columns.filter((name) => probability(name) !== undefined);
  const told = make("p.answer");
  const picture = bars("Probability of each class", { sorted: true });
  const all = texts && texts.length === rows.length ? rows.map((row, i) => ({ text: texts[i], ...row })) : rows;
  const first = [...(all === rows ? [] : ["text"]), ...columns.filter((name) => !classes.includes(name) && (all === rows || name !== "example"))];
  function pick(row) {
    const chosen = row.labels !== undefined ? labelsOf(row, classes, probability) : [row.class];
    const name = row.text ?? `example ${row.example}`;
    told.replaceChildren(make("span", {}, `${name}: `), make("strong", {}, row.labels ?? row.class));
    picture.update(Object.fromEntries(classes.map((column) => [probability(column), row[column]])), chosen);
  }
  pick(all[0]);
  const cells = Object.fromEntries([["probability", percent], ...classes.map((name) => [name, percent])]);
  const several = all.length > 1;
  return [
    told,
    picture.element,
    several
      ? table(first, all, { caption: `${many(all.length, "answer")}; press one to see its probabilities.`, cells, pick })
      : null,
    downloads(all === rows ? columns : ["text", ...columns], all, `${info.name}-classes`),
  ].filter(Boolean);
}

function labelsOf(row, classes, probability) {
  const text = String(row.labels);
  return classes.map(probability).filter((name) => text.includes(name) && row[`p(${name})`] >= 0.5);
}

export function showSurprise(info, lines, tokens) {
  const { columns, rows, words } = lines;
  const parts = [];
  for (const sentence of words ?? []) parts.push(make("p", {}, sentence));
  if (tokens) {
    const each = tokens.rows.map((row) => ({ token: row.token, bits: row.bits }));
    const text = make("p.read", { tabindex: "0", role: "group", "aria-label": "The text, coloured by surprise" }, each.map(marked));
    parts.push(text, make("p.hint", {}, LEGEND), details("The most surprising tokens, as a table", most(each)));
  }
  const shown = ["line", "bits_per_character", "oddity", "text"].filter((name) => columns.includes(name));
  const odd = [...rows].sort((a, b) => b.oddity - a.oddity);
  parts.push(
    table(shown, odd, {
      caption: "Lines, the oddest first.",
      shown: 20,
      names: { bits_per_character: "bits per character" },
      cells: { bits_per_character: (x) => figure(x, 3), oddity: (x) => figure(x, 3) },
    }),
    downloads(columns, rows, `${info.name}-lines`),
  );
  return parts;
}
