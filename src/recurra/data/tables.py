"""Files and frames as one table that remembers where each row came from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from recurra.data import values
from recurra.data.files import Part, read_file
from recurra.data.frequency import Array
from recurra.data.stamps import Problem
from recurra.errors import DataError, row_word

# What frames other than files are called in messages; their rows are counted from 0, as Python does.
FRAME = "frame"
# So many names are all told; of more, the first ones.
ALL_NAMED = 6


@dataclass(frozen=True, slots=True)
class Table:
    """All rows in the order they were read.

    frame: columns of text (from delimited files) or typed ones.
    notes: what had to be assumed, one line each.  sha256: of the content.
    rows: (R,) int64, number of each row among all that were read; None for all.
    cells: for a turned table, names of the columns that were turned and (R,) int64, which one a row was.
    before: rows that count of the same source that were read earlier, where it is read in portions.
    """

    frame: pl.DataFrame
    parts: tuple[Part, ...]
    notes: tuple[str, ...]
    sha256: str
    rows: Array | None = None
    cells: tuple[tuple[str, ...], Array] | None = None
    before: int = 0

    @property
    def name(self) -> str:
        """The file's name, or the first of several."""
        return self.parts[0].name

    def where(self, row: int) -> tuple[str, int]:
        """Name and line of a row."""
        at = row if self.rows is None else int(self.rows[row])
        for part in self.parts:
            if at < part.rows:
                return part.name, part.line(at)
            at -= part.rows
        raise IndexError(row)

    def spot(self, row: int, beside: int) -> str:
        """The line of a row in words, with its file where that is not the other row's."""
        (file, line), (other, _) = self.where(row), self.where(beside)
        return f"{row_word(file)} {line}" if file == other else f"{row_word(file)} {line} of {file}"

    def error(self, message: str, row: int | None = None, column: str | None = None) -> DataError:
        """A DataError at a row and column of this table."""
        file, line = (self.name, None) if row is None else self.where(row)
        if self.cells is not None and row is not None:
            column = self.cells[0][int(self.cells[1][row])]
        return DataError(message, file=file, row=line, column=column)

    def problem(self, column: str) -> Problem:
        """Makes errors about rows of one column."""
        return lambda message, row: self.error(message, row, column)

    def numbers(self, column: str) -> Array:
        """A column as (R,) float64, NaN where there is no value. Raises DataError at text and infinity."""
        value, bad = values.parse(self.frame[column])
        if len(bad):
            row = int(bad[0])
            raise self.error(
                f"expected a finite number, got {str(self.frame[column][row])!r}. "
                "Correct the cell, or leave it empty if the value is missing.",
                row,
                column,
            )
        return value

    def without_blank_rows(self) -> Table:
        """The same table less rows in which no cell has a value."""
        if any(column.null_count() == 0 for column in self.frame.get_columns()):
            return self
        keep = self.frame.select(pl.any_horizontal(pl.all().is_not_null())).to_series()
        if keep.all():
            return self
        rows = np.arange(len(keep)) if self.rows is None else self.rows
        return replace(self, frame=self.frame.filter(keep), rows=rows[keep.to_numpy()])


def read_table(source: Any) -> Table:
    """Read a path, several paths or a frame (pandas, polars, pyarrow). Raises DataError.

    A table that was read already is given back.
    """
    if isinstance(source, Table):
        return source
    if isinstance(source, str | Path):
        return _read_files([Path(source)])
    if isinstance(source, Sequence) and all(isinstance(item, str | Path) for item in source):
        if not source:
            raise DataError("expected at least one file, got none. Name a file.")
        return _read_files([Path(item) for item in source])
    return _read_frame(source)


def _read_files(paths: list[Path]) -> Table:
    frames: list[pl.DataFrame] = []
    parts: list[Part] = []
    notes: list[str] = []
    digest = hashlib.sha256()
    for path in paths:
        read = read_file(path)
        digest.update(read.sha256 if len(paths) > 1 else b"")
        if len(read.frame) == 0 or read.frame.width == 0:
            raise DataError("expected rows, got none. Give a file with rows.", file=path.name)
        frames.append(read.frame)
        parts.append(read.part)
        notes.extend(note for note in read.notes if note not in notes)
    sha256 = digest.hexdigest() if len(paths) > 1 else read.sha256.hex()
    return Table(plain_types(_join(frames, parts)), tuple(parts), tuple(notes), sha256)


