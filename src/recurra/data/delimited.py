"""Text files of delimited columns: encoding, separator, header, and the line of every row."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from recurra.data import values
from recurra.data.timetext import looks_like_time
from recurra.errors import DataError

# Tried in this order where several separate the lines equally well.
SEPARATORS = ("\t", ";", "|", ",")
# Enough of a file to see its shape.
HEAD_BYTES, HEAD_RECORDS = 4_000_000, 50
BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
csv.field_size_limit(2**31 - 1)


@dataclass(frozen=True, slots=True)
class Delimited:
    """A text file as columns of text.

    body: the bytes below the header, UTF-8.  first: the line of the first row of the body.
    """

    frame: pl.DataFrame
    notes: tuple[str, ...]
    body: bytes
    separator: str
    first: int
    quoted: bool = True  # whether quotes are around cells, rather than part of them

    def line(self, row: int) -> int:
        """The line on which a row begins."""
        if not self.quoted or b'"' not in self.body:
            return self.first + row
        before = self.first
        for at, (last, _) in enumerate(records(self.body, self.separator, self.first)):
            if at == row:
                return before
            before = last + 1
        return before


def read_delimited(raw: bytes, name: str) -> Delimited:
    """Read a text file whose shape is found from its content. Raises DataError."""
    text, notes = decode(raw, name)
    if not text[:HEAD_BYTES].strip() and not text.strip():
        raise DataError("expected a header and rows, got an empty file. Check the path.", file=name)
    separator, head, width = sniff(text)
    skip = next((at for at, (_, cells) in enumerate(head) if any(cells)), 0)
    above = skip
    while width > 1 and skip + 1 < len(head) and _is_remark(head[skip][1], width):
        skip += 1
    if any(cells for _, cells in head[above:skip]):
        notes.append(f"above the table: {skip - above} {'line' if skip - above == 1 else 'lines'}, not read")
    header = has_header([cells for _, cells in head[skip:]])
    names = _names(_header_cells(head[skip:], width) if header else [""] * width, name, head[skip][0])
    lines = head[skip][0] if header else (head[skip - 1][0] if skip else 0)
    body = text[_offset(text, lines) :]
    if not body[:HEAD_BYTES].strip() and not body.strip():
        raise DataError(
            f"expected rows below the header of {len(names)} columns, got none. Give a file with rows.",
            file=name,
            row=lines,
        )
    if not header:
        notes.append(f"header: none in {name}, columns are called {names[0]} to {names[-1]}")
    frame, quoted = _read(body, names, separator, name, lines + 1)
    if not quoted:
        notes.append(f"quotes: part of the cells, as some have no partner ({name})")
    notes.extend(_short_lines(body, len(names), separator, lines + 1))
    frame, style_notes = _restyle(frame, separator, name)
    return Delimited(frame, (*notes, *style_notes), body, separator, lines + 1, quoted)


def decode(raw: bytes, name: str) -> tuple[bytes, list[str]]:
    """The content as UTF-8 with \\n or \\r\\n at line ends, and what had to be assumed."""
    notes: list[str] = []
    bom, encoding = next(((b, e) for b, e in BOMS if raw.startswith(b)), (b"", ""))
    if not encoding and raw[:2000].count(0) * 3 > len(raw[:2000]) > 3:
        encoding = "utf-16-le" if raw[1] == 0 else "utf-16-be"
    try:
        if encoding and encoding != "utf-8":
            text = raw[len(bom) :].decode(encoding).encode()
            notes.append(f"encoding: {encoding[:6].upper()} ({name})")
        else:
            text = raw[len(bom) :]
            if not text.isascii():
                text.decode("utf-8")
    except UnicodeDecodeError as error:
        if encoding:
            message = f"expected {encoding.upper()} text, got damaged bytes. Save the file as UTF-8."
            raise DataError(message, file=name) from error
        # Every byte means something in Latin-1; Windows' version of it has the quotes, dashes and €.
        try:
            text = raw.decode("cp1252").encode()
        except UnicodeDecodeError:
            text = raw.decode("latin-1").encode()
        notes.append(f"encoding: not UTF-8, read as Latin-1 ({name})")
    if b"\0" in text[:HEAD_BYTES]:
        raise DataError("expected a text file, got bytes that are no text. Give a CSV file.", file=name)
    if b"\n" not in text and b"\r" in text:
        text = text.replace(b"\r", b"\n")
    return text, notes


def records(text: bytes, separator: str, first: int = 1) -> Iterator[tuple[int, list[str]]]:
    """The last line and the cells of every record."""
    lines = io.TextIOWrapper(io.BytesIO(text), encoding="utf-8", errors="replace", newline="")
    reader = csv.reader(lines, delimiter=separator)
    for cells in reader:
        yield reader.line_num + first - 1, [cell.strip() for cell in cells]


def sniff(text: bytes) -> tuple[str, list[tuple[int, list[str]]], int]:
    """The separator, the first records as (last line, cells), and how many cells most of them have."""
    head = text[:HEAD_BYTES]
    if len(head) < len(text) and b"\n" in head:
        head = head[: head.rindex(b"\n") + 1]
    best: tuple[tuple[float, ...], str, list[tuple[int, list[str]]], int] | None = None
    for separator in SEPARATORS:
        rows = [row for row, _ in zip(records(head, separator), range(HEAD_RECORDS), strict=False)]
        filled = [cells for _, cells in rows if any(cells)]
        widths = [len(cells) for cells in filled]
        usual = max(set(widths), key=widths.count)
        cells = [cell for line in filled[1:] or filled for cell in line if cell]
        sample = cells[:: max(1, len(cells) // 1000)]
        meant = sum(_is_value(cell) for cell in sample) / max(1, len(sample))
        score = (float(usual > 1), widths.count(usual) / len(widths), meant)
        if best is None or score > best[0]:
            best = (score, separator, rows, usual)
    assert best is not None
    return best[1:]


def has_header(rows: list[list[str]]) -> bool:
    """Whether the first record names the columns."""
    first, later = rows[0], rows[1:]
    counting = [cell for cell in first if cell]
    if counting == [str(at) for at in range(len(counting))] and len(first) > 1:
        return True  # pandas' names for columns without any
    if not first[0] or not later:
        return True
    if all(_is_value(cell) or cell.lower() in values.MISSING for cell in first):
        years = [int(cell) for cell in first if cell.isdigit() and len(cell) == 4]
        return len(first) > 2 and len(years) == len(first) - 1 and years == sorted(set(years))
    kinds = [_is_value(cell) for cell in first]
    if not any(kinds) or len(set(first)) < len(first):
        return not any(kinds)
    below = [cells for cells in later if len(cells) == len(first)]
    # A line of the same kind as those below is data, unless its numbers go up by one as a header's years do.
    same = below and all([_is_value(cell) for cell in cells] == kinds for cells in below[:5])
    figures = [int(cell) for cell in first if cell.isdigit()]
    ascending = len(figures) > 1 and figures == list(range(figures[0], figures[0] + len(figures)))
    return not same or ascending


def _is_value(cell: str) -> bool:
    """A number or a time."""
    try:
        float(cell.replace(",", ".").replace("_", "x"))
    except ValueError:
        return looks_like_time(cell)
    return True


def _is_remark(cells: list[str], width: int) -> bool:
    """Whether a line above the table is a title or a remark."""
    return len(cells) <= 1 or (len(cells) != width and cells[0].startswith("#"))


def _header_cells(head: list[tuple[int, list[str]]], width: int) -> list[str]:
    """The header, with the name that R leaves out above row names, or that a last separator leaves."""
    first, later = head[0][1], [cells for _, cells in head[1:] if len(cells) == width]
    if len(first) != width - 1:
        return first
    return [*first, ""] if all(not cells[-1] for cells in later) else ["", *first]


def _names(cells: list[str], name: str, line: int) -> list[str]:
    names = [cell or f"column_{at}" for at, cell in enumerate(cells, 1)]
    seen: dict[str, int] = {}
    for at, column in enumerate(names, 1):
        if column in seen:
            raise DataError(
                f"expected different names for the columns, got this one for columns {seen[column]} and "
                f"{at}. Rename one of them.",
                file=name,
                row=line,
                column=column,
            )
        seen[column] = at
    return names


def _offset(text: bytes, lines: int) -> int:
    """Where the line after the first `lines` ones begins."""
    at = 0
    for _ in range(lines):
        found = text.find(b"\n", at)
        if found < 0:
            return len(text)
        at = found + 1
    return at


def _read(body: bytes, names: list[str], separator: str, name: str, first: int) -> tuple[pl.DataFrame, bool]:
    """The columns as text, and whether quotes are around cells: between tabs they need not be."""
    # A header of our own makes the reader fill lines that are too short, the first one too.
    stand_ins = [f"c{at}" for at in range(len(names))]
    head = separator.join(stand_ins).encode() + b"\n"
    schema = dict.fromkeys(stand_ins, pl.String())
    quoted = True
    try:
        frame = pl.read_csv(head + body, schema=schema, separator=separator, quote_char='"')
    except pl.exceptions.PolarsError as error:
        wrong = _misshapen(body, len(names), separator, name, first)
        if separator != "\t" or b'"' not in body:
            raise wrong from error
        try:
            frame = pl.read_csv(head + body, schema=schema, separator=separator, quote_char=None)
        except pl.exceptions.PolarsError:
            raise wrong from error
        quoted = False
    return frame.rename(dict(zip(stand_ins, names, strict=True))), quoted


def _misshapen(body: bytes, width: int, separator: str, name: str, first: int) -> DataError:
    """The error for the line that is too long, or for a quote that never ends."""
    before, start = first, first
    for last, cells in records(body, separator, first):
        if len(cells) > width:
            return DataError(
                f"expected {width} columns as in the lines above, got {len(cells)}. "
                f"Put values that contain {separator!r} in quotes.",
                file=name,
                row=before,
            )
        start, before = before, last + 1
    return DataError(
        "expected quotes around whole values and in pairs, got others. Correct the quotes in this line.",
        file=name,
        row=start,
    )


def _short_lines(body: bytes, width: int, separator: str, first: int) -> list[str]:
    """A note where lines have fewer columns than the header."""
    if width == 1 or b'"' in body:
        return []
    full = body.count(separator.encode())
    rows = body.count(b"\n") + (not body.endswith(b"\n"))
    if full == rows * (width - 1):
        return []
    short = [last for last, cells in records(body, separator, first) if any(cells) and len(cells) < width]
    if not short:
        return []
    return [
        f"short lines: {len(short):,} with fewer columns than the header, the rest missing (line {short[0]})"
    ]


def _restyle(frame: pl.DataFrame, separator: str, name: str) -> tuple[pl.DataFrame, list[str]]:
    style, sure = values.find_style(frame.get_columns(), separator)
    if style == "plain":
        return frame, []
    doubt = "" if sure else ", assumed"
    meaning = "1,234 means 1234" if style == "thousands comma" else "1,5 means 1.5"
    frame = frame.with_columns(values.plain(column, style) for column in frame.get_columns())
    return frame, [f"numbers: {style} ({meaning}{doubt})"]
