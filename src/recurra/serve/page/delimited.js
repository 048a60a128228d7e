// Tables as text: CSV and its kin, NDJSON, JSON.

const MARKS = [",", ";", "\t", "|"];

// {columns, rows: [{column: text or value}], comma: whether decimals are written with one}; null where there is none.
export function parse(text) {
  const bare = text.replace(/^\uFEFF/, "").trim();
  if (!bare) return null;
  if (bare.startsWith("{") || bare.startsWith("[")) return fromJson(bare);
  const mark = markOf(bare.slice(0, bare.search(/[\r\n]|$/)));
  const cells = split(bare, mark);
  const columns = cells[0].map((name) => name.trim());
  const rows = cells
    .slice(1)
    .filter((row) => row.length > 1 || row[0] !== "")
    .map((row) => Object.fromEntries(columns.map((name, i) => [name, row[i] ?? ""])));
  return { columns, rows, comma: mark !== "," };
}

function fromJson(text) {
  try {
    const rows = text.startsWith("[")
      ? JSON.parse(text)
      : text
          .split(/\r?\n/)
          .filter((line) => line.trim())
          .map((line) => JSON.parse(line));
    return { columns: [...new Set(rows.flatMap((row) => Object.keys(row)))], rows, comma: false };
  } catch {
    return null;
  }
}

// The one that the header has most of.
function markOf(header) {
  const counts = MARKS.map((mark) => header.split(mark).length);
  return MARKS[counts.indexOf(Math.max(...counts))];
}

// Rows of cells; quotes may hold marks, line ends and doubled quotes.
function split(text, mark) {
  const rows = [];
  let row = [];
  let cell = "";
  let quoted = false;
  for (let i = 0; i < text.length; i += 1) {
    const c = text[i];
    if (quoted) {
      if (c !== '"') cell += c;
      else if (text[i + 1] === '"') {
        cell += '"';
        i += 1;
      } else quoted = false;
    } else if (c === '"' && cell.trim() === "") {
      quoted = true;
      cell = "";
    } else if (c === mark) {
      row.push(cell);
      cell = "";
    } else if (c === "\n" || c === "\r") {
      if (c === "\r" && text[i + 1] === "\n") i += 1;
      rows.push([...row, cell]);
      row = [];
      cell = "";
    } else cell += c;
  }
  rows.push([...row, cell]);
  return rows;
}

// A cell as a number; NaN where it is none. comma: "3,5" is three and a half.
export function asNumber(cell, comma = false) {
  if (typeof cell === "number") return cell;
  const text = String(cell ?? "").trim();
  if (text === "") return NaN;
  return Number(comma && /^[+-]?\d*,\d+$/.test(text) ? text.replace(",", ".") : text);
}

export function toCsv(columns, rows) {
  const cell = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [columns, ...rows.map((row) => columns.map((name) => row[name]))]
    .map((row) => `${row.map(cell).join(",")}\n`)
    .join("");
}
