// A picture goes to the server as it is; what it shows comes back in a sentence.

import { details } from "./about.js";
import { make, problem } from "./dom.js";
import { chooser } from "./given.js";
import { ENDINGS, opened, pasted } from "./picture.js";
import { seen } from "./seen.js";
import { downloads } from "./table.js";
import { SURER } from "./view_caption.js";
import { figure, size } from "./words.js";

export function predictPicture(info, api, limits) {
  const wrong = problem();
  const status = make("p.progress", { role: "status" });
  const answer = make("div.result", { role: "region", "aria-label": "Answer", hidden: true });
  const files = chooser({ label: "Choose a picture …", accept: ENDINGS, take: (file) => ask(file), first: true });
  const element = make(
    "div.given.picked",
    {},
    make("div.buttons", {}, files.element, make("span.hint.drop", {}, "or drop or paste one here"), status),
    wrong.box,
  );
  let busy = false;
  files.drops(element);
  pasted(element, (file) => busy || ask(file));

  async function ask(file) {
    const most = limits?.body;
    wrong.show(most && file.size > most ? `expected at most ${size(most)}, got ${size(file.size)}. Scale it down.` : "");
    if (!wrong.box.hidden) return;
    busy = true;
    files.disable(true);
    answer.hidden = true;
    status.textContent = `Asking what ${file.name} shows …`;
    const since = performance.now();
    try {
      const path = `bundles/${encodeURIComponent(info.name)}/predict`;
      const found = await api.send(path, file, file.name, file.type || "application/octet-stream");
      status.textContent = `Answered in ${figure((performance.now() - since) / 1000, 2)} s.`;
      answer.replaceChildren(...(await shown(info, api, found, file)));
      answer.hidden = false;
    } catch (error) {
      status.textContent = "";
      wrong.show(error.message);
    } finally {
      busy = false;
      files.disable(false);
    }
  }
  return { element: make("div.predict", {}, element, answer) };
}

async function shown(info, api, { columns, rows }, file) {
  const [row] = rows;
  const image = await opened(file).catch(() => null); // the server reads more kinds than browsers do
  return [
    image ? seen(image, `${file.name}: ${row.caption || "no caption"}`).element : null,
    make("p.caption", {}, row.caption || "(nothing)"),
    make("p.hint", {}, `${file.name}. Score ${figure(row.score)}: ${SURER}.${image ? "" : " This browser cannot show the picture."}`),
    downloads(columns, rows, `${info.name}-caption`),
    details("The same from a command line", make("pre.request", { tabindex: "0" }, make("code", {}, request(info, api, file)))),
  ].filter(Boolean);
}

// What curl is to be told.
function request(info, api, file) {
  const url = new URL(`v1/bundles/${encodeURIComponent(info.name)}/predict`, document.baseURI);
  const lines = [`curl ${url}`, `--header ${quoted(`Content-Type: ${file.type || "application/octet-stream"}`)}`];
  if (!file.type) lines[0] = `curl ${quoted(`${url}?file=${encodeURIComponent(file.name)}`)}`;
  if (api.token !== null) lines.push("--header 'Authorization: Bearer …'");
  return [...lines, `--data-binary ${quoted(`@${file.name}`)}`].join(" \\\n  ");
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
