"""Files and frames as one table that remembers where each row came from."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from recurra.data import numbers
from recurra.data.delimited import read_delimited
from recurra.data.frequency import Array
from recurra.data.times import Problem
from recurra.errors import DataError

TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".dat", ".data", "")
JSON_ENDINGS = (".ndjson", ".jsonl", ".json")
PARQUET_ENDINGS = (".parquet", ".pq")


@dataclass(frozen=True, slots=True)
class Part:
    """Rows from one file or frame.  line: the number by which an editor, or Python, knows a row of the part."""

    name: str
    rows: int
    line: Callable[[int], int]


@dataclass(frozen=True, slots=True)
class Table:
    """All rows in the order they were read.

    frame: columns of text (from delimited files) or typed ones.  notes: what had to be assumed, one line each.
    sha256: of the content.
    """

    frame: pl.DataFrame
    parts: tuple[Part, ...]
    notes: tuple[str, ...]
    sha256: str

    @property
    def name(self) -> str:
        """The file's name, or the first of several."""
        return self.parts[0].name

    def where(self, row: int) -> tuple[str, int]:
        """Name and line of a row."""
        for part in self.parts:
            if row < part.rows:
                return part.name, part.line(row)
            row -= part.rows
        raise IndexError(row)

    def error(self, message: str, row: int | None = None, column: str | None = None) -> DataError:
        """A DataError at a row and column of this table."""
        file, line = (self.name, None) if row is None else self.where(row)
        return DataError(message, file=file, row=line, column=column)

    def problem(self, column: str) -> Problem:
        """Makes errors about rows of one column."""
        return lambda message, row: self.error(message, row, column)

    def numbers(self, column: str) -> Array:
        """A column as (R,) float64, NaN where there is no value. Raises DataError at text, inf and the like."""
        value, bad = numbers.parse(self.frame[column])
        if len(bad):
            row = int(bad[0])
            raise self.error(
                f"expected a finite number, got {str(self.frame[column][row])!r}. "
                "Correct the cell, or leave it empty if the value is missing.",
                row,
                column,
            )
        return value


def read_table(source: Any) -> Table:
    """Read a path, several paths or a frame (pandas, polars, pyarrow). Raises DataError."""
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
        raw = _content(path)
        digest.update(raw)
        frame, part, said = _read_file(path, raw)
        if len(frame) == 0 or frame.width == 0:
            raise DataError("expected rows, got none. Check that the file is whole.", file=path.name)
        frames.append(frame)
        parts.append(part)
        notes.extend(note for note in said if note not in notes)
    return Table(_join(frames, parts), tuple(parts), tuple(notes), digest.hexdigest())


def _content(path: Path) -> bytes:
    if not path.exists():
        raise DataError(f"expected a file, got nothing at {str(path)!r}. Check the path.")
    if path.is_dir():
        raise DataError(f"expected a file, got the folder {str(path)!r}. Name the files in it.")
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError) as error:
        raise DataError(f"expected a file that can be read, got {error}.", file=path.name) from error


def _read_file(path: Path, raw: bytes) -> tuple[pl.DataFrame, Part, tuple[str, ...]]:
    name = path.name
    ending = Path(name.lower().removesuffix(".gz")).suffix
    if not raw:
        raise DataError("expected a header and rows, got an empty file. Check the path.", file=name)
    if ending in PARQUET_ENDINGS or raw[:4] == b"PAR1":
        try:
            frame = pl.read_parquet(io.BytesIO(raw))
        except pl.exceptions.PolarsError as error:
            raise DataError(f"expected a Parquet file, got {error}. Write it anew.", file=name) from error
        return frame, Part(name, len(frame), lambda row: row + 1), ()
    if ending in JSON_ENDINGS:
        return _read_json(raw, name)
    if ending not in TEXT_ENDINGS:
        raise DataError(
            f"expected a .csv, .parquet or .ndjson file, got {ending!r}. Save the data in one of these forms.",
            file=name,
        )
    text = read_delimited(raw, name)
    return text.frame, Part(name, len(text.frame), text.line), text.notes


def _read_json(raw: bytes, name: str) -> tuple[pl.DataFrame, Part, tuple[str, ...]]:
    lines: list[int] = []
    try:
        if raw.lstrip()[:1] == b"[":
            frame = pl.DataFrame(json.loads(raw), infer_schema_length=None, strict=False)
            return frame, Part(name, len(frame), lambda row: row + 1), ()
        filled = [at for at, line in enumerate(raw.split(b"\n"), 1) if line.strip()]
        lines.extend(filled)
        frame = pl.read_ndjson(io.BytesIO(raw), infer_schema_length=None)
        return frame, Part(name, len(frame), lines.__getitem__), ()
    except (pl.exceptions.PolarsError, ValueError, TypeError) as error:
        for at, line in enumerate(raw.split(b"\n"), 1):
            try:
                good = not line.strip() or isinstance(json.loads(line), dict)
            except ValueError:
                good = False
            if not good:
                raise DataError(
                    f"expected one JSON object, got {line[:60].decode(errors='replace')!r}. Correct the line.",
                    file=name,
                    row=at,
                ) from error
        raise DataError(f"expected JSON objects, one a line, got {error}.", file=name) from error


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
        raise DataError(f"expected files with columns of the same types, got {error}.") from error


def _read_frame(source: Any) -> Table:
    if hasattr(source, "to_frame") and not hasattr(source, "columns"):
        source = source.to_frame()  # a pandas or polars Series
    if type(source).__module__.startswith("pandas"):
        source = _with_index(source)
    try:
        native = nw.from_native(source)
        frame = (native.collect() if isinstance(native, nw.LazyFrame) else native).to_polars()
    except (TypeError, ValueError, nw.exceptions.NarwhalsError) as error:
        raise DataError(
            f"expected a path, paths or a frame (pandas, polars, pyarrow), got {type(source).__name__}: {error}. "
            "Give one of these."
        ) from error
    if len(frame) == 0 or frame.width == 0:
        raise DataError(f"expected rows, got none ({frame.width} columns).", file="frame")
    part = Part("frame", len(frame), lambda row: row)
    return Table(frame, (part,), (), _digest(frame))


def _with_index(frame: Any) -> Any:
    """A pandas frame whose index, where it says more than the row number, is a column."""
    frame = frame.rename(columns=str)
    if type(frame.index).__name__ == "RangeIndex" and frame.index.name is None:
        return frame
    if type(frame.index).__name__ == "PeriodIndex":
        frame = frame.set_axis(frame.index.to_timestamp(), axis=0).rename_axis(frame.index.name)
    if frame.index.name is None and frame.index.nlevels == 1 and "index" not in frame.columns:
        frame = frame.rename_axis("index")
    return frame.reset_index()


def _digest(frame: pl.DataFrame) -> str:
    """sha256 of names, types and values."""
    digest = hashlib.sha256()
    for column in frame.get_columns():
        digest.update(f"{column.name}\0{column.dtype}\0".encode())
        digest.update(np.packbits(column.is_null().to_numpy()).tobytes())
        physical = column.to_physical()
        if physical.dtype.is_numeric():
            digest.update(np.ascontiguousarray(physical.fill_null(0).to_numpy()).tobytes())
        else:
            digest.update("\0".join(map(str, column.to_list())).encode())
    return digest.hexdigest()
