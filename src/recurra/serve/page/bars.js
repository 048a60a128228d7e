// Probabilities as bars that stay in their places while they move.

import { make } from "./dom.js";
import { percent } from "./words.js";

const ALL = 20; // classes up to which all are shown, each always in the same place
const MOST = 12;

// update({name: probability, …}); chosen: names that are the answer. sorted: the likeliest first
export function bars(label, { sorted = false, onpick = null } = {}) {
  const list = make("ol.bars", { "aria-label": label });
  const rows = new Map();
  function row(name) {
    const fill = make("span.fill");
    const share = make("span.share");
    const told = make("span.name", { title: name }, name);
    const inside = [told, make("span.track", { "aria-hidden": "true" }, fill), share];
    const element = onpick
      ? make("li", {}, make("button.bar", { type: "button", onclick: () => onpick(name) }, inside))
      : make("li", {}, make("div.bar", {}, inside));
    return { element, fill, share };
  }
  return {
    element: list,
    update(probabilities, chosen = []) {
      let names = Object.keys(probabilities);
      if (sorted || names.length > ALL) names.sort((a, b) => probabilities[b] - probabilities[a]);
      names = names.slice(0, names.length > ALL ? MOST : ALL);
      const elements = names.map((name) => {
        if (!rows.has(name)) rows.set(name, row(name));
        const { element, fill, share } = rows.get(name);
        fill.style.width = `${100 * Math.max(0, Math.min(1, probabilities[name]))}%`;
        share.textContent = percent(probabilities[name]);
        element.classList.toggle("chosen", chosen.includes(name));
        return element;
      });
      // Only where it must: elements that move lose what is focused in them.
      if (elements.length !== list.children.length || elements.some((one, i) => list.children[i] !== one)) {
        list.replaceChildren(...elements);
      }
      for (const name of rows.keys()) if (!names.includes(name)) rows.delete(name);
      list.classList.toggle("several", names.length > 8);
    },
  };
}
