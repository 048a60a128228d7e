// Pictures that go to a stream: chosen, dropped or pasted, one after the other.

import { make, problem } from "./dom.js";
import { chooser } from "./given.js";
import { ENDINGS, encoded, opened, pasted } from "./picture.js";

const LOST = "The answer was lost with the connection. Give the picture again.";
const REST = 1500; // ms for which a caption stands before the next picture comes

// changed(): something was answered; view: what shows it
export function shownPicture({ session, view, changed, limits }) {
  const wrong = problem();
  const told = make("p.progress", { role: "status" });
  const files = chooser({ label: "Choose pictures …", accept: ENDINGS, take: (file) => give(file), first: true, several: true });
  const element = make(
    "div.given.picked",
    {},
    make("div.buttons", {}, files.element, make("span.hint.drop", {}, "or drop or paste some here"), told),
    wrong.box,
  );
  let waiting = [];
  let run = 0; // of what is shown, so that an older one ends
  let busy = false;
  files.drops(element);
  pasted(element, (file) => give(file));

  function give(file) {
    waiting.push(file);
    if (!busy) go();
  }
  async function go() {
    const mine = run;
    busy = true;
    wrong.show("");
    while (waiting.length && mine === run) {
      const file = waiting.shift();
      try {
        await one(file, mine);
      } catch (error) {
        if (mine === run) fail(error);
      }
      if (waiting.length && mine === run) await new Promise((resolve) => setTimeout(resolve, REST));
    }
    if (mine !== run) return;
    busy = false;
    told.textContent = "";
  }
  async function one(file, mine) {
    const left = waiting.length ? ` ${waiting.length} more to come.` : "";
    told.textContent = `Looking at ${file.name} …${left}`;
    const image = await opened(file);
    if (mine !== run) return;
    view.begin(file.name, image);
    const { answer } = await session.observe(await encoded(file, image, limits?.frame ?? 65536));
    if (mine !== run) return;
    if (!answer) throw new Error(LOST);
    told.textContent = left.trim();
    const whole = view.show(answer, { name: file.name, image });
    changed();
    await whole;
  }
  function fail(error) {
    if (error.type === "ended") {
      waiting = [];
      view.clear();
    } else view.back();
    told.textContent = "";
    wrong.show(error.message);
  }
  return {
    element,
    clear() {
      run += 1;
      busy = false;
      waiting = [];
      told.textContent = "";
      wrong.show("");
    },
  };
}
