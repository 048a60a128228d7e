"""A large file as tables of some of its rows, one after the other, each read as the whole would be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl

from recurra.data import textlines
from recurra.data.delimited import BOMS, Delimited, read_delimited
from recurra.data.files import (
    JSON_ENDINGS,
    PARQUET,
    PARQUET_ENDINGS,
    TEXT_ENDINGS,
    Part,
    read_content,
)
from recurra.data.tables import Table, plain_types, read_table
from recurra.data.textreader import content_blocks
from recurra.data.texts import lines_in
from recurra.errors import DataError

# Bytes of a file in one portion, unpacked; and the rows of a Parquet file that tell how large they are.
SIZE, SAMPLE = 4_000_000, 1_000


def portions(
    path: Path, texts: str | None = None, size: int = SIZE, *, lines: bool = False
) -> Iterator[Table | Path]:
    """The rows of a file in order; its path alone, where it does not come apart.

    texts: the column that lines of a plain text file without it make.  lines: all of them, blank ones too,
    and of a file of any other name than a table's. Rows keep the lines that they have in the file. Raises
    DataError, also where two portions write numbers in different ways.
    """
    ending = Path(path.name.lower().removesuffix(".gz")).suffix
    first = next(content_blocks(path, size), b"")
    if first.startswith(PARQUET) or ending in PARQUET_ENDINGS:
        yield from _of_parquet(path, size)
    elif lines and texts is not None and ending not in (".csv", *JSON_ENDINGS):
        if textlines.has_tabs(path):
            yield path
        else:
            yield from textlines.tables(path, texts, size)
    elif first.startswith(tuple(bom for bom, encoding in BOMS if encoding != "utf-8")) or b"\0" in first:
        yield read_table(path)
    elif ending in JSON_ENDINGS and first.lstrip()[:1] != b"[":
        yield from _of_lines(path, size)
    elif ending == ".txt" and texts is not None and not _has_column(first, path.name, texts):
        for line, block in _cut(path, size, quoted=False):
            yield lines_in(path.name, block, texts, line)
    elif ending in TEXT_ENDINGS:
        yield from _of_text(path, size)
    else:
        yield read_table(path)


def _of_parquet(path: Path, size: int) -> Iterator[Table]:
    try:
        rows = int(pl.scan_parquet(path).select(pl.len()).collect().item())
        some = pl.scan_parquet(path).head(SAMPLE).collect()
        many = max(1, size * len(some) // max(1, int(some.estimated_size())))
        for at in range(0, rows, many):
            frame = pl.scan_parquet(path).slice(at, many).collect()
            yield Table(plain_types(frame), (_part(path.name, len(frame), at + 1),), (), "")
    except pl.exceptions.PolarsError as error:
        raise DataError(f"expected a Parquet file, got {error}. Write it anew.", file=path.name) from error


def _part(name: str, rows: int, first: int) -> Part:
    return Part(name, rows, lambda row: first + row)


def _of_lines(path: Path, size: int) -> Iterator[Table]:
    """JSON objects, one a line."""
    for line, block in _cut(path, size, quoted=False):
        if block.strip():
            read = read_content(path.name, block)
            part = replace(read.part, line=_after(line, read.part.line))
            yield Table(plain_types(read.frame), (part,), read.notes, read.sha256.hex())


def _after(lines: int, line: Callable[[int], int]) -> Callable[[int], int]:
    """The line of a row of what comes after so many lines."""
    return lambda row: lines + line(row)


def _has_column(first: bytes, name: str, column: str) -> bool:
    """Whether a text file begins with a header that has this column."""
    try:
        return column in read_delimited(first[: first.rfind(b"\n") + 1] or first, name).frame.columns
    except DataError:
        return False


def _of_text(path: Path, size: int) -> Iterator[Table]:
    """Delimited text: each portion below the header of the first."""
    head, above, style = b"", 0, ""
    for line, block in _cut(path, size, quoted=True):
        if not block.strip():
            continue
        before = line - above
        try:
            read = read_delimited(head + block, path.name)
        except DataError as error:
            raise _moved(error, before) from error
        style = _same_style(style, read, path.name, before)
        if not head:
            head, above = _head(read, block)
        part = Part(path.name, len(read.frame), _after(before, read.line))
        sha256 = hashlib.sha256(block).hexdigest()
        yield Table(plain_types(read.frame), (part,), read.notes, sha256)


def _head(read: Delimited, block: bytes) -> tuple[bytes, int]:
    """What stands above the rows of a file, and how many lines that is; names where nothing does."""
    above = read.first - 1
    if above:
        return b"\n".join(block.split(b"\n", above)[:above]) + b"\n", above
    return read.separator.join(read.frame.columns).encode() + b"\n", 1


def _moved(error: DataError, lines: int) -> DataError:
    """The same error at the line of the file, of one at a line of a portion."""
    if error.row is None:
        return error
    message = str(error).split(": ", 1)[1]
    return DataError(message, file=error.file, row=error.row + lines, column=error.column)


def _same_style(style: str, read: Delimited, name: str, before: int) -> str:
    """How numbers are written, where a portion tells. Raises DataError where two tell different things."""
    told = next((note for note in read.notes if note.startswith("numbers: ")), "")
    told = told.removeprefix("numbers: ").split(" (")[0]
    if told and style and told != style:
        raise DataError(
            f"expected numbers written in one way, got {style} and, from line {before + read.line(0)} on, "
            f"{told}. Write them in one way.",
            file=name,
        )
    return told or style


def _cut(path: Path, size: int, quoted: bool) -> Iterator[tuple[int, bytes]]:
    """Whole lines of a file, about `size` bytes at a time, and the number of lines before them.

    quoted: whether an end of a line inside quotes is part of a cell.
    """
    held, line = b"", 0
    for block in content_blocks(path, size):
        held += block
        at = _last_end(held, quoted)
        if at:
            yield line, held[:at]
            line += held.count(b"\n", 0, at)
            held = held[at:]
    if held:
        yield line, held


def _last_end(text: bytes, quoted: bool) -> int:
    """Where the last line that surely ends in this text does; 0 if none."""
    at = text.rfind(b"\n") + 1
    odd = quoted and text.count(b'"', 0, at) % 2
    while at and odd:
        before = text.rfind(b"\n", 0, at - 1) + 1
        odd = (odd + text.count(b'"', before, at)) % 2
        at = before
    return at
