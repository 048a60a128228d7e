"""From files to answers, part by part, in order."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import polars as pl

from recurra.batch.writers import writer
from recurra.data.portions import SIZE, portions
from recurra.data.tables import Table
from recurra.errors import DataError
from recurra.tasks.base import Apart, Parted

if TYPE_CHECKING:
    from recurra.bundle import Bundle

# Files of whole sequences are read as one up to this many bytes: a sequence may then go on in the next file.
TOGETHER = 32_000_000
PACKED = 10  # how much larger than the file its content may be
LINE_EVERY = 5.0  # seconds between words on progress


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers for a part of a source. done: files that are behind it, of so many."""

    frame: pl.DataFrame
    done: int
    files: int


def answers(bundle: Bundle, source: Any, *, size: int = SIZE, together: int = TOGETHER) -> Iterator[Answers]:
    """What `bundle.predict` says of a source, in order, of one part after the other.

    size, together: bytes of a part, and of files that are taken as one though each could stand alone.
    Raises DataError, also where a sequence is in two files that are too large to be read together.
    """
    paths = _files(source)
    apart = _apart(bundle)
    size = min(size, apart.most or size)
    total = sum(_size(path) for path in paths)
    if not paths or apart.by == "nothing" or total <= (size if apart.by == "rows" else together):
        yield Answers(bundle.predict(source), max(1, len(paths)), max(1, len(paths)))
    elif apart.by == "rows":
        yield from _by_rows(bundle, paths, apart, size)
    else:
        yield from _by_files(bundle, paths, apart.names)


def predict(
    bundle: Bundle, source: Any, out: str | None, *, size: int = SIZE, together: int = TOGETHER
) -> int:
    """Write the answers for a source to a file by its ending, or as CSV to stdout; returns how many.

    A file is there once it is whole. Tells on stderr how far it is.
    """
    progress, rows = _Progress(sys.stderr), 0
    with writer(out) as write:
        for part in answers(bundle, source, size=size, together=together):
            write(part.frame)
            rows += len(part.frame)
            progress.tell(part, rows)
    progress.end(rows)
    return rows


def _apart(bundle: Bundle) -> Apart:
    if not isinstance(bundle.task, Parted):
        return Apart("nothing")
    return bundle.task.apart(bundle.config, bundle.schema)


def _files(source: Any) -> list[Path]:
    """The files that a source names; none where it is a frame, a folder or not there, which tasks judge."""
    named: Sequence[Any] = [source] if isinstance(source, str | Path) else source
    if not isinstance(named, list | tuple) or not all(isinstance(one, str | Path) for one in named):
        return []
    paths = [Path(one) for one in named]
    return paths if all(path.is_file() for path in paths) else []


def _size(path: Path) -> int:
    return path.stat().st_size * (PACKED if path.suffix in (".gz", ".parquet", ".pq") else 1)


def _by_rows(bundle: Bundle, paths: list[Path], apart: Apart, size: int) -> Iterator[Answers]:
    rows = 0
    for done, path in enumerate(paths):
        for part in portions(path, apart.texts, size, lines=apart.lines):
            frame = bundle.predict(replace(part, before=rows) if isinstance(part, Table) else part)
            rows += len(frame)
            yield Answers(frame, done, len(paths))


def _by_files(bundle: Bundle, paths: list[Path], names: str | None) -> Iterator[Answers]:
    known: dict[str, str] = {}
    for done, path in enumerate(paths, 1):
        frame = bundle.predict(path)
        here = frame[names].unique(maintain_order=True).to_list() if names is not None else []
        twice = next((one for one in here if one in known), None)
        if twice is not None:
            raise DataError(
                f"expected whole sequences in each file, as they are too large to be read together, got "
                f"{twice!r} in {known[twice]} too. Put all of it in one file.",
                file=path.name,
            )
        known |= dict.fromkeys(here, path.name)
        yield Answers(frame, done, len(paths))


class _Progress:
    """Words on a stream once there is more than one part: on a terminal in one line, else now and then."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.parts, self.next = stream, 0, time.monotonic() + LINE_EVERY

    def tell(self, part: Answers, rows: int) -> None:
        self.parts += 1
        if self.stream.isatty():
            if self.parts > 1:
                self.stream.write(f"\r{_told(rows)}, {part.done} of {part.files} files done\033[K")
                self.stream.flush()
        elif time.monotonic() >= self.next:
            self.next = time.monotonic() + LINE_EVERY
            print(f"{_told(rows)}, {part.done} of {part.files} files done", file=self.stream, flush=True)

    def end(self, rows: int) -> None:
        if self.parts > 1:
            begin = "\r\033[K" if self.stream.isatty() else ""
            print(f"{begin}{_told(rows)}", file=self.stream, flush=True)


def _told(rows: int) -> str:
    return f"{rows:,} answers"
