"""Tables as text, every cell as it stands: what looks like a number is said, too."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from recurra.data.delimited import decode, sniff
from recurra.data.files import JSON_ENDINGS, PARQUET, PARQUET_ENDINGS, content
from recurra.data.tables import read_table
from recurra.errors import DataError, row_word

if TYPE_CHECKING:
    from recurra.data.media.medium import Medium

# Separators between which quotes are signs like any other, unless they are around a whole cell.
BARE = ("\t", "|")


@dataclass(frozen=True, slots=True)
class Cells:
    """A table of text. names: None where there is no header.  lines: of each row, or what `word` calls it."""

    name: str
    names: list[str] | None
    rows: list[list[str]]
    lines: list[int]
    notes: list[str]
    word: str = ""

    def place(self, line: int) -> str:
        """Where something is named, as in "all.csv, line 3"."""
        return f"{self.name}, {self.word or row_word(self.name)} {line}"


def read_cells(source: Any, medium: Medium) -> Cells:
    """A table as text; its first row is taken for a header where it can only be one."""
    if isinstance(source, str | Path):
        path = Path(source)
        raw = content(path)
        ending = Path(path.name.lower().removesuffix(".gz")).suffix
        if not raw.startswith(PARQUET) and ending not in (*PARQUET_ENDINGS, *JSON_ENDINGS):
            return _delimited(raw, path.name, medium)
    table = read_table(source)
    columns = [
        column.cast(pl.String).fill_null("")
        for own in table.frame.get_columns()
        for column in _plain(own, medium)
    ]
    rows = [list(row) for row in zip(*columns, strict=True)]
    lines = [table.where(row)[1] for row in range(len(rows))]
    return Cells(table.name, [column.name for column in columns], rows, lines, [])


def _plain(column: pl.Series, medium: Medium) -> list[pl.Series]:
    """A column; a list of texts as a column for each; other lists and the like as if they were empty."""
    if medium.several and column.dtype == pl.List(pl.String):
        most = max((len(texts) for texts in column.to_list() if texts), default=1)
        return [column.list.get(n, null_on_oob=True).alias(f"{column.name}_{n + 1}") for n in range(most)]
    # Nobody can mean them.
    return [pl.Series(column.name, [""] * len(column)) if column.dtype.is_nested() else column]


def _delimited(raw: bytes, name: str, medium: Medium) -> Cells:
    """Text with separators, as it stands: what looks like a number is said, too."""
    text, notes = decode(raw, name)
    if not text.strip():
        raise DataError(f"expected {medium.many}, a line each, got an empty file. Check the path.", file=name)
    separator, _, width = sniff(text)
    records = _bare(text, separator) if separator in BARE else _quoted(text, separator, name)
    rows, lines = [], []
    for line, cells in records:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > width:
            raise DataError(
                f"expected {width} columns as in the other lines, got {len(cells)}. Put texts that contain "
                f"{separator!r} in quotes.",
                file=name,
                row=line,
            )
        rows.append([*cells, *[""] * (width - len(cells))])
        lines.append(line)
    return Cells(name, None, rows, lines, notes)


def _bare(text: bytes, separator: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text.decode().split("\n"), 1):
        yield number, [_unquoted(cell.strip()) for cell in line.split(separator)]


def _unquoted(cell: str) -> str:
    """A cell without the quotes around all of it."""
    inner = cell[1:-1].replace('""', "")
    whole = len(cell) > 1 and cell[0] == cell[-1] == '"' and '"' not in inner
    return cell[1:-1].replace('""', '"') if whole else cell


def _quoted(text: bytes, separator: str, name: str) -> Iterator[tuple[int, list[str]]]:
    lines = io.StringIO(text.decode(), newline="")
    reader = csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=True)
    before = 1
    try:
        for cells in reader:
            yield before, cells
            before = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            "expected quotes around whole values and in pairs, got others. Correct the quotes in this line.",
            file=name,
            row=before,
        ) from error
