// A table of answers, and the whole of it as a file.

import { toCsv } from "./delimited.js";
import { button, make } from "./dom.js";
import { column, many } from "./words.js";

const SHOWN = 100;

// cell: how a value is written, by column; `pick(row, i)`: makes the first cell a button that picks its row
export function table(columns, rows, { caption, cells = {}, names = {}, pick = null, shown = SHOWN } = {}) {
  const numeric = columns.filter((name) => rows.some((row) => typeof row[name] === "number") && !isStep(name));
  const written = new Map(
    columns.map((name) => [name, cells[name] ?? (numeric.includes(name) ? column(rows.map((row) => row[name])) : plain)]),
  );
  const kind = (name, tag) => (numeric.includes(name) ? `${tag}.number` : tag);
  const head = columns.map((name) =>
    make(kind(name, "th"), { scope: "col" }, names[name] ?? name),
  );
  const body = rows.slice(0, shown).map((row, i) =>
    make(
      "tr",
      {},
      columns.map((name, at) => {
        const text = written.get(name)(row[name]);
        if (at > 0) return make(kind(name, "td"), {}, text);
        const inside = pick ? button(text, () => pick(row, i), { class: "pick" }) : text;
        return make("th", { scope: "row" }, inside);
      }),
    ),
  );
  const left = rows.length - Math.min(rows.length, shown);
  const told = left ? `${caption} The first ${many(shown, "row")}; ${many(left, "more", "more")} in the file.` : caption;
  return make(
    "div.scroll",
    { tabindex: "0", role: "region", "aria-label": caption },
    make(
      "table",
      {},
      make("caption", {}, make("span", {}, told)),
      make("thead", {}, make("tr", {}, head)),
      make("tbody", {}, body),
    ),
  );
}

function plain(value) {
  return value === null || value === undefined ? "–" : String(value);
}

function isStep(name) {
  return /^(time|year|example|line|token)$/.test(name);
}

// Buttons that save rows as CSV and JSON.
export function downloads(columns, rows, stem) {
  return make(
    "div.buttons",
    {},
    button("Save as CSV", () => save(`${stem}.csv`, "text/csv", toCsv(columns, rows))),
    button("Save as JSON", () => save(`${stem}.json`, "application/json", `${JSON.stringify(rows, null, 1)}\n`)),
  );
}

export function save(name, type, text) {
  const href = URL.createObjectURL(new Blob([text], { type }));
  const link = make("a", { href, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(href), 10000);
}
