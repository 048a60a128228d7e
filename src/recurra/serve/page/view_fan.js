// A stream of numbers with the forecast moving ahead of it.

import { chart } from "./chart.js";
import { field, make } from "./dom.js";
import { asRows, fan, windowOf } from "./fan.js";
import { downloads, table } from "./table.js";

export function fanView(info) {
  const { schema } = info;
  const picture = chart("What was, and what may come");
  const choice = make("select", { onchange: () => paint() });
  const chooser = field("Series", choice);
  chooser.hidden = true;
  const rows = make("div");
  const more = make("details", { ontoggle: () => paint() }, make("summary", {}, "The forecast as a table"), rows);
  const element = make("div.view", { hidden: true }, chooser, picture.element, more);
  let series = new Map(); // name → {history, earlier, ahead}
  let labels = [];
  let sentence = "";

  function entry(name) {
    if (!series.has(name)) {
      series.set(name, { history: [], earlier: [], ahead: null });
      choice.append(make("option", { value: name }, name));
      chooser.hidden = series.size < 2;
    }
    return series.get(name);
  }
  function paint() {
    const one = series.get(choice.value);
    if (!one) return;
    const now = labels.length - 1;
    const from = now + 1 - windowOf(one.ahead?.forecast?.length ?? schema.horizon ?? 1);
    const drawn = fan({
      title: choice.value,
      history: one.history.filter(([x]) => x >= from),
      earlier: one.earlier.filter(([x]) => x >= from && x <= now),
      ahead: one.ahead,
      now,
      label: (x) => labels[x] ?? String(x + 1),
    });
    sentence = drawn.sentence;
    picture.update(drawn);
    if (more.open && one.ahead?.forecast) {
      const { columns, rows: all } = asRows(one.ahead);
      rows.replaceChildren(
        table(columns, all, { caption: `The forecast of ${choice.value}` }),
        downloads(columns, all, `${info.name}-forecast`),
      );
    }
  }
  return {
    element,
    show(answer, row) {
      element.hidden = false;
      const x = labels.length;
      labels.push(String(row[schema.time] ?? x + 1));
      const parts = answer?.series ?? { [schema.targets?.length === 1 ? schema.targets[0] : "value"]: answer };
      for (const [name, ahead] of Object.entries(parts)) {
        const one = entry(name);
        const foretold = one.ahead?.forecast?.[0];
        if (Number.isFinite(foretold)) one.earlier.push([x, foretold]);
        one.history.push([x, observed(row, name, Object.keys(parts).length)]);
        one.ahead = ahead;
      }
      paint();
    },
    clear() {
      series = new Map();
      labels = [];
      choice.replaceChildren();
      element.hidden = true;
    },
    // The time that comes next, to be filled in.
    next: () => {
      const time = series.get(choice.value)?.ahead?.time?.[0];
      return time === undefined || !schema.time ? {} : { [schema.time]: String(time) };
    },
    sentence: () => sentence,
  };

  function observed(row, name, many) {
    const value = row[name] ?? (many === 1 && schema.targets ? row[schema.targets[0]] : null);
    return typeof value === "number" && Number.isFinite(value) ? value : null;
  }
}
