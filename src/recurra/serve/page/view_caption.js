// What pictures show: the last one large with its caption, those before it small.

import { details } from "./about.js";
import { captioned, whereTable } from "./captioned.js";
import { button, make } from "./dom.js";
import { drawn } from "./picture.js";
import { seen, still } from "./seen.js";
import { downloads } from "./table.js";
import { figure, many } from "./words.js";

const PACE = 250; // ms for each word
const KEPT = 24; // pictures
const SMALL = 160; // pixels a side of those before
const LEGEND = "Point at a word, or go to it with the arrow keys: what the model looked at stays bright.";
// What a score means.
export const SURER = "the nearer to 0, the surer";

export function captionView(info) {
  const stage = make("div");
  const rows = make("div");
  const more = details("Where each word looked, as a table", rows);
  const list = make("ol.before", { "aria-label": "Pictures so far" });
  const saved = make("div");
  const element = make("div.view", { hidden: true }, stage, more, list, saved);
  let all = []; // {name, image, answer}
  let count = 0;
  let sentence = "";
  let pane = null;

  // A picture is looked at; nothing is known of it yet.
  function begin(name, image) {
    pane = seen(image, name);
    stage.replaceChildren(pane.element, make("p.caption.quiet", {}, "Looking …"));
    more.hidden = true;
    element.hidden = false;
    mark(null);
    stage.scrollIntoView({ block: "nearest", behavior: still() ? "auto" : "smooth" });
  }
  // Resolves once the caption stands there.
  async function put(one, pace) {
    const { name, answer } = one;
    const { element: words, reveal } = captioned(answer, (weights) => pane.show(weights));
    pane.tell(`${name}: ${answer.text || "no caption"}`);
    stage.replaceChildren(pane.element, words, make("p.hint", {}, `${name}. Score ${figure(answer.score)}: ${SURER}. ${LEGEND}`));
    more.hidden = !answer.words.length;
    rows.replaceChildren(answer.words.length ? whereTable(answer) : "");
    mark(one);
    if (pace && !still()) await reveal(pace);
  }
  function mark(one) {
    for (const [i, item] of [...list.children].entries()) {
      if (all[i] === one) item.firstElementChild.setAttribute("aria-current", "true");
      else item.firstElementChild.removeAttribute("aria-current");
    }
  }
  function keep(one) {
    all = [...all, one];
    const small = drawn(one.image, SMALL);
    const again = button("", () => {
      pane = seen(one.image, one.name);
      put(one, 0);
    });
    small.setAttribute("aria-hidden", "true");
    again.replaceChildren(small, make("span", {}, one.answer.text || "(nothing)"));
    list.append(make("li", {}, again));
    if (all.length > KEPT) {
      all = all.slice(1);
      list.firstElementChild.remove();
    }
    list.hidden = all.length < 2;
    const rows = all.map(({ name, answer }) => ({ picture: name, caption: answer.text, score: answer.score }));
    saved.replaceChildren(downloads(["picture", "caption", "score"], rows, `${info.name}-captions`));
  }
  return {
    element,
    begin,
    // What was begun came to nothing: the one before it again.
    back() {
      const last = all[all.length - 1];
      element.hidden = !last;
      if (!last) return;
      pane = seen(last.image, last.name);
      put(last, 0);
    },
    show(answer, { name, image }) {
      count += 1;
      sentence = `${name}: ${answer.text || "no caption"}.`;
      const one = { name, image, answer };
      keep(one);
      return put(one, PACE);
    },
    clear() {
      all = [];
      count = 0;
      sentence = "";
      list.replaceChildren();
      saved.replaceChildren();
      stage.replaceChildren();
      element.hidden = true;
    },
    next: () => ({}),
    sentence: () => sentence,
    heard: () => (count ? many(count, "picture") : ""),
  };
}