def _join(frames: list[pl.DataFrame], parts: list[Part]) -> pl.DataFrame:
    if len(frames) == 1:
        return frames[0]
    columns = set(frames[0].columns)
    for frame, part in zip(frames[1:], parts[1:], strict=True):
        if set(frame.columns) != columns:
            odd = sorted(columns ^ set(frame.columns))
            raise DataError(
                f"expected the same columns as in {parts[0].name}, got a difference in {', '.join(odd[:5])}. "
                "Give files of the same columns.",
                file=part.name,
            )
    try:
        return pl.concat([frame.select(frames[0].columns) for frame in frames], how="vertical_relaxed")
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"expected files whose columns have the same types, got {error}. Save them in one form."
        ) from error


def plain_types(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with categories and objects as text."""
    plain = []
    for column in frame.get_columns():
        if column.dtype in (pl.Categorical, pl.Enum):
            plain.append(column.cast(pl.String))
        elif column.dtype == pl.Object:
            plain.append(pl.Series(column.name, column.to_list(), strict=False))
    return frame.with_columns(plain) if plain else frame


def _read_frame(source: Any) -> Table:
    if hasattr(source, "to_frame") and not hasattr(source, "columns"):
        source = source.to_frame()  # a pandas or polars Series
    if type(source).__module__.startswith("pandas"):
        source = _with_index(source)
    try:
        frame = _to_polars(source)
    except Exception as error:  # each library has errors of its own
        detail = str(error).strip().split("\n")[0]
        raise DataError(
            f"expected a path, paths or a frame (pandas, polars, pyarrow), got {type(source).__name__} "
            f"({detail}). Give one of these."
        ) from error
    if len(frame) == 0 or frame.width == 0:
        raise DataError(
            f"expected rows, got none ({frame.width} columns). Give a frame with rows.", file=FRAME
        )
    frame = plain_types(frame)
    return Table(frame, (Part(FRAME, len(frame), lambda row: row),), (), _digest(frame))


def _to_polars(source: Any) -> pl.DataFrame:
    native = nw.from_native(source)
    eager = native.collect() if isinstance(native, nw.LazyFrame) else native
    try:
        return eager.to_polars()
    except Exception:
        if not type(source).__module__.startswith("pandas"):
            raise
        # A column of objects of several types: as text, so that the odd cell can be named.
        mixed = source.select_dtypes("object").columns
        text = source[mixed].map(str).where(source[mixed].notna(), None)
        frame: pl.DataFrame = nw.from_native(source.assign(**text), eager_only=True).to_polars()
        return frame


def _with_index(frame: Any) -> Any:
    """A pandas frame whose index, where it says more than the row number, is a column."""
    frame = frame.rename(columns=str)
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise DataError(
            "expected different names for the columns, got this one twice. Rename one of them.",
            file=FRAME,
            column=str(twice[0]),
        )
    if type(frame.index).__name__ == "RangeIndex" and frame.index.name is None:
        return frame
    if type(frame.index).__name__ == "PeriodIndex":
        frame = frame.set_axis(frame.index.to_timestamp(), axis=0)
    if frame.index.name is None and frame.index.nlevels == 1 and "index" not in frame.columns:
        frame = frame.rename_axis("index")
    return frame.reset_index()


def _digest(frame: pl.DataFrame) -> str:
    """sha256 of names, types and values."""
    digest = hashlib.sha256()
    for column in frame.get_columns():
        digest.update(f"{column.name}\0{column.dtype}\0".encode())
        digest.update(np.packbits(column.is_null().to_numpy()).tobytes())
        physical = column.cast(pl.String) if column.dtype.is_decimal() else column.to_physical()
        if physical.dtype.is_numeric():
            digest.update(np.ascontiguousarray(physical.fill_null(0).to_numpy()).tobytes())
        elif physical.dtype == pl.String:
            digest.update(str(physical.str.join("\0").item()).encode())
        else:
            digest.update("\0".join(map(str, physical.to_list())).encode())
    return digest.hexdigest()


def need_column(table: Table, column: str) -> None:
    """Raises DataError where the table lacks the column."""
    if column not in table.frame.columns:
        raise DataError(
            f"expected the column {column!r}, got {listed(table.frame.columns)}. "
            "Name one of these, or add it.",
            file=table.name,
        )


def listed(names: list[str] | tuple[str, ...]) -> str:
    """As in "a, b, c and 5 more"."""
    if len(names) <= ALL_NAMED:
        return ", ".join(names)
    return f"{', '.join(names[: ALL_NAMED - 1])} and {len(names) - ALL_NAMED + 1} more"
