// Elements from script. Data becomes text nodes and attributes, never markup.

const SVG = "http://www.w3.org/2000/svg";
let count = 0;

// make("p.told", {id: "x", onclick: f, "aria-live": "polite"}, "text", element, [more])
export function make(what, props = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  return filled(document.createElement(tag || "div"), classes, props, children);
}

export function draw(what, props = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  return filled(document.createElementNS(SVG, tag), classes, props, children);
}

function filled(element, classes, props, children) {
  if (classes.length) element.setAttribute("class", classes.join(" "));
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

export function unique(stem) {
  count += 1;
  return `${stem}-${count}`;
}

export function button(text, onclick, props = {}) {
  return make("button", { type: "button", onclick, ...props }, text);
}

// A label above a control; `hint` stands below and is read with it.
export function field(label, control, hint = "") {
  control.id ||= unique("field");
  const told = hint && make("span.hint", { id: unique("hint") }, hint);
  if (told) control.setAttribute("aria-describedby", told.id);
  return make("div.field", {}, make("label", { for: control.id }, label), control, told || null);
}

export function number(value, props) {
  return make("input", { type: "number", value, autocomplete: "off", ...props });
}

// What went wrong, beside what caused it; announced at once. `show("")` takes it away, `blamed` are the controls
// that caused it, where it was not all of them.
export function problem(...controls) {
  const text = make("span");
  const box = make("p.problem", { role: "alert", id: unique("problem"), hidden: true }, text);
  const show = (message, blamed = controls) => {
    text.textContent = message || "";
    box.hidden = !message;
    for (const control of controls) {
      const wrong = Boolean(message) && blamed.includes(control);
      for (const [name, value] of [["aria-invalid", "true"], ["aria-errormessage", box.id]]) {
        if (wrong) control.setAttribute(name, value);
        else control.removeAttribute(name);
      }
    }
  };
  return { box, show };
}

// Results that move: the latest sentence is read out, politely and not more often than every few seconds.
const PAUSE = 4000;

export function spoken() {
  const box = make("p.unseen", { role: "status" });
  let waiting = null;
  let latest = "";
  const speak = () => {
    box.textContent = latest;
    waiting = setTimeout(() => {
      waiting = null;
      if (box.textContent !== latest) speak();
    }, PAUSE);
  };
  return {
    box,
    say(sentence, now = false) {
      latest = sentence;
      if (now && waiting !== null) {
        clearTimeout(waiting);
        waiting = null;
      }
      if (waiting === null) speak();
    },
  };
}

// At most one call per painted frame, with the last arguments.
export function painted(paint) {
  let due = false;
  let given = [];
  return (...args) => {
    given = args;
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      paint(...given);
    });
  };
}
