"""One file, whatever its kind: delimited text, Parquet, JSON."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from recurra.data.delimited import read_delimited
from recurra.errors import DataError

TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".dat", ".data", "")
JSON_ENDINGS = (".ndjson", ".jsonl", ".json")
PARQUET_ENDINGS = (".parquet", ".pq")
GZIP, PARQUET = b"\x1f\x8b", b"PAR1"


@dataclass(frozen=True, slots=True)
class Part:
    """Rows from one file or frame.  line: the number by which an editor, or Python, knows a row."""

    name: str
    rows: int
    line: Callable[[int], int]


@dataclass(frozen=True, slots=True)
class File:
    """What one file holds.  notes: what had to be assumed.  sha256: of its content, unpacked."""

    frame: pl.DataFrame
    part: Part
    notes: tuple[str, ...]
    sha256: bytes


def named_paths(source: Any) -> list[Path] | None:
    """The paths that a source names, none where it names nothing, None for a frame."""
    if source is None:
        return []
    if isinstance(source, str | Path):
        return [Path(source)]
    if isinstance(source, Sequence) and all(isinstance(one, str | Path) for one in source):
        return [Path(one) for one in source]
    return None


def read_file(path: Path) -> File:
    """Read one file. Raises DataError where it is absent, damaged or of another kind."""
    return read_content(path.name, content(path))


def read_content(name: str, raw: bytes) -> File:
    """Read what a file of this name holds, or whole lines of it. Raises DataError."""
    ending = Path(name.lower().removesuffix(".gz")).suffix
    if not raw:
        raise DataError("expected a header and rows, got an empty file. Check the path.", file=name)
    notes: tuple[str, ...] = ()
    line: Callable[[int], int] = _count
    if raw.startswith(PARQUET) or ending in PARQUET_ENDINGS:
        frame = _read_parquet(raw, name)
    elif ending in JSON_ENDINGS:
        frame, line = _read_json(raw, name)
    elif ending in TEXT_ENDINGS:
        text = read_delimited(raw, name)
        frame, line, notes = text.frame, text.line, text.notes
    else:
        raise DataError(
            f"expected a .csv, .parquet or .ndjson file, got {ending!r}. Save the data as one of these.",
            file=name,
        )
    return File(frame, Part(name, len(frame), line), notes, hashlib.sha256(raw).digest())


def _count(row: int) -> int:
    return row + 1


def content(path: Path) -> bytes:
    """What a file holds, unpacked. Raises DataError where it is absent or damaged."""
    if not path.exists():
        raise DataError(f"expected a file, got nothing at {str(path)!r}. Check the path.")
    if path.is_dir():
        raise DataError(f"expected a file, got the folder {str(path)!r}. Name the files in it.")
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if raw.startswith(GZIP) else raw
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"expected a whole file, got {error}. Copy it again.", file=path.name) from error


def _read_parquet(raw: bytes, name: str) -> pl.DataFrame:
    try:
        return pl.read_parquet(io.BytesIO(raw))
    except pl.exceptions.PolarsError as error:
        raise DataError(f"expected a Parquet file, got {error}. Write it anew.", file=name) from error


def _read_json(raw: bytes, name: str) -> tuple[pl.DataFrame, Callable[[int], int]]:
    """JSON objects, one a line, or one array of them."""
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        if raw.lstrip()[:1] == b"[":
            return pl.DataFrame(json.loads(raw), infer_schema_length=None, strict=False), _count
        lines = [at for at, line in enumerate(raw.split(b"\n"), 1) if line.strip()]
        return pl.read_ndjson(io.BytesIO(raw), infer_schema_length=None), lines.__getitem__
    except (pl.exceptions.PolarsError, ValueError, TypeError) as error:
        for at, line in enumerate(raw.split(b"\n"), 1):
            if not _is_object(line):
                got = line[:60].decode(errors="replace")
                raise DataError(
                    f"expected one JSON object, got {got!r}. Correct the line.", file=name, row=at
                ) from error
        raise DataError(
            f"expected JSON objects of the same fields, one a line, got {error}. Write them anew.", file=name
        ) from error


def _is_object(line: bytes) -> bool:
    try:
        return not line.strip() or isinstance(json.loads(line), dict)
    except ValueError:
        return False
