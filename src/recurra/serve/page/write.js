// Text that the model writes, shown as it is written.

import { events } from "./api.js";
import { button, field, make, number, painted, problem, spoken } from "./dom.js";
import { figure, many } from "./words.js";

const NEAR = 40; // px from the end of what is written within which the view follows it

export function write(info, api, limits) {
  const most = limits?.length ?? 10000;
  const prompt = make("textarea", { rows: 3, spellcheck: "false", placeholder: "Nothing: it begins as its texts began." });
  const length = number(400, { min: 1, max: most, step: 1 });
  const temperature = number(0.8, { min: 0.05, max: 5, step: 0.05 });
  const topP = number(0.95, { min: 0.01, max: 1, step: 0.01 });
  const seed = number(0, { min: 0, max: 2 ** 32 - 1, step: 1 });
  const wrong = problem();
  const go = make("button.first", { type: "submit" }, "Write");
  const stop = button("Stop", () => control?.abort(), { disabled: true });
  const copy = button("Copy", () => navigator.clipboard?.writeText(said.textContent + written.data));
  const status = make("p.progress");
  const said = make("span.said");
  const written = document.createTextNode("");
  const page = make("p.read.written", { tabindex: "0", role: "region", "aria-label": "What the model writes", hidden: true }, said, written);
  const voice = spoken();
  let control = null;
  let following = true;
  copy.hidden = true;

  const form = make(
    "form",
    {},
    field("It goes on from", prompt),
    make(
      "div.settings",
      {},
      field("Tokens", length, `At most ${figure(most)}.`),
      field("Temperature", temperature, "Below 1: surer; above: more daring."),
      field("Top-p", topP, "Of the likeliest tokens, this share of the chance."),
      field("Seed", seed, "The same seed writes the same."),
    ),
    wrong.box,
    make("div.buttons", {}, go, stop, copy, status),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && form.reportValidity()) run();
    if (event.key === "Escape") control?.abort();
  });

  async function run() {
    if (control) return;
    control = new AbortController();
    begin();
    try {
      const answer = await api.post(`bundles/${encodeURIComponent(info.name)}/generate`, options(), {
        signal: control.signal,
        headers: { Accept: "text/event-stream" },
      });
      for await (const event of events(answer)) {
        if (event.error) throw new Error(event.error.message);
        if (event.text !== undefined) add(event.text);
        if (event.done) tell(`${many(event.done.pieces, "token")} in ${figure(event.done.seconds, 2)} s.`);
      }
    } catch (error) {
      if (error.name === "AbortError") tell("Stopped.");
      else {
        tell("");
        wrong.show(error.message);
      }
    } finally {
      control = null;
      go.disabled = false;
      stop.disabled = true;
      if (document.activeElement === document.body) go.focus();
    }
  }
  function options() {
    return {
      prompt: prompt.value,
      length: Number(length.value),
      temperature: Number(temperature.value),
      top_p: Number(topP.value),
      seed: Number(seed.value),
    };
  }
  function begin() {
    wrong.show("");
    said.textContent = prompt.value;
    written.data = "";
    page.hidden = false;
    following = true;
    copy.hidden = !navigator.clipboard;
    go.disabled = true;
    stop.disabled = false;
    stop.focus();
    tell("Writing …");
  }
  // Goes on at the end of the text, as long as that is what is looked at.
  const follow = painted(() => {
    if (following) page.scrollTop = page.scrollHeight;
  });
  page.addEventListener("scroll", () => {
    following = page.scrollHeight - page.scrollTop - page.clientHeight < NEAR;
  });
  function add(text) {
    written.appendData(text);
    follow();
  }
  function tell(sentence) {
    status.textContent = sentence;
    if (sentence) voice.say(sentence, true);
  }
  return { element: make("div.write", {}, form, page, voice.box) };
}
