"""Lines of text in, their translations out: of a file many at once, of stdin each as it comes."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.errors import ConfigError, DataError

if TYPE_CHECKING:
    from recurra.bundle import Bundle

# Lines of a file that are translated at once.
TOGETHER = 256


def run(bundle: Bundle, source: str, options: dict[str, Any]) -> None:
    """Write the translation of each line to stdout. options: of `Bundle.translate`. Raises DataError."""
    best = options["best"]
    number = itertools.count()
    if source == "-" and best == 1:
        for line in _from_stdin():
            _word_by_word(bundle, line, options)
        return
    lines = ([line] for line in _from_stdin()) if source == "-" else _from_file(source)
    for some in lines:
        for found in bundle.translate(some, **options):
            at = next(number)
            texts = [one.text if best == 1 else f"{at} ||| {one.text} ||| {one.score:.4f}" for one in found]
            print(*texts, sep="\n", flush=True)


def _word_by_word(bundle: Bundle, line: str, options: dict[str, Any]) -> None:
    """Write a translation while it comes."""
    bundle.translate([line], told=lambda _, piece: print(piece, end="", flush=True), **options)
    print(flush=True)


def _from_stdin() -> Iterator[str]:
    for number, line in enumerate(sys.stdin.buffer, 1):
        yield _decoded(line, "stdin", number)


def _from_file(name: str) -> Iterator[list[str]]:
    from recurra.data.textreader import TextReader  # noqa: PLC0415

    path = Path(name)
    if not path.is_file():
        raise ConfigError(f"expected a file of lines, got nothing at {name!r}. Check the path, or give -.")
    lines = _lines(TextReader(path))
    while some := list(itertools.islice(lines, TOGETHER)):
        yield some


def _lines(blocks: Iterable[str]) -> Iterator[str]:
    held = ""
    for block in blocks:
        *whole, held = (held + block).split("\n")
        yield from whole
    if held:
        yield held


def _decoded(line: bytes, name: str, number: int) -> str:
    try:
        return line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise DataError(
            "expected UTF-8, got other bytes. Convert the text.", file=name, row=number
        ) from error
