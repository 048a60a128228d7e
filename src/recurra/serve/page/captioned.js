// A caption whose words show what each of them looked at.

import { make } from "./dom.js";
import { whereOf } from "./looking.js";
import { table } from "./table.js";
import { percent, visible } from "./words.js";

const NOTHING = "(nothing)";

// look(weights): shows where a word looked, null for none of them.
// Answers {element, reveal}: reveal(pace) has the words appear one by one; resolves once all are there.
export function captioned({ text, words, attention }, look) {
  if (!words.length) return { element: make("p.caption", {}, text || NOTHING), reveal: async () => {} };
  const buttons = words.map((word, i) =>
    make("button.word", { type: "button", tabindex: i ? -1 : 0, "aria-label": `${visible(word)}, ${told(attention[i])}` }, word),
  );
  const between = gaps(text, words);
  const children = buttons.flatMap((one, i) => [between[i], one]);
  const element = make("p.caption", { role: "group", "aria-label": "Caption; arrow keys go from word to word" }, children, between[words.length]);
  let shown = 0; // of the words that appear, so that another choice ends it

  const mark = (chosen) => {
    for (const [i, one] of buttons.entries()) one.classList.toggle("marked", i === chosen);
    look(chosen === null ? null : attention[chosen]);
  };
  const kept = () => mark(buttons.includes(document.activeElement) ? buttons.indexOf(document.activeElement) : null);
  const take = (i) => {
    shown += 1;
    for (const one of buttons) one.classList.remove("coming");
    mark(i);
  };
  for (const [i, one] of buttons.entries()) {
    one.addEventListener("pointerenter", () => take(i));
    one.addEventListener("pointerleave", kept);
    one.addEventListener("focus", () => {
      for (const other of buttons) other.tabIndex = other === one ? 0 : -1;
      take(i);
    });
    one.addEventListener("click", () => one.focus()); // not every browser does so by itself
    one.addEventListener("blur", () => mark(null));
  }
  element.addEventListener("keydown", (event) => walk(event, buttons));

  async function reveal(pace) {
    shown += 1;
    const mine = shown;
    for (const one of buttons) one.classList.add("coming");
    for (const [i, one] of buttons.entries()) {
      one.classList.remove("coming");
      mark(i);
      await new Promise((resolve) => setTimeout(resolve, pace));
      if (mine !== shown) return;
    }
    mark(null);
  }
  return { element, reveal };
}

// Words, and where each looked, in words.
export function whereTable({ words, attention }) {
  const rows = words.map((word, i) => ({ word: visible(word), ...whereOf(attention[i]) }));
  return table(["word", "where", "share"], rows, {
    caption: "Where each word looked most closely, and the share of its attention that was there.",
    names: { where: "looked at" },
    cells: { share: percent },
  });
}

function told(weights) {
  const { where, share } = whereOf(weights);
  return share < 1 ? `looked at: ${where}` : `looked ${where} the picture`;
}

// What stands before each word in the text, and after the last.
export function gaps(text, words) {
  let at = 0;
  const found = [];
  for (const word of words) {
    const begin = text.indexOf(word, at);
    if (begin < 0) return ["", ...words.slice(1).map(() => " "), ""];
    found.push(text.slice(at, begin));
    at = begin + word.length;
  }
  return [...found, text.slice(at)];
}

// Arrows move between words, Home and End to the ends; Escape lets the picture be.
function walk(event, buttons) {
  const at = buttons.indexOf(document.activeElement);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
  if (at >= 0 && event.key === "Escape") buttons[at].blur();
  if (to === undefined || at < 0) return;
  event.preventDefault();
  buttons[Math.max(0, Math.min(buttons.length - 1, to))].focus();
}
