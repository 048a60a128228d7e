// Where text is pasted or a file is chosen or dropped.

import { button, make, unique } from "./dom.js";
import { size } from "./words.js";

const READABLE = /\.(csv|tsv|txt|text|json|ndjson|jsonl|log|md)$/i;
const SHOWN = 200_000; // bytes of a file up to which it is put into the text field, where it can be changed

// get(): {text, name} or {file, name}; null where nothing is given
export function given({ label, hint, placeholder = "", rows = 8, example = null, onchange = () => {} }) {
  const area = make("textarea", {
    id: unique("given"),
    rows,
    placeholder,
    spellcheck: "false",
    autocapitalize: "off",
    autocomplete: "off",
  });
  const told = make("span.hint", { id: unique("hint") }, hint);
  area.setAttribute("aria-describedby", told.id);
  const input = make("input.unseen", { type: "file", tabindex: "-1", "aria-hidden": "true" });
  const chip = make("p.chip", { hidden: true });
  const choose = button("Choose a file …", () => input.click());
  const box = make(
    "div.given",
    {},
    make("label", { for: area.id }, label),
    told,
    area,
    chip,
    make(
      "div.buttons.small",
      {},
      choose,
      input,
      example ? button(example.name, () => put(example.text)) : null,
      make("span.hint.drop", {}, "or drop one here"),
    ),
  );
  let file = null;
  let name = "pasted";

  function put(text, from = "pasted") {
    leave();
    area.value = text;
    name = from;
    onchange();
  }
  function leave() {
    file = null;
    chip.hidden = true;
    area.hidden = false;
  }
  async function take(one) {
    if (!one) return;
    if (READABLE.test(one.name) && one.size <= SHOWN) {
      put(await one.text(), one.name);
      return;
    }
    file = one;
    area.hidden = true;
    chip.hidden = false;
    chip.replaceChildren(
      `${one.name}, ${size(one.size)} `,
      button("Take it away", () => {
        leave();
        area.focus();
        onchange();
      }),
    );
    onchange();
  }
  input.addEventListener("change", () => {
    take(input.files[0]);
    input.value = "";
  });
  area.addEventListener("input", () => {
    name = "pasted";
    onchange();
  });
  drops(box, take);
  return {
    element: box,
    area,
    put,
    get() {
      if (file) return { file, name: file.name };
      return area.value.trim() ? { text: area.value, name } : null;
    },
  };
}

// A button by which a file is chosen, and where else one may be dropped; or several. take(file): is given each.
export function chooser({ label, accept, take, first = false, several = false }) {
  const input = make("input.unseen", { type: "file", tabindex: "-1", "aria-hidden": "true", accept, multiple: several });
  const choose = button(label, () => input.click(), { class: first ? "first" : null });
  input.addEventListener("change", () => {
    const chosen = [...input.files];
    input.value = "";
    for (const file of chosen) take(file);
  });
  return {
    element: make("span.choose", {}, choose, input),
    drops: (box) => drops(box, (file) => file && !choose.disabled && take(file), several),
    disable(off) {
      choose.disabled = off;
    },
  };
}

function drops(box, take, several = false) {
  let inside = 0;
  const mark = (by) => {
    inside = by === null ? 0 : inside + by;
    box.classList.toggle("over", inside > 0);
  };
  box.addEventListener("dragenter", (event) => {
    event.preventDefault();
    mark(1);
  });
  box.addEventListener("dragover", (event) => event.preventDefault());
  box.addEventListener("dragleave", () => mark(-1));
  box.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(null);
    const { files } = event.dataTransfer;
    for (const file of several ? files : [files[0]]) take(file);
  });
}

const TYPES = {
  csv: "text/csv",
  tsv: "text/csv",
  parquet: "application/vnd.apache.parquet",
  ndjson: "application/x-ndjson",
  jsonl: "application/x-ndjson",
  json: "application/x-ndjson",
};

// A name with an ending that says what the text is, and its type.
export function typed({ text, file, name }) {
  let full = name;
  if (file === undefined && !/\.\w+$/.test(name)) {
    full = /^\s*[{[]/.test(text) ? `${name}.ndjson` : `${name}.csv`;
  }
  const ending = full.split(".").pop().toLowerCase();
  return { name: full, type: TYPES[ending] ?? (file?.type || "text/plain") };
}
