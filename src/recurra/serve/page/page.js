// What is served, and a place to try each of it.

import { about } from "./about.js";
import { Api } from "./api.js";
import { make } from "./dom.js";
import { purpose } from "./expected.js";
import { live } from "./live.js";
import { predict } from "./predict.js";
import { predictPicture } from "./predict_picture.js";
import { predictSound } from "./predict_sound.js";
import { tabs } from "./tabs.js";
import { askToken } from "./token.js";
import { many } from "./words.js";
import { write } from "./write.js";

const served = document.getElementById("served");
const nav = document.getElementById("bundles");
const main = document.getElementById("bundle");
const footer = document.getElementById("about");
const api = new Api(askToken);
const shown = new Map(); // name → {version, element, choose, busy, end}: a model keeps what was tried with it

const WHOLE = { language: "Score a text", translate: "Translate", transcribe: "A recording", caption: "A picture" };
const WHOLLY = { transcribe: predictSound, caption: predictPicture };
const LIVE = { text: "As you write", event: "Event by event", numbers: "Live", sound: "Live", picture: "Live" };

const LIVE_FIRST = new Set(["language", "transcribe", "caption"]);

let bundles = [];
let limits = {};
let listed = ""; // names and versions of what is shown

async function load() {
  try {
    const all = await api.json("bundles");
    bundles = all.bundles;
    limits = all.server.limits ?? {};
    served.textContent = `${many(bundles.length, "model")} on ${location.host}`;
    served.classList.remove("problem");
    // A link cannot bring the token along.
    const path = api.token === null ? make("a", { href: "openapi.json" }, "openapi.json") : "openapi.json";
    footer.replaceChildren(`Recurra ${all.server.version} · the same over HTTP: `, path);
    const now = JSON.stringify(bundles.map(({ name, version }) => [name, version]));
    if (now === listed) return;
    listed = now;
    list();
    route();
  } catch (error) {
    served.textContent = error.message;
    served.classList.add("problem");
    if (!main.childElementCount) {
      main.replaceChildren(make("button.first", { type: "button", onclick: load }, "Try again"));
    }
  }
}

function list() {
  nav.hidden = bundles.length < 2;
  nav.replaceChildren(
    make(
      "ul",
      {},
      bundles.map((info) =>
        make(
          "li",
          {},
          make(
            "a.card",
            { href: `#${encodeURIComponent(info.name)}`, "data-name": info.name },
            make("span.card-name", {}, info.name),
            make("span.card-task", {}, info.task),
            make("span.card-purpose", {}, purpose(info)),
          ),
        ),
      ),
    ),
  );
}

// #name or #name/tab
function route() {
  const [name, tab] = location.hash.slice(1).split("/").map(decodeURIComponent);
  const info = bundles.find((one) => one.name === name) ?? bundles[0];
  if (!info) {
    main.replaceChildren(make("p", {}, "The server holds no models. Start it with a bundle: recurra serve BUNDLE."));
    return;
  }
  for (const link of nav.querySelectorAll("a")) {
    if (link.dataset.name === info.name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = bundles.length > 1 ? `${info.name} · Recurra` : "Recurra";
  const part = view(info);
  if (main.firstElementChild !== part.element) main.replaceChildren(part.element);
  part.choose(tab);
}

function view(info) {
  const old = shown.get(info.name);
  // A stream that is under way goes on with the version that it began with.
  if (old && (old.version === info.version || old.busy())) return old;
  const streamed = info.stream ? live(info, api, limits) : null;
  const panels = [
    streamed && { key: "live", name: LIVE[info.stream.kind], element: streamed.element },
    info.can.includes("generate") && { key: "write", name: "Write", element: write(info, api, limits).element },
    (info.task === "language" ? info.can.includes("score") : info.can.includes("predict")) && {
      key: "predict",
      name: WHOLE[info.task] ?? "Predict",
      element: (WHOLLY[info.task] ?? predict)(info, api, limits).element,
    },
  ].filter(Boolean);
  // What most come for stands first.
  if (!LIVE_FIRST.has(info.task)) panels.reverse();
  const tabbed = tabs(`What to try with ${info.name}`, panels, (key) => {
    history.replaceState(null, "", `#${encodeURIComponent(info.name)}/${key}`);
  });
  const element = make(
    "article",
    {},
    make("div.title", {}, make("h1", {}, info.name), make("p.lead", {}, `${purpose(info)}.`)),
    make("div.columns", {}, make("div.try", {}, panels.length ? tabbed.element : null, streamed ? null : reason(info)), about(info)),
  );
  const part = {
    version: info.version,
    element,
    choose: panels.length ? tabbed.choose : () => {},
    busy: () => streamed?.busy() ?? false,
    end: () => streamed?.end(),
  };
  shown.set(info.name, part);
  return part;
}

function reason(info) {
  return info.no_stream ? make("p.hint", {}, `No stream here: ${info.no_stream}`) : null;
}

addEventListener("hashchange", route);
// Addresses after # are those of models.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener("pagehide", () => {
  for (const part of shown.values()) part.end();
});
// A bundle may have been replaced meanwhile.
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && bundles.length) load();
});
load();
