"""The surprise of texts as tables, beside the texts themselves: a row a line, and a row a token."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from recurra.data.corpus import TextFile
from recurra.data.documents import ended, without_white_lines
from recurra.data.tokenfile import Part
from recurra.data.tokens import BORDER, Tokens
from recurra.errors import DataError
from recurra.tasks.language.schema import Schema

Array = np.ndarray[Any, np.dtype[Any]]

# Tokens whose lines are looked up at once.
STRIDE = 1 << 20
# Characters of a line that its row shows.
SHOWN = 1_000
# A line counts as so many characters longer than it is, as surprising as the text is on average: the fewer
# characters it has, the less they tell whether it is odd.
AVERAGE = 20
# Bytes that go on with a character in UTF-8.
CONTINUING = bytes(range(0x80, 0xC0))


def frames(
    part: Part, nats: Array, schema: Schema, *, by_token: bool
) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """A row for each line of a part that is all of its files' text; and one for each token, if asked.

    nats: (T - 1,) of the part's tokens but the first. Raises DataError where the text has changed since.
    """
    files, lines, many, sums = _by_line(part, nats)
    whole = None if by_token else SHOWN
    texts: list[str] = []
    pieces: list[str] = []
    sizes = np.zeros(len(many), dtype=np.int64)
    rest = iter(part.tokens[np.asarray(part.tokens) != BORDER] if by_token else ())
    for row, (text, size) in zip(range(len(many)), _read(part.files, schema, whole), strict=False):
        texts.append(_shown(text, schema.tokens))
        sizes[row] = size
        if by_token:
            pieces += _pieces(schema.tokens, text, [int(next(rest)) for _ in range(many[row])])
    if len(texts) < len(many):
        raise DataError(
            f"expected the same {len(many):,} lines as before, got {len(texts):,}. Score the text again."
        )
    names = pl.Series(part.names, dtype=pl.String).gather(files)
    bits = sums / math.log(2)
    average = bits.sum() / max(1, sizes.sum())
    by_line = pl.DataFrame(
        {
            "file": names,
            "line": lines,
            "tokens": many,
            "characters": sizes,
            "bits": bits,
            "bits_per_token": bits / many,
            "bits_per_character": bits / np.maximum(1, sizes),
            "oddity": (bits + AVERAGE * average) / (sizes + AVERAGE),
            "text": pl.Series(texts, dtype=pl.String),
        }
    )
    if not by_token:
        return by_line, None
    told = nats[np.asarray(part.tokens[1:]) != BORDER]
    rows = np.repeat(np.arange(len(many)), many)
    return by_line, pl.DataFrame(
        {
            "file": names.gather(rows),
            "line": lines[rows],
            "token": pl.Series(pieces, dtype=pl.String),
            "nats": told,
            "bits": told / np.float32(math.log(2)),
        }
    )


def _by_line(part: Part, nats: Array) -> tuple[Array, Array, Array, Array]:
    """Of each line: the number of its file, its own, how many tokens it has and the sum of their nats."""
    nothing = np.zeros(0, dtype=np.int64)
    found: list[tuple[Array, ...]] = [(nothing, nothing, nothing, np.zeros(0))]
    for begin in range(1, len(part.tokens), STRIDE):
        end = min(begin + STRIDE, len(part.tokens))
        real = np.asarray(part.tokens[begin:end]) != BORDER
        files, lines = (one[real] for one in part.places(begin, end))
        found.append(_summed(files, lines, np.ones_like(lines), nats[begin - 1 : end - 1][real]))
    # A line may have begun in one stretch and ended in the next.
    return _summed(*(np.concatenate(one) for one in zip(*found, strict=True)))


def _summed(files: Array, lines: Array, many: Array, nats: Array) -> tuple[Array, Array, Array, Array]:
    """The same with one row for each run of rows of the same line."""
    new = (np.diff(files, prepend=-1) != 0) | (np.diff(lines, prepend=-1) != 0)
    first = np.flatnonzero(new)
    if not len(first):
        return files, lines, many, nats
    sums = np.add.reduceat(nats, first, dtype=np.float64)
    return files[first], lines[first], np.add.reduceat(many, first), sums


def _pieces(tokens: Tokens, text: str, numbers: list[int]) -> list[str]:
    """What each token of a line stands for, as it stands in the text."""
    found = tokens.split(text.encode("latin-1") if tokens.unit == "bytes" else text)
    return found if len(found) == len(numbers) else tokens.pieces(numbers)


def _shown(text: str, tokens: Tokens) -> str:
    """A line as it is shown, without its end."""
    text = text[:SHOWN].removesuffix("\n")
    return text.encode("latin-1").decode("utf-8", "replace") if tokens.unit == "bytes" else text


def _read(files: Sequence[TextFile], schema: Schema, most: int | None) -> Iterator[tuple[str, int]]:
    """Of each line that became tokens at most so many characters, and how many it has in all."""
    raw, documents = schema.tokens.unit == "bytes", schema.documents
    for file in files:
        blocks = file.texts(0, file.characters)
        if documents != "file" or schema.tokens.unit == "words":
            blocks = ended(blocks)
        if documents != "file":
            blocks = without_white_lines(blocks)
        yield from split_lines(blocks, most, raw)


def split_lines(blocks: Iterable[str], most: int | None, raw: bool) -> Iterator[tuple[str, int]]:
    """Of each line in blocks of text its beginning with at most so many characters, and how many it has.

    A line has its end. raw: characters are bytes, of which those count that begin a character in UTF-8.
    """
    begun, size = "", 0
    for block in blocks:
        at = 0
        while at < len(block):
            end = block.find("\n", at) + 1 or len(block)
            part = block[at:end]
            begun = begun + part if most is None else (begun + part[:most])[:most]
            size += len(part.encode("latin-1").translate(None, CONTINUING)) if raw else len(part)
            if part[-1] == "\n":
                yield begun, size
                begun, size = "", 0
            at = end
    if begun:
        yield begun, size
