// Rows that go to a stream one after the other: played from a table, or typed.

import { parse, toCsv } from "./delimited.js";
import { button, field, make, problem } from "./dom.js";
import { given } from "./given.js";
import { fieldsOf, observationOf, rowOf } from "./observations.js";
import { Player } from "./player.js";
import { typedRow } from "./typed_row.js";
import { many } from "./words.js";

const SPEEDS = [1, 2, 5, 10, 25, 0]; // rows a second; 0: as fast as it goes
const USUAL = matchMedia("(prefers-reduced-motion: reduce)").matches ? 2 : 10;
const NONE = "There are no rows to play yet. Paste some, or choose a file.";

// changed(): something was answered; view: what shows it
export function playedRows({ info, session, view, changed }) {
  const fields = fieldsOf(info.stream.observation, info.schema?.channels);
  const names = fields.map((one) => one.name);
  const player = new Player({
    take: (row, at) => take(row, at),
    again: () => again(),
    told: () => tell(),
    ids: (info.schema?.ids ?? []).filter((id) => !names.includes(id)),
  });
  const table = tableOf(info, fields, player.ids, () => reread());
  const wrong = problem(table.area);
  const play = button("Play", () => (player.playing ? player.pause() : start()), { class: "first" });
  const one = button("One row", () => single());
  const skip = button("Leave this row out", () => leaveOut(), { hidden: true });
  const speed = speeds();
  const progress = make("p.progress");
  const typed = typedRow(fields, (row) => take(row, null));
  let comma = false;

  async function reread() {
    wrong.show("");
    skip.hidden = true;
    const what = table.get();
    const text = what?.file ? await what.file.text() : (what?.text ?? "");
    const read = readRows(text, info.stream.kind, names);
    comma = read?.comma ?? false;
    player.set(read?.rows ?? []);
  }
  function tell() {
    const { rows, at, ids, playing } = player;
    const which = at && player.sequence(at - 1) ? `, ${ids.join(", ")} ${player.sequence(at - 1)}` : "";
    progress.textContent = rows.length ? `Row ${at} of ${rows.length}${which}` : "";
    play.textContent = playing ? "Pause" : "Play";
  }
  async function start() {
    if (player.rows.length) await player.play(() => Number(speed.value));
    else wrong.show(NONE);
  }
  async function single() {
    player.pause();
    if (!player.ended) await player.step();
    else wrong.show(player.rows.length ? "That was the last row. Play begins anew." : NONE);
  }
  function leaveOut() {
    skip.hidden = true;
    wrong.show("");
    player.leaveOut();
    play.focus();
  }
  async function again() {
    view.clear();
    try {
      if (session.steps) await session.reset();
      return true;
    } catch (error) {
      wrong.show(error.message);
      return false;
    }
  }
  // Give one row to the stream, the table's with its place; whether it was taken.
  async function take(row, at) {
    try {
      const observation = observationOf(row, fields, at === null || comma);
      const { answer } = await session.observe(observation);
      wrong.show("");
      skip.hidden = true;
      view.show(answer, rowOf(observation, fields));
      typed.fill(view.next());
      changed();
      return true;
    } catch (error) {
      const ended = error.type === "ended";
      if (ended) {
        player.at = 0;
        view.clear();
      }
      skip.hidden = ended || at === null;
      if (at === null) typed.fail(error.message);
      else wrong.show(ended ? error.message : `Row ${at + 1}: ${error.message}`);
      return false;
    }
  }
  const controls = make("div.buttons", {}, play, one, skip, field("Speed", speed), progress);
  return {
    element: make("div.source", {}, table.element, wrong.box, controls, typed.element),
    clear() {
      player.at = 0;
      player.pause();
      wrong.show("");
      skip.hidden = true;
    },
  };
}

function tableOf(info, fields, ids, onchange) {
  const { kind, example } = info.stream;
  const events = kind === "event";
  const anew = ids.length ? ` Where ${ids.join(" or ")} changes, another sequence begins.` : "";
  const text = toCsv(fields.map((one) => one.name), [rowOf(example, fields)]);
  return given({
    label: events ? "Events, one a line" : "Rows, with a header of names",
    hint: events
      ? `Or rows with the column ${fields[0].name}.${anew}`
      : `Columns: ${fields.map((one) => one.name).join(", ")}.${anew}`,
    placeholder: events ? String(example) : text,
    rows: 6,
    onchange,
  });
}

function speeds() {
  const told = (n) => (n ? `${many(n, "row")} a second` : "as fast as it goes");
  return make("select", {}, SPEEDS.map((n) => make("option", { value: n, selected: n === USUAL }, told(n))));
}

// {rows, comma}; events may stand alone on their lines, or in a column of their name.
function readRows(text, kind, names) {
  const table = parse(text);
  if (kind !== "event" || table?.columns.includes(names[0])) return table;
  const lines = text.split(/\r?\n/).filter((line) => line.trim());
  return { rows: lines.map((line) => ({ [names[0]]: line.trim() })) };
}
