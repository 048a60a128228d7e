// Answers of a task that this page has no picture for: its numbers as lines, and the last answer as a table.

import { chart } from "./chart.js";
import { make } from "./dom.js";
import { table } from "./table.js";
import { figure, listed } from "./words.js";

const LINES = 5;
const KEPT = 300;

export function plainView() {
  const picture = chart("The answers so far");
  const last = make("div");
  const element = make("div.view", { hidden: true }, picture.element, last);
  let past = [];
  let count = 0;
  let sentence = "";
  return {
    element,
    show(answer) {
      if (!answer) return;
      element.hidden = false;
      count += 1;
      past = [...past.slice(1 - KEPT), [count, answer]];
      const names = Object.keys(answer).filter((name) => name !== "steps" && Number.isFinite(answer[name]));
      sentence = `Step ${count}: ${listed(names.map((name) => `${name} ${figure(answer[name])}`))}.`;
      picture.update({
        lines: names.slice(0, LINES).map((name, i) => ({
          name,
          kind: `c${i + 1}`,
          points: past.map(([x, one]) => [x, one[name] ?? null]),
        })),
        sentence,
      });
      const rows = Object.entries(answer).map(([name, value]) => ({
        name,
        value: typeof value === "number" ? figure(value) : JSON.stringify(value),
      }));
      last.replaceChildren(table(["name", "value"], rows, { caption: "The last answer." }));
    },
    clear() {
      past = [];
      count = 0;
      element.hidden = true;
    },
    next: () => ({}),
    sentence: () => sentence,
  };
}
