// A table or a text goes to the server as a whole; its answer comes back as a whole.

import { scores } from "./about.js";
import { showClasses, showForecast, showSurprise, showTable } from "./answers.js";
import { parse, toCsv } from "./delimited.js";
import { make, problem } from "./dom.js";
import { columnsOf, expected } from "./expected.js";
import { given, typed } from "./given.js";
import { rowOf, fieldsOf } from "./observations.js";
import { showTranslations } from "./translations.js";
import { figure, many, size } from "./words.js";

const MANY = 20; // columns from which on they are not named as an example
const SAID = {
  language: { label: "A text", ask: "Score", judged: "." },
  translate: { label: "Texts, or a file", ask: "Translate", judged: ": for pairs of texts." },
};
const ROWS = { label: "Rows, or a file", ask: "Predict", judged: ": for rows that hold the answers, too." };

export function predict(info, api, limits) {
  const language = info.task === "language";
  const said = SAID[info.task] ?? ROWS;
  const input = given({
    label: said.label,
    hint: expected(info).find((sentence) => /^(A|Texts?|What)\b/.test(sentence)),
    placeholder: placeholder(info),
    rows: 8,
  });
  const wrong = problem(input.area);
  const status = make("p.progress", { role: "status" });
  const answer = make("div.result", { role: "region", "aria-label": "Answer", hidden: true });
  const send = make("button.first", { type: "submit" }, said.ask);
  const judge = info.can.includes("evaluate")
    ? make("button", { type: "button" }, "Evaluate")
    : null;
  const form = make(
    "form",
    {},
    input.element,
    wrong.box,
    make("div.buttons", {}, send, judge, status),
    make("p.hint", {}, told(said, judge)),
  );

  async function ask(what) {
    const content = input.get();
    wrong.show(check(content, limits));
    if (!content || !wrong.box.hidden) return;
    for (const control of [send, judge]) if (control) control.disabled = true;
    answer.hidden = true;
    status.textContent = "Asking …";
    const since = performance.now();
    try {
      answer.replaceChildren(...(await what(content)));
      answer.hidden = false;
      status.textContent = `Answered in ${figure((performance.now() - since) / 1000, 2)} s.`;
    } catch (error) {
      status.textContent = "";
      wrong.show(error.message);
    } finally {
      for (const control of [send, judge]) if (control) control.disabled = false;
    }
  }
  const path = `bundles/${encodeURIComponent(info.name)}/`;
  const answered = language
    ? (content) => score(info, api, path, content)
    : (content) => predicted(info, api, path, content);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask(answered);
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      ask(answered);
    }
  });
  judge?.addEventListener("click", () => ask((content) => judged(info, api, path, content)));
  return { element: make("div.predict", {}, form, answer) };
}

function told(said, judge) {
  const keys = "Ctrl + Enter does the same as the first button.";
  if (!judge) return keys;
  return `${keys} Evaluate scores the model beside its baselines${said.judged}`;
}

function check(content, limits) {
  if (!content) return "There is nothing to send yet. Paste something, or choose a file.";
  const bytes = content.file?.size ?? new Blob([content.text]).size;
  return limits?.body && bytes > limits.body
    ? `expected at most ${size(limits.body)}, got ${size(bytes)}. Send a smaller part.`
    : "";
}

async function predicted(info, api, path, content) {
  const result = await sendTable(info, api, `${path}predict`, content);
  if (!result.rows.length) return [make("p", {}, "The answer has no rows.")];
  if (info.task === "forecast") {
    const text = content.text ?? (content.file.size < 5e6 && /\.(csv|tsv|txt|ndjson|jsonl)$/i.test(content.name) ? await content.file.text() : "");
    return showForecast(info, result, parse(text));
  }
  if (info.task === "classify") return showClasses(info, result, linesOf(info, content));
  return info.task === "translate" ? showTranslations(info, result) : showTable(info, result);
}

async function judged(info, api, path, content) {
  const found =
    info.task === "language" && content.text !== undefined
      ? await (await api.post(`${path}evaluate`, { text: content.text })).json()
      : await sendTable(info, api, `${path}evaluate`, content);
  return [scores({ ...info, ...found })];
}

async function sendTable(info, api, path, content) {
  const lines = linesOf(info, content);
  if (lines) {
    const column = info.schema.text[0];
    return (await api.post(path, { rows: lines.map((line) => ({ [column]: line })) })).json();
  }
  const { name, type } = typed(isLines(info, content) ? { ...content, name: "pasted.txt" } : content);
  return api.send(path, content.file ?? content.text, name, type);
}

// Whether a pasted text is a text a line, or two with a tab between, rather than a table.
function isLines({ task, schema }, { text }) {
  if (task !== "translate" || text === undefined || /^\s*[{[]/.test(text)) return false;
  const header = text.slice(0, Math.max(text.search(/[\r\n]|$/), 1));
  return header.includes("\t") || !(parse(header)?.columns ?? []).includes(schema.names?.[0]);
}

// Texts a line, where what is given is no table with the text's column; else null.
function linesOf({ task, schema }, { text }) {
  if (task !== "classify" || schema.kind !== "text" || text === undefined || !schema.text?.length) return null;
  const header = parse(text.slice(0, Math.max(text.search(/[\r\n]|$/), 1)))?.columns ?? [];
  if (/^\s*[{[]/.test(text) || schema.text.every((name) => header.includes(name))) return null;
  return text.split(/\r?\n/).filter((line) => line.trim());
}

async function score(info, api, path, content) {
  const ask = async (by) => {
    if (content.text !== undefined) return (await api.post(`${path}score`, { text: content.text, by })).json();
    return api.send(`${path}score?by=${by}`, content.file, content.name, "text/plain");
  };
  const lines = await ask("line");
  // Of a long text the tokens would be too many to look at.
  const short = lines.rows.reduce((sum, row) => sum + row.tokens, 0) <= 5000;
  return showSurprise(info, lines, short ? await ask("token") : null);
}

function placeholder(info) {
  const { task, schema = {} } = info;
  if (task === "language") return "A text, whose odd lines are found.";
  if (task === "translate") return "A text a line.";
  if (task === "classify" && schema.kind === "text") return "A text a line.";
  const row = info.stream?.kind === "numbers" ? rowOf(info.stream.example, fieldsOf(info.stream.observation)) : {};
  const columns = columnsOf(schema);
  if (!columns.length) return Object.keys(row).length ? toCsv(Object.keys(row), [row]) : "";
  if (columns.length > MANY) return `${many(columns.length, "column")} with a header of their names`;
  return `${toCsv(columns, columns.every((name) => name in row) ? [row] : [])}…`;
}
