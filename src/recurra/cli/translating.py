"""Lines of text in, their translations out: of a file many at once, of stdin each as it comes."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

import recurra
from recurra.cli.arguments import BundleFolder
from recurra.errors import ConfigError, DataError

if TYPE_CHECKING:
    from recurra.bundle import Bundle

# Lines of a file that are translated at once.
TOGETHER = 256
# What ends a line somewhere; a space in a translation, which is one line.
ENDS = str.maketrans(dict.fromkeys("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029", " "))


def translate(
    bundle: BundleFolder,
    source: Annotated[
        str,
        Parameter(
            name="FILE", help="Texts, a line each; - for stdin, a line at a time.", allow_leading_hyphen=True
        ),
    ] = "-",
    /,
    *,
    beam: Annotated[
        int | None, Parameter(help="Translations that are followed side by side.", metavar="N")
    ] = None,
    best: Annotated[
        int, Parameter(help='Translations of each text, as "number ||| text ||| score".', metavar="N")
    ] = 1,
    length_penalty: Annotated[
        float | None, Parameter(help="Above 0: longer translations.", metavar="X")
    ] = None,
    coverage_penalty: Annotated[
        float | None, Parameter(help="Above 0: translations that attend to all of the source.", metavar="X")
    ] = None,
    most: Annotated[int | None, Parameter(help="Tokens of a translation, at most.", metavar="N")] = None,
) -> None:
    """Translate texts, a line each, as they come; of those from stdin each word goes to stdout at once."""
    options: dict[str, Any] = {
        "beam": beam,
        "best": best,
        "length_penalty": length_penalty,
        "coverage_penalty": coverage_penalty,
        "most": most,
    }
    loaded = recurra.load(bundle)
    if source == "-" and best == 1:
        for line in _from_stdin():
            _word_by_word(loaded, line, options)
        return
    number = itertools.count()
    lines = ([line] for line in _from_stdin()) if source == "-" else _from_file(source)
    for some in lines:
        for found in loaded.translate(some, **options):
            at = next(number)
            texts = [one.text if best == 1 else f"{at} ||| {one.text} ||| {one.score:.4f}" for one in found]
            print(*(text.translate(ENDS) for text in texts), sep="\n", flush=True)


def _word_by_word(bundle: Bundle, line: str, options: dict[str, Any]) -> None:
    """Write a translation while it comes."""

    def told(_: int, piece: str) -> None:
        print(piece.translate(ENDS), end="", flush=True)

    bundle.translate([line], told=told, **options)
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
