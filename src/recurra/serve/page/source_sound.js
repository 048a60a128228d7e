// Sound that goes to a stream: from the microphone while one speaks, or from a recording.

import { button, make, painted, problem } from "./dom.js";
import { chooser } from "./given.js";
import { Pieces } from "./pieces.js";
import { base64, decoded, level, microphone } from "./sound.js";
import { figure } from "./words.js";

const AT_ONCE = 0.25; // seconds of a recording that go out together
const SILENT = 3; // seconds of nothing at all after which something is said
const NOTHING = "Nothing is heard. See whether the microphone is on.";
const LATE = "The server is a minute behind, so listening has stopped. Start over.";
export const ENDINGS = ".wav,.flac,.ogg,.oga,.opus,.mp3,.aif,.aiff,audio/*";

// changed(): something was answered; view: what shows it
export function heardSound({ info, session, view, changed, limits }) {
  const { rate } = info.stream.observation;
  const wrong = problem();
  const listen = button("Listen", () => (open ? stop() : start()), { class: "first" });
  const told = make("p.progress", { role: "status" });
  const progress = make("p.progress");
  const fill = make("span.fill");
  const meter = make("span.track.level", { "aria-hidden": "true", hidden: true }, fill);
  const files = chooser({ label: "Choose a recording …", accept: ENDINGS, take: (file) => play(file) });
  const element = make(
    "div.given.sound",
    {},
    make("div.buttons", {}, listen, files.element, make("span.hint.drop", {}, "or drop one here"), meter, told, progress),
    wrong.box,
  );
  const pieces = new Pieces({ rate, frame: limits?.frame ?? 65536, send, late: () => fail(new Error(LATE)) });
  let open = null; // the microphone
  let run = 0; // of what is heard, so that an older one ends
  let quiet = 0; // samples without any sound
  files.drops(element);

  async function send(samples) {
    const mine = run;
    const { answer } = await session.observe(base64(samples));
    if (mine !== run) return;
    view.show(answer);
    changed();
  }
  function heard(samples) {
    const now = level(samples);
    quiet = now > 0 ? 0 : quiet + samples.length;
    if (open) tell(quiet > SILENT * rate ? NOTHING : "Listening …");
    paint(now);
    pieces.give(samples).catch(fail);
  }
  const paint = painted((now) => {
    fill.style.width = `${100 * now}%`;
  });
  async function start() {
    if (!begin()) return;
    const mine = run;
    tell("Opening the microphone …");
    try {
      const found = await microphone(rate, (samples) => mine === run && heard(samples));
      if (mine !== run) {
        found.stop();
        return;
      }
      open = found;
      quiet = 0;
      view.begin("From the microphone");
      tell("Listening …");
    } catch (error) {
      fail(error);
    }
  }
  async function stop() {
    const now = open;
    open = null; // pressed again, it does nothing until all is said
    await now.stop();
    await end();
  }
  async function play(file) {
    if (!begin()) return;
    const mine = run;
    tell(`Reading ${file.name} …`);
    try {
      const samples = await decoded(file, rate);
      const seconds = figure(samples.length / rate, 3);
      if (mine === run) view.begin(file.name);
      const many = Math.round(AT_ONCE * rate);
      for (let at = 0; at < samples.length && mine === run; at += many) {
        await pieces.give(samples.subarray(at, at + many));
        progress.textContent = `${figure(Math.min(at + many, samples.length) / rate, 3)} s of ${seconds} s`;
      }
      if (mine === run) await end();
    } catch (error) {
      if (mine === run) fail(error);
    }
  }
  let busy = false;
  function begin() {
    wrong.show("");
    if (busy) return false;
    busy = true;
    run += 1;
    files.disable(true);
    return true;
  }
  // What is left is said, and the next recording begins anew.
  async function end() {
    try {
      await pieces.end();
      leave();
      tell("Done: the next one begins anew.");
    } catch (error) {
      fail(error);
    }
  }
  function fail(error) {
    if (!busy) return;
    leave();
    tell("");
    if (error.type === "ended") view.clear();
    wrong.show(error.message);
  }
  function leave() {
    run += 1;
    open?.stop();
    open = null;
    busy = false;
    pieces.drop();
    files.disable(false);
    progress.textContent = "";
  }
  function tell(text) {
    if (told.textContent !== text) told.textContent = text; // which is read out
    listen.textContent = open ? "Stop" : "Listen";
    meter.hidden = !open;
  }
  return {
    element,
    clear() {
      leave();
      tell("");
      wrong.show("");
    },
  };
}
