// A recording goes to the server as a whole; what is said in it comes back as a whole.

import { details } from "./about.js";
import { make, problem } from "./dom.js";
import { chooser } from "./given.js";
import { ENDINGS } from "./source_sound.js";
import { downloads } from "./table.js";
import { spoken, wordTable } from "./view_transcript.js";
import { figure, percent, size } from "./words.js";

export function predictSound(info, api, limits) {
  const wrong = problem();
  const status = make("p.progress", { role: "status" });
  const answer = make("div.result", { role: "region", "aria-label": "Answer", hidden: true });
  const files = chooser({ label: "Choose a recording …", accept: ENDINGS, take: (file) => ask(file), first: true });
  const element = make(
    "div.given.sound",
    {},
    make("div.buttons", {}, files.element, make("span.hint.drop", {}, "or drop one here"), status),
    wrong.box,
  );
  files.drops(element);

  async function ask(file) {
    const bytes = file.size;
    const most = limits?.body;
    wrong.show(most && bytes > most ? `expected at most ${size(most)}, got ${size(bytes)}. Send a smaller part.` : "");
    if (!wrong.box.hidden) return;
    files.disable(true);
    answer.hidden = true;
    status.textContent = `Asking what is said in ${file.name} …`;
    const since = performance.now();
    try {
      const path = `bundles/${encodeURIComponent(info.name)}/predict`;
      const found = await api.send(path, file, file.name, file.type || "application/octet-stream");
      answer.replaceChildren(...shown(info, found, file.name));
      answer.hidden = false;
      status.textContent = `Answered in ${figure((performance.now() - since) / 1000, 2)} s.`;
    } catch (error) {
      status.textContent = "";
      wrong.show(error.message);
    } finally {
      files.disable(false);
    }
  }
  return { element: make("div.predict", {}, element, answer) };
}

function shown(info, { columns, rows }, name) {
  const [row] = rows;
  const words = wordsOf(row);
  const least = row.confidence === null ? "" : ` The least certain word is ${percent(row.confidence)} sure.`;
  return [
    make("p.transcript", {}, row.text ? spoken(words) : "(nothing was said)"),
    make("p.hint", {}, `${name}.${least}`),
    downloads(columns, rows, `${info.name}-transcript`),
    words.length ? details("The words as a table", wordTable(words)) : null,
  ].filter(Boolean);
}

// A text and "0.31-0.52 0.60-0.71": its words with their times.
export function wordsOf({ text, times }) {
  const when = times ? times.split(" ") : [];
  return when.map((one, i) => {
    const [begin, end] = one.split("-").map(Number);
    return { text: text.split(" ")[i], begin, end };
  });
}
