// A text and its translation, each word of which shows the word that it comes from.

import { details } from "./about.js";
import { make } from "./dom.js";
import { table } from "./table.js";
import { visible } from "./words.js";

const NONE = "(nothing)";

// source, text: as they stand. pairs: [[source word, target word], …] from 0; units: what either side is cut into
export function aligned({ source, text, pairs, units }) {
  const from = piecesOf(source, units[0]);
  const to = piecesOf(text, units[1]);
  const of = new Map(pairs.map(([a, b]) => [b, a]));
  const known = to.every((_, i) => of.get(i) < from.length) && of.size === to.length;
  if (!known || !to.length) return shown([source || NONE], [text || NONE]);
  const words = from.map((word) => make("span.word", {}, word));
  const buttons = to.map((word, i) =>
    make("button.word", { type: "button", tabindex: i ? -1 : 0, "aria-label": `${visible(word)}, from ${visible(from[of.get(i)])}` }, word),
  );
  const mark = (chosen) => {
    for (const [i, one] of buttons.entries()) one.classList.toggle("marked", chosen.includes(i));
    const origins = new Set(chosen.map((i) => of.get(i)));
    for (const [i, one] of words.entries()) one.classList.toggle("marked", origins.has(i));
  };
  const kept = () => mark(buttons.includes(document.activeElement) ? [buttons.indexOf(document.activeElement)] : []);
  for (const [i, one] of buttons.entries()) {
    one.addEventListener("pointerenter", () => mark([i]));
    one.addEventListener("focus", () => {
      for (const other of buttons) other.tabIndex = other === one ? 0 : -1;
      mark([i]);
    });
    one.addEventListener("click", () => one.focus()); // not every browser does so by itself
    one.addEventListener("pointerleave", kept);
    one.addEventListener("blur", () => mark([]));
  }
  for (const [i, one] of words.entries()) {
    one.addEventListener("pointerenter", () => mark([...of].filter(([, a]) => a === i).map(([b]) => b)));
    one.addEventListener("pointerleave", kept);
  }
  return shown(spaced(words, source, from), spaced(buttons, text, to), (event) => walk(event, buttons));
}

// Which word comes from which, as a table.
export function originsOf({ source, text, pairs, units }) {
  const [from, to] = [piecesOf(source, units[0]), piecesOf(text, units[1])];
  const rows = pairs.map(([a, b]) => ({ word: visible(to[b] ?? ""), from: visible(from[a] ?? "") }));
  return details("Which word comes from which, as a table", table(["word", "from"], rows, { caption: "Words of the translation." }));
}

// What an alignment counts: characters, or what stands between white space.
export function piecesOf(text, unit) {
  return unit === "characters" ? [...text.trim()] : text.split(/\s+/).filter(Boolean);
}

function shown(source, translation, onkeydown = null) {
  return make(
    "div.pair",
    {},
    make("p.from", {}, make("span.unseen", {}, "Source: "), source),
    onkeydown
      ? make("p.to", { role: "group", "aria-label": "Translation; arrow keys go from word to word", onkeydown }, translation)
      : make("p.to", {}, make("span.unseen", {}, "Translation: "), translation),
  );
}

// Words with spaces between; characters as they stand.
function spaced(elements, text, pieces) {
  const between = pieces.join("") === text.trim() ? "" : " ";
  return elements.flatMap((one, i) => (i && between ? [between, one] : [one]));
}

// Arrows move between words, Home and End to the ends.
function walk(event, buttons) {
  const at = buttons.indexOf(document.activeElement);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
  if (to === undefined || at < 0) return;
  event.preventDefault();
  buttons[Math.max(0, Math.min(buttons.length - 1, to))].focus();
}
