// Observations from rows of a table or from what is typed, as their JSON schema says.

import { asNumber } from "./delimited.js";

// [{name, path, types, choices, needed, told}]; one without a path for an observation that is no object
// channels: what the bundle's schema knows of them, {name, categories}
export function fieldsOf(schema, channels = []) {
  // Switches that need not be given are left as they are.
  const fields = found(schema, channels[0]?.name ?? "event").filter(({ types, needed }) => needed || !isSwitch(types));
  for (const one of fields) {
    const known = channels.find(({ name }) => name === one.name)?.categories ?? [];
    one.choices = one.choices.length ? one.choices : known;
  }
  return fields;
}

function isSwitch(types) {
  return types.size === 1 && types.has("boolean");
}

function found(schema, alone) {
  if (!schema.properties) return [field(alone, [], schema, true)];
  const needed = new Set(schema.required ?? []);
  return Object.entries(schema.properties).flatMap(([name, part]) =>
    part.properties
      ? Object.entries(part.properties).map(([inner, one]) =>
          field(inner, [name, inner], one, (part.required ?? []).includes(inner)),
        )
      : [field(name, [name], part, needed.has(name))],
  );
}

function field(name, path, schema, needed) {
  const parts = [schema, ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
  const types = new Set(parts.flatMap((part) => part.type ?? []));
  const choices = parts.flatMap((part) => part.enum ?? part.examples ?? []).filter((one) => one !== null);
  if (!types.size) for (const choice of choices) types.add(typeof choice);
  return { name, path, types, choices, needed, told: schema.description ?? "" };
}

// row: {name: cell}. What is not there is left out; an empty cell is null.
export function observationOf(row, fields, comma = false) {
  if (fields.length === 1 && !fields[0].path.length) return valueOf(row[fields[0].name], fields[0], comma);
  const observation = {};
  for (const one of fields) {
    if (!(one.name in row)) continue;
    const value = valueOf(row[one.name], one, comma);
    if (value === undefined) continue;
    let place = observation;
    for (const step of one.path.slice(0, -1)) place = place[step] ??= {};
    place[one.path[one.path.length - 1]] = value;
  }
  return observation;
}

function valueOf(cell, { types, needed }, comma) {
  if (typeof cell !== "string") return cell;
  const text = cell.trim();
  const words = types.has("string");
  if (text === "" || (/^(na|nan|null)$/i.test(text) && !words)) {
    if (types.has("null") || !words) return null;
    return needed ? cell : undefined;
  }
  if (types.has("number") || types.has("integer") || !types.size) {
    const number = asNumber(text, comma);
    // "007" stays a word where words may stand.
    if (Number.isFinite(number) && (!words || String(number) === text)) return number;
  }
  if (types.has("boolean") && /^(true|false)$/i.test(text)) return text.toLowerCase() === "true";
  return cell;
}

// An observation as a row of a table.
export function rowOf(observation, fields) {
  if (fields.length === 1 && !fields[0].path.length) return { [fields[0].name]: observation };
  return Object.fromEntries(
    fields.map(({ name, path }) => [name, path.reduce((at, step) => at?.[step], observation)]),
  );
}
