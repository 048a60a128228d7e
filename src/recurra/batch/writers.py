"""Frames one after the other into one file, or to stdout, none of which is held for the next."""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from recurra import sealed
from recurra.errors import ConfigError

Write = Callable[[pl.DataFrame], None]


@contextmanager
def writer(out: str | None) -> Iterator[Write]:
    """Takes frames of the same columns; a file bears its name when all are in it. Raises ConfigError."""
    if out is None:
        yield _to_csv(sys.stdout.buffer, flush=True)
        return
    target = Path(out)
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        with _opened(temporary, target.suffix) as write:
            yield write
        _kept(temporary, target)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise ConfigError(f"expected to write {out}, got {error.strerror}. Name another file.") from error
    finally:
        temporary.unlink(missing_ok=True)


def _kept(temporary: Path, target: Path) -> None:
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(temporary, target)
    sealed.sync(target.parent)


@contextmanager
def _opened(path: Path, ending: str) -> Iterator[Write]:
    if ending == ".parquet":
        with _to_parquet(path) as write:
            yield write
        return
    with path.open("wb") as file:
        if ending == ".json":
            with _to_json(file) as write:
                yield write
        else:
            yield _to_csv(file) if ending == ".csv" else lambda frame: frame.write_ndjson(file)


def _to_csv(file: BinaryIO, flush: bool = False) -> Write:
    first = True

    def write(frame: pl.DataFrame) -> None:
        nonlocal first
        content = io.BytesIO()
        frame.write_csv(content, include_header=first)
        file.write(content.getvalue())
        if flush:
            file.flush()
        first = False

    return write


@contextmanager
def _to_json(file: BinaryIO) -> Iterator[Write]:
    """One array of objects."""
    begun = False

    def write(frame: pl.DataFrame) -> None:
        nonlocal begun
        content = io.BytesIO()
        frame.write_json(content)
        inner = content.getvalue()[1:-1]
        if inner:
            file.write(b"," * begun + inner)
            begun = True

    file.write(b"[")
    yield write
    file.write(b"]")


@contextmanager
def _to_parquet(path: Path) -> Iterator[Write]:
    """Parts of its own first, which are then read and written as one without being held."""
    parts = Path(tempfile.mkdtemp(prefix=f"{path.name}.", dir=path.parent))
    found: list[Any] = []

    def write(frame: pl.DataFrame) -> None:
        found.append(parts / f"{len(found):06}.parquet")
        frame.write_parquet(found[-1])

    try:
        yield write
        if len(found) == 1:
            os.replace(found[0], path)
        else:
            pl.scan_parquet(found).sink_parquet(path)
    finally:
        shutil.rmtree(parts, ignore_errors=True)
