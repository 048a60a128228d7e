// The probabilities of classes while a sequence is read.

import { bars } from "./bars.js";
import { chart } from "./chart.js";
import { make } from "./dom.js";
import { figure, listed, percent, visible } from "./words.js";

const LINES = 5;
const KEPT = 300; // answers that the chart shows
const LETTERS = 30; // characters up to which the axis spells the text

export function classesView(info) {
  const moving = bars("Probability of each class");
  const picture = chart("How the probabilities moved");
  const now = make("p.answer");
  const element = make("div.view", { hidden: true }, now, moving.element, picture.element);
  const step = info.schema?.vocabulary?.unit === "characters" ? "character" : "step";
  let past = []; // [steps, probabilities]
  let kinds = new Map();
  let names = []; // of the steps, where they have some
  let sentence = "";

  // Each class keeps its colour for as long as it is among the first.
  function coloured(names) {
    kinds = new Map([...kinds].filter(([name]) => names.includes(name)));
    for (const name of names) {
      const taken = new Set(kinds.values());
      if (!kinds.has(name)) kinds.set(name, [1, 2, 3, 4, 5].map((i) => `c${i}`).find((kind) => !taken.has(kind)));
    }
  }
  function paint(answer) {
    const order = Object.keys(answer.probabilities).sort((a, b) => answer.probabilities[b] - answer.probabilities[a]);
    const first = order.slice(0, LINES);
    coloured(first);
    const chosen = answer.labels ?? [answer.class];
    now.replaceChildren(
      make("strong", {}, chosen.length ? listed(chosen) : "none of the labels"),
      answer.labels ? "" : ` ${percent(answer.probability ?? answer.probabilities[answer.class])}`,
    );
    moving.update(answer.probabilities, chosen);
    const rest = first.filter((name) => !chosen.includes(name)).slice(0, 2);
    const told = (name) => `${name} ${percent(answer.probabilities[name])}`;
    sentence = `After ${answer.steps} ${step}${answer.steps === 1 ? "" : "s"}: ${listed(chosen.map(told))}${rest.length ? `; then ${listed(rest.map(told))}` : ""}.`;
    picture.element.hidden = past.length < 2;
    picture.update({
      lines: first.map((name) => ({
        name,
        kind: `${kinds.get(name)}${chosen.includes(name) ? ".leading" : ""}`,
        points: past.map(([x, probabilities]) => [x, probabilities[name] ?? null]),
      })),
      range: [0, 1],
      written: (share) => `${figure(100 * share, 3)} %`,
      label: (x) => names[x - 1] ?? String(x),
      sentence,
    });
  }
  return {
    element,
    finest: 400, // characters left up to which a text is given one by one, so that the curves show each
    show(answer, given) {
      if (!answer?.probabilities) return;
      const letters = typeof given === "string" && step === "character" ? [...given] : [];
      names = letters.length === answer.steps && letters.length <= LETTERS ? letters.map(visible) : [];
      element.hidden = false;
      // A word that goes on is still the same step.
      const before = past.filter(([steps]) => steps !== answer.steps);
      past = [...before.slice(1 - KEPT), [answer.steps, answer.probabilities]];
      paint(answer);
    },
    clear() {
      past = [];
      kinds = new Map();
      element.hidden = true;
    },
    next: () => ({}),
    sentence: () => sentence,
  };
}
