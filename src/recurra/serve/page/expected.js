// What a bundle is for and what it wants to be given, in words, from its task and its schema.

import { figure, listed, many } from "./words.js";

// One line for the list of models.
export function purpose(info) {
  const { task, schema = {} } = info;
  if (task === "forecast") {
    return `Forecasts ${some(schema.targets ?? [])}, ${many(schema.horizon, "step")} ahead`;
  }
  if (task === "classify") {
    const what = schema.label?.length ? listed(schema.label) : "class";
    return `Says which ${what}: ${some(schema.classes ?? [], "or")}`;
  }
  if (task === "language") return `Reads and writes text by ${schema.tokens?.unit ?? "tokens"}`;
  if (task === "translate") return `Translates ${schema.names?.join(" to ") ?? "texts"}`;
  if (task === "transcribe") return "Writes down what is said";
  if (task === "caption") return "Says what a picture shows";
  return `A model of the task ${task}`;
}

// Sentences on what is to be given.
export function expected(info) {
  const { task, schema = {} } = info;
  if (task === "forecast") return ofForecast(schema);
  if (task === "classify") return ofClassifier(schema);
  if (task === "language") {
    return ["Text in UTF-8: what is typed or pasted, or a file."];
  }
  if (task === "translate") {
    const [from, to] = schema.names ?? ["source", "target"];
    return [
      `Texts: one a line, or a table with the column ${from}.`,
      `To be judged, pairs of them: a table with the columns ${from} and ${to}, or lines with a tab between the two.`,
    ];
  }
  if (task === "transcribe") return ofRecogniser(info);
  if (task === "caption") return ofCaptioner(schema);
  return ["What its task reads; the lines below say what was found in the files that it was fitted on."];
}

function ofRecogniser({ schema, stream }) {
  return [
    `Speech: ${stream ? "from the microphone, or " : ""}a recording as WAV, FLAC, OGG or MP3. It is heard at ${figure(schema.rate)} samples a second.`,
    stream
      ? "It listens while one speaks, and says what it has heard so far."
      : "It must hear the whole recording before it answers.",
  ];
}

function ofCaptioner({ shape, backbone }) {
  const side = backbone?.side ?? shape?.side;
  if (!side) return ["Features of pictures, as files: it is asked where it was fitted, not over the network."];
  return [
    `A picture as JPEG, PNG, WebP, GIF, BMP, TIFF or PPM. All of it is looked at, brought to ${side} × ${side} pixels.`,
    "It answers with one sentence, and a stream also with what each word looked at.",
  ];
}

function ofForecast(schema) {
  const columns = columnsOf(schema);
  const rows = schema.frequency ? `a row for each ${step(schema.frequency)}` : "a row for each step";
  const sentences = [
    schema.series_in_rows
      ? "A table with a row for each series and a column for each time."
      : `A table with ${rows} and the columns ${listed(columns)}.`,
    `It answers with the ${many(schema.horizon, "step")} after the last known value, so give at least a few seasons of history.`,
  ];
  if (schema.future?.length) {
    sentences.push(
      `${listed(schema.future.map((one) => one.name))} must be known ahead: add rows for the horizon with the target left empty.`,
    );
  }
  return sentences;
}

function ofClassifier(schema) {
  if (schema.kind === "text") {
    return [`Texts: one a line, or a table with the column ${listed(schema.text)}.`, answers(schema)];
  }
  const channels = (schema.channels ?? []).map((one) => one.name);
  const form = {
    wide: `A table with a sequence a row, a column for each of its ${many((schema.steps ?? []).length, "step")}.`,
    long: `A table with a row for each step and the columns ${listed(columnsOf(schema))}.`,
    lists: `A table whose cells hold lists: ${listed(channels)}.`,
    archive: "A file of sequences as .ts or .arff.",
  }[schema.layout];
  const what = schema.kind === "events" ? "Sequences of events." : `Sequences of numbers: ${some(channels)}.`;
  return [what, form ?? "", answers(schema)].filter(Boolean);
}

function answers(schema) {
  const classes = schema.classes ?? [];
  return schema.several
    ? `It answers with the labels that hold, of ${many(classes.length, "label")}.`
    : `It answers with one of ${many(classes.length, "class", "classes")}: ${some(classes, "or", 12)}.`;
}

// The columns that must be there.
export function columnsOf(schema) {
  const names = (list) => (list ?? []).map((one) => one.name);
  const time = [schema.time, ...(schema.time_parts ?? [])].filter(Boolean);
  const all = schema.targets
    ? [...time, ...(schema.ids ?? []), ...schema.targets]
    : [...(schema.text ?? []), ...(schema.ids ?? []), ...time, ...(schema.steps ?? [])];
  const channels = schema.layout === "wide" ? [] : names(schema.channels);
  return [...new Set([...all, ...channels, ...names(schema.past), ...names(schema.future), ...names(schema.static)])];
}

function step({ unit, multiple = 1 }) {
  return multiple === 1 ? unit : many(multiple, unit);
}

function some(items, last = "and", most = 4) {
  if (items.length <= most) return listed(items, last);
  return `${items.slice(0, most - 1).join(", ")} and ${items.length - most + 1} more`;
}
