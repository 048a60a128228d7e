// A stream that is tried: where its observations come from, and what is shown of its answers.

import { button, make, spoken } from "./dom.js";
import { Session } from "./session.js";
import { shownPicture } from "./source_picture.js";
import { playedRows } from "./source_rows.js";
import { heardSound } from "./source_sound.js";
import { writtenText } from "./source_text.js";
import { translationsView } from "./translations.js";
import { captionView } from "./view_caption.js";
import { classesView } from "./view_classes.js";
import { fanView } from "./view_fan.js";
import { plainView } from "./view_plain.js";
import { surpriseView } from "./view_surprise.js";
import { transcriptView } from "./view_transcript.js";
import { many, size } from "./words.js";

const VIEWS = {
  forecast: fanView,
  classify: classesView,
  language: surpriseView,
  translate: translationsView,
  transcribe: transcriptView,
  caption: captionView,
};
const SOURCES = { text: writtenText, sound: heardSound, picture: shownPicture };
const LEADS = {
  translate: "Each line goes to the model as it is written, and is translated when it ends.",
  text: "The text goes to the model as it is written; change something before the end, and it reads anew.",
  event: "One event after the other goes to the model, which keeps nothing but a state of constant size.",
  sound: "What is said goes to the model while it is said, and nowhere else; a pause ends an utterance.",
  picture: "A picture goes to the model, scaled down, and nowhere else; its caption shows where each word looked.",
  numbers: "One row after the other goes to the model, which keeps nothing but a state of constant size.",
};

export function live(info, api, limits) {
  const { kind } = info.stream;
  const dot = make("span.dot", { "aria-hidden": "true" });
  const told = make("span", {}, "Not begun.");
  const status = make("p.connection", { role: "status" }, dot, told);
  const steps = make("span.steps");
  const voice = spoken();
  const session = new Session(api, info.name, (state, sentence) => {
    dot.className = `dot ${state}`;
    told.textContent = sentence || "Not begun.";
    count();
  });
  const count = () => {
    steps.textContent = view.heard ? view.heard() : session.steps ? many(session.steps, "observation") : "";
  };
  const view = (VIEWS[info.task] ?? plainView)(info, { add: (text) => source.add(text) });
  const changed = () => {
    count();
    voice.say(view.sentence());
  };
  const from = SOURCES[kind] ?? playedRows;
  const source = from({ info, session, view, changed, limits, placeholder: "Type, or paste a text." });
  const over = () => {
    session.end();
    source.clear();
    view.clear();
    count();
    voice.say("Started over.", true);
  };
  const element = make(
    "div.live",
    {},
    make("p.lead", {}, LEADS[info.task] ?? LEADS[kind] ?? "", ` A stream’s state takes ${size(info.stream.bytes)}.`),
    source.element,
    make("div.bar-line", {}, status, steps, button("Start over", over)),
    view.element,
    voice.box,
  );
  const end = () => {
    source.clear(); // the microphone, too
    session.end();
  };
  return { element, busy: () => session.steps > 0, end };
}
