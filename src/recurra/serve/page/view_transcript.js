// What is said: utterances with their times as they end, and below them what is being said.

import { details } from "./about.js";
import { make } from "./dom.js";
import { downloads, table } from "./table.js";
import { figure, percent } from "./words.js";

const UNSURE = 0.5; // confidence below which a word is marked
const COLUMNS = ["begin", "end", "word", "confidence"];
export const LEGEND = "Underlined: words that the model is not sure of.";

// "0.3–1.2 s"
export function span(words) {
  return words.length ? `${moment(words[0].begin)}–${moment(words[words.length - 1].end)} s` : "";
}

function moment(seconds) {
  return seconds.toFixed(1);
}

// Words of an utterance, those that are not certain marked.
export function spoken(words) {
  return words.flatMap(({ text, begin, end, confidence }, i) => [
    i ? " " : null,
    make(
      confidence < UNSURE ? "span.unsure" : "span",
      { title: `${moment(begin)}–${moment(end)} s${confidence === undefined ? "" : `, ${percent(confidence)} sure`}` },
      text,
    ),
  ]);
}

export function wordTable(words) {
  const rows = words.map(({ text, begin, end, confidence }) => ({ begin, end, word: text, confidence }));
  const known = words.some((one) => one.confidence !== undefined);
  return table(known ? COLUMNS : COLUMNS.slice(0, 3), rows, {
    caption: "Words, and when they were said, in seconds.",
    cells: { begin: (x) => x.toFixed(2), end: (x) => x.toFixed(2), confidence: percent },
  });
}

export function transcriptView(info) {
  const list = make("ol.utterances", { role: "log", "aria-label": "What was said", "aria-live": "polite" });
  const partial = make("p.partial", { "aria-hidden": "true" });
  const rows = make("div");
  const more = details("The words as a table", rows);
  more.addEventListener("toggle", () => fill());
  const element = make("div.view", { hidden: true }, list, partial, make("p.hint", {}, LEGEND), more);
  let words = [];
  let seconds = 0;

  function fill() {
    if (!more.open) return;
    const all = words.map(({ text, begin, end, confidence }) => ({ begin, end, word: text, confidence }));
    rows.replaceChildren(wordTable(words), downloads(COLUMNS, all, `${info.name}-words`));
  }
  return {
    element,
    begin(name) {
      words = [];
      seconds = 0;
      list.append(make("li.from", {}, name));
      element.hidden = false;
      fill();
    },
    show(answer) {
      if (!answer) return;
      seconds = Math.max(seconds, answer.seconds ?? 0);
      for (const said of answer.final) {
        list.append(make("li", {}, make("span.time", {}, span(said.words)), make("span.words", {}, spoken(said.words))));
        words = [...words, ...said.words];
        fill();
      }
      partial.textContent = answer.partial;
    },
    clear() {
      words = [];
      seconds = 0;
      list.replaceChildren();
      partial.textContent = "";
      element.hidden = true;
    },
    next: () => ({}),
    sentence: () => "", // the list says by itself what is new
    heard: () => (seconds ? `${figure(seconds, 3)} s heard` : ""),
  };
}
