// Text that goes to a stream as it is written. What is added goes on; what is changed begins anew.

import { make, problem, unique } from "./dom.js";

const PIECE = 2000; // characters of an observation, well below what a frame may hold

// changed(): something was answered; view: what shows it
export function writtenText({ session, view, changed, placeholder }) {
  const area = make("textarea", {
    id: unique("text"),
    rows: 5,
    placeholder,
    spellcheck: "false",
    autocapitalize: "off",
    autocomplete: "off",
  });
  const wrong = problem(area);
  const element = make("div.given", {}, make("label", { for: area.id }, "Text, as you write it"), area, wrong.box);
  let sent = "";
  let running = false;
  let refused = null; // the text that the server could not take

  async function go() {
    if (running) return;
    running = true;
    try {
      while (area.value !== sent && area.value !== refused) {
        if (area.value.startsWith(sent)) await more(area.value.slice(sent.length));
        else {
          sent = "";
          view.clear();
          if (session.steps) await session.reset();
        }
        changed();
      }
    } catch (error) {
      failed(error);
    } finally {
      running = false;
    }
  }
  async function more(rest) {
    const piece = first(rest, rest.length <= (view.finest ?? 0) ? 1 : PIECE);
    const before = sent;
    const { answer } = await session.observe(piece);
    sent = before + piece;
    wrong.show("");
    view.show(answer, sent);
  }
  function failed(error) {
    if (error.type === "ended") {
      sent = "";
      view.clear();
    } else refused = area.value;
    wrong.show(error.message);
  }
  area.addEventListener("input", () => {
    refused = null;
    go();
  });
  return {
    element,
    area,
    add(text) {
      area.value += text;
      area.focus();
      refused = null;
      go();
    },
    clear() {
      area.value = "";
      sent = "";
      refused = null;
      wrong.show("");
    },
  };
}

// The first characters, none of them half.
function first(text, length) {
  const code = text.charCodeAt(length - 1);
  return text.slice(0, code >= 0xd800 && code <= 0xdbff ? length + 1 : length);
}
