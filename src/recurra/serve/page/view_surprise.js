// Text as a language model reads it: the surprise of each token, and what it expects next.

import { bars } from "./bars.js";
import { make } from "./dom.js";
import { LEGEND, marked, most } from "./surprise.js";
import { figure, listed, many, percent, visible } from "./words.js";

export function surpriseView(info, { add }) {
  const text = make("p.read", { tabindex: "0", role: "group", "aria-label": "The text, coloured by surprise" });
  const pending = make("span.pending", { title: "Not certain yet: it may go on" });
  const sum = make("p.answer");
  const shown = new Map(); // as shown → the token
  const next = bars("The likeliest next tokens", { sorted: true, onpick: (name) => add(apart(shown.get(name))) });
  const rows = make("div");
  const table = () => more.open && rows.replaceChildren(most(tokens));
  const more = make("details", { ontoggle: () => table() }, make("summary", {}, "The most surprising, as a table"), rows);
  const ahead = make("div", {}, make("h4", {}, "Likeliest next"), next.element);
  const element = make("div.view", { hidden: true }, sum, text, make("p.hint", {}, LEGEND), ahead, more);
  let tokens = [];
  let certain = 0; // characters of them
  let sentence = "";
  text.append(pending);

  // Words stand apart; other tokens bring their spaces along.
  function apart(token) {
    return info.schema?.tokens?.unit === "words" ? ` ${token} ` : token;
  }
  function tell(answer) {
    const each = tokens.length ? `: ${figure(answer.bits / tokens.length, 3)} bits a token` : "";
    sum.textContent = `${many(tokens.length, "token")}, ${figure(answer.bits)} bits${each}`;
    const first = (answer.next ?? []).slice(0, 3).map(({ token, p }) => `${visible(token)} ${percent(p)}`);
    sentence = `${sum.textContent}.${first.length ? ` Likeliest next: ${listed(first)}.` : ""}`;
  }
  return {
    element,
    show(answer, given) {
      if (!answer) return;
      element.hidden = false;
      for (const one of answer.tokens ?? []) {
        tokens.push(one);
        certain += one.token.length;
        pending.before(marked(one));
      }
      pending.textContent = given.slice(certain);
      shown.clear();
      for (const { token } of answer.next ?? []) shown.set(visible(token), token);
      next.update(Object.fromEntries((answer.next ?? []).map(({ token, p }) => [visible(token), p])));
      ahead.hidden = !answer.next?.length;
      tell(answer);
      table();
    },
    clear() {
      tokens = [];
      certain = 0;
      pending.textContent = "";
      text.replaceChildren(pending);
      element.hidden = true;
    },
    next: () => ({}),
    sentence: () => sentence,
  };
}
