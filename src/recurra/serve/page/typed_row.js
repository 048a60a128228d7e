// A form with a field for each part of an observation.

import { field, make, problem } from "./dom.js";

// send(row): gives it; resolves to whether it was taken
export function typedRow(fields, send) {
  const controls = new Map(fields.map((one) => [one.name, controlOf(one)]));
  const all = [...controls.values()];
  const wrong = problem(...all);
  // What is known of the next row (its time) stays; the numbers are asked for anew.
  const asked = all.filter((control) => control.dataset.kind === "number");
  const form = make(
    "form.typed",
    {
      onsubmit: async (event) => {
        event.preventDefault();
        wrong.show("");
        const row = Object.fromEntries([...controls].map(([name, control]) => [name, control.value]));
        if (!(await send(row))) return;
        for (const control of asked.length ? asked : all) control.value = "";
        (asked[0] ?? all[0]).focus();
      },
    },
    fields.map((one) => field(one.name, controls.get(one.name), one.told)),
    make("button", { type: "submit" }, "Give this row"),
    fields.filter((one) => one.choices.length).map((one) => choices(one, controls.get(one.name))),
  );
  return {
    element: make("fieldset", {}, make("legend", {}, "Or type one"), form, wrong.box),
    // The fields that the sentence names are marked; all of them where it names none.
    fail(sentence) {
      const named = [...controls].filter(([name]) => sentence.includes(`'${name}'`)).map(([, control]) => control);
      wrong.show(sentence, named.length ? named : all);
    },
    fill(values) {
      for (const [name, value] of Object.entries(values)) if (controls.has(name)) controls.get(name).value = value;
    },
  };
}

function controlOf({ types }) {
  const number = (types.has("number") || types.has("integer")) && !types.has("string");
  return make("input", {
    type: "text",
    inputmode: number ? "decimal" : null,
    autocomplete: "off",
    spellcheck: "false",
    "data-kind": number ? "number" : "text",
  });
}

function choices({ choices: all }, control) {
  const id = `${control.id}-choices`;
  control.setAttribute("list", id);
  return make("datalist", { id }, all.map((value) => make("option", { value })));
}
