"""What the command line prints and writes: tables of scores, frames, and text as it is written."""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra import sealed
from recurra.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

    from recurra.bundle import Bundle

ENDINGS = (".csv", ".parquet", ".ndjson", ".json")
# Characters of a line of text that a line of the screen has room for.
SHOWN = 80


def fitted(bundle: Bundle) -> None:
    """What a new bundle's model reaches, and where it is."""
    record(bundle.record)
    print(f"bundle {bundle.path}, report {bundle.path / 'report.html'}")


def record(of: Mapping[str, Any]) -> None:
    """The scores that a bundle keeps."""
    scores([(score["method"], score["metrics"]) for score in of["scores"]])
    print(*of["words"], sep="\n")
    print(of["signature"])


def scores(of: Iterable[tuple[str, Mapping[str, float | None]]]) -> None:
    """One line a method, one column a metric."""
    from recurra.report.numbers import number  # noqa: PLC0415

    rows = list(of)
    names = list(dict.fromkeys(name for _, metrics in rows for name in metrics))
    cells = [["", *names]]
    for method, metrics in rows:
        values = [metrics.get(name) for name in names]
        cells.append([method, *(number(math.nan if value is None else value) for value in values)])
    columns(cells)


def columns(cells: list[list[str]]) -> None:
    """Cells below one another, the first of each row to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for first, *rest in cells:
        print(first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(rest, widths[1:], strict=True)), sep="  ")


def most_surprising(frame: pl.DataFrame, by: str, most: int) -> None:
    """The oddest lines, or the most surprising tokens, each with its place."""
    rows = frame.sort("oddity" if by == "line" else "bits", descending=True, maintain_order=True).head(most)
    if not len(rows):
        return
    unit = "bits per character" if by == "line" else "bits"
    found = rows["bits_per_character" if by == "line" else "bits"]
    places = [f"{file}:{line}" for file, line in rows.select("file", "line").iter_rows()]
    wide = max(map(len, places))
    print(f"the most surprising {by}s, with {unit}:")
    for place, bits, text in zip(places, found, rows["text" if by == "line" else "token"], strict=True):
        shown = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
        print(place.ljust(wide), f"{bits:.2f}".rjust(6), shown.translate(CONTROL), sep="  ")


# Characters that would move what stands after them, as their names.
CONTROL = {code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160))}


def text(pieces: Iterator[str]) -> None:
    """Pieces of text as they come, and the end of the line after them, also when Ctrl-C stops them."""
    out = sys.stdout.buffer
    last = ""
    try:
        for piece in pieces:
            out.write(piece.encode("utf-8", "replace"))
            out.flush()
            last = piece or last
    finally:
        if not last.endswith("\n"):
            out.write(b"\n")
            out.flush()


def checked(out: str | None) -> None:
    """Raises ConfigError where a frame cannot be written to a file of this name."""
    if out is not None and Path(out).suffix not in ENDINGS:
        raise ConfigError(
            f"expected a file ending in .csv, .parquet, .ndjson or .json, got {out}. Give it such an ending."
        )


def frame(of: pl.DataFrame, out: str | None) -> None:
    """Write a frame to a file, by its ending; without one, as CSV to stdout. Raises ConfigError."""
    content = _table(of, Path(out).suffix if out is not None else ".csv")
    if out is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        sealed.write(Path(out), content)
    except OSError as error:
        raise ConfigError(f"expected to write {out}, got {error.strerror}. Name another file.") from error


def _table(of: pl.DataFrame, kind: str) -> bytes:
    """A frame as the bytes of a file."""
    content = io.BytesIO()
    if kind == ".parquet":
        of.write_parquet(content)
    elif kind == ".ndjson":
        of.write_ndjson(content)
    elif kind == ".json":
        of.write_json(content)
    else:
        of.write_csv(content)
    return content.getvalue()
