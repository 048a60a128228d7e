// Translations: whole answers, and lines as they are written.

import { aligned, originsOf } from "./aligned.js";
import { make } from "./dom.js";
import { downloads } from "./table.js";
import { many } from "./words.js";

const SHOWN = 50; // pairs
const LEGEND = "Point at a word, or go to it with the arrow keys: the word that it comes from is marked.";

const unitsOf = ({ schema }) => [schema?.source?.unit ?? "words", schema?.target?.unit ?? "words"];

export function showTranslations(info, { columns, rows }) {
  const all = rows.slice(0, SHOWN).map((row) => ({
    source: row.source,
    text: row.translation,
    pairs: row.alignment ? row.alignment.split(" ").map((pair) => pair.split("-").map(Number)) : [],
    units: unitsOf(info),
  }));
  const left = rows.length - all.length;
  return [
    make("div.pairs", {}, all.map(aligned)),
    make("p.hint", {}, LEGEND, left ? ` The first ${all.length}; ${many(left, "more", "more")} in the file.` : ""),
    all.length === 1 ? originsOf(all[0]) : null,
    downloads(columns, rows, `${info.name}-translations`),
  ].filter(Boolean);
}

export function translationsView(info) {
  const list = make("div.pairs");
  const waiting = make("p.hint");
  const element = make("div.view", { hidden: true }, list, waiting, make("p.hint", {}, LEGEND));
  let sentence = "";
  return {
    element,
    show(answer, given) {
      if (!answer) return;
      for (const { source, text, alignment } of answer.translations ?? []) {
        list.append(aligned({ source, text, pairs: alignment, units: unitsOf(info) }));
        if (list.childElementCount > SHOWN) list.firstElementChild.remove();
        sentence = `${source || "An empty line"} becomes ${text || "nothing"}.`;
      }
      const begun = given.slice(given.lastIndexOf("\n") + 1).trim();
      waiting.textContent = begun ? "The last line is translated when it ends: press Enter." : "";
      element.hidden = !begun && !list.childElementCount;
    },
    clear() {
      list.replaceChildren();
      sentence = "";
      element.hidden = true;
    },
    next: () => ({}),
    sentence: () => sentence,
  };
}
