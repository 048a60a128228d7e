"""Text on a page, each token in a colour."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.report.numbers import number
from recurra.report.page import Page
from recurra.tasks.language.insight import Stretch, spelled

if TYPE_CHECKING:
    from recurra.tasks.language.evaluate import Detail

Array = np.ndarray[Any, np.dtype[Any]]

TOKEN = {"characters": "character", "bytes": "byte", "words": "word", "bpe": "piece"}
# Shares of the tokens that surprise less than those of each strength; what has fewer bits than this surprises
# nobody.
QUANTILES, EXPECTED = (0.5, 0.75, 0.9, 0.97), 0.5


@dataclass(frozen=True, slots=True)
class Surprised:
    """How the surprise of a judged text is shown.  levels: bits from which on tokens have each strength."""

    detail: Detail
    levels: Array

    @staticmethod
    def of(detail: Detail) -> Surprised:
        """Half of the tokens are plain, and few have the deepest colour."""
        bits = detail.methods[0].nats[detail.counted] / np.log(2)
        return Surprised(detail, np.maximum(np.quantile(bits, QUANTILES), EXPECTED))

    def legend(self) -> str:
        """What the colours mean."""
        token = TOKEN[self.detail.data.schema.tokens.unit]
        bits, chances = (_listed(map(told, self.levels)) for told in ("{:.1f}".format, _chance))
        return (
            f"The deeper the blue, the more a {token} surprised the model, given all that came before: from "
            f"{bits} bits on, where it had a chance of 1 in {chances} or less. Point at one to see its bits."
        )

    def show(self, page: Page, stretch: Stretch, title: str = "", most: int = 1 << 30) -> None:
        """Add a stretch of the text; of one longer than `most` tokens, those in a row that surprised most."""
        detail, begin = self.detail, stretch.begin
        tokens = detail.data.schema.tokens
        # The first token of all is not foretold.
        told = detail.methods[0].nats[max(0, begin - 1) : stretch.end - 1]
        nats = np.append(np.zeros(int(begin == 0)), told)
        first, many = 0, len(nats)
        if many > most:
            first = int(np.convolve(nats, np.ones(most), "valid").argmax())
            nats = nats[first : first + most]
        pieces, ends = spelled(tokens, detail.tokens[begin + first : begin + first + len(nats)])
        if not pieces:
            return
        sums = np.add.reduceat(nats, np.append(0, ends[:-1] + 1)) / np.log(2)
        strengths = np.searchsorted(self.levels, sums, side="right")
        marks, hints = coloured(pieces, strengths, [f"{bits:.1f} bits" for bits in sums])
        if first > 0:
            marks, hints = [("… ", 0), *marks], ["", *hints]
        if first + len(nats) < many:
            marks, hints = [*marks, (" …", 0)], [*hints, ""]
        rate = f"{number(stretch.nats / np.log(2))} bits per {TOKEN[tokens.unit]}"
        place = self._place(begin)
        heading = f"{title} ({place}; {rate})" if title else f"{place[0].upper()}{place[1:]}: {rate}"
        page.marked(heading, marks, hints=hints)

    def _place(self, token: int) -> str:
        part = self.detail.data.parts[self.detail.part]
        # A BORDER at the very beginning belongs to the line after it.
        name, line = part.place(min(token + (token == 0), len(part.tokens) - 1))
        return f"line {line:,}" if len(set(part.names)) == 1 else f"{name}, line {line:,}"


def coloured(
    pieces: Sequence[str], strengths: Array, told: Sequence[str] | None = None
) -> tuple[list[tuple[str, int]], list[str]]:
    """Pieces of a text and their strengths, and what is told of each, as `Page.marked` takes them.

    White space before a word has no colour, so that lines end where they seem to.
    """
    marks, hints = [], []
    for piece, strength, hint in zip(pieces, strengths, told or [""] * len(pieces), strict=True):
        word = piece.lstrip(" ") or piece
        if len(word) < len(piece):
            marks.append((piece[: len(piece) - len(word)], 0))
            hints.append("")
        marks.append((visible(word, bool(strength)), int(strength)))
        hints.append(hint)
    return marks, hints


def visible(text: str, marked: bool = False) -> str:
    """A text without what a page cannot show; where it is marked, the end of a line can be seen."""
    shown = "".join(c if c in "\t\n" or unicodedata.category(c) != "Cc" else "·" for c in text)
    return shown.replace("\n", "↵\n") if marked else shown


def _listed(told: Iterable[str]) -> str:
    *others, last = dict.fromkeys(told)
    return f"{', '.join(others)} and {last}" if others else last


def _chance(bits: float) -> str:
    """One in how many, to two digits."""
    many = 2.0**bits
    digits = max(0, int(np.log10(many)) - 1)
    return f"{round(many / 10**digits) * 10**digits:,}"
