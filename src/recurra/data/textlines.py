"""Text files as lines, each as it stands: a blank one stays, since the places of lines count."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from recurra.data.corpus import TextFile, read_text
from recurra.data.files import Part
from recurra.data.tables import Table
from recurra.data.textreader import LOST, TextReader
from recurra.errors import DataError

# Of the lines of a file, so many may be damaged; more of them are another encoding.
DAMAGED = 0.02
# Bytes in which a first line ends.
HEAD = 1 << 16


def checked(path: Path) -> TextFile:
    """A file of lines. Raises DataError where many are damaged, or there is none."""
    file = read_text(path)
    if file.blank or not file.characters:
        raise DataError("expected texts, a line each, got an empty file. Check the path.", file=path.name)
    if file.invalid:
        damaged = sum(LOST in line for line in lines_of(file))
        if damaged > DAMAGED * file.lines:
            raise DataError(
                f"expected UTF-8, got other bytes in {damaged:,} of {file.lines:,} lines. Save it as UTF-8.",
                file=path.name,
                row=file.line,
            )
    return file


def lines_of(file: TextFile) -> Iterator[str]:
    """One after the other, without their ends."""
    held = ""
    for text in file.texts(0, file.characters):
        *whole, held = (held + text).split("\n")
        yield from whole
    if held:
        yield held


def has_tabs(path: Path) -> bool:
    """Whether the first line of a text file has a tab in it."""
    return "\t" in next(iter(TextReader(path, most=HEAD)), "").split("\n", 1)[0]


def tables(path: Path, column: str, size: int) -> Iterator[Table]:
    """The lines as one column, about `size` characters at a time. Raises DataError as `checked` does."""
    some: list[str] = []
    characters = before = 0
    for line in lines_of(checked(path)):
        some.append(line)
        characters += len(line) + 1
        if characters >= size:
            yield _table(path.name, column, some, before)
            before += len(some)
            some, characters = [], 0
    if some:
        yield _table(path.name, column, some, before)


def _table(name: str, column: str, some: list[str], before: int) -> Table:
    frame = pl.DataFrame({column: pl.Series(some, dtype=pl.String)})
    return Table(frame, (Part(name, len(some), lambda row: before + row + 1),), (), "")
