"""Where one document ends and the next begins: with a file, a line, or blank lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np

from recurra.data.frequency import Array
from recurra.data.tokens import BORDER

Documents = Literal["file", "line", "blank"]
# Ends of lines that must stand between a document and the next.
ENDS = {"line": 1, "blank": 2}
SPACES = " \t\r\f\v"
WHITE_LINE = re.compile(rf"\n[{SPACES}]+(?=\n)")
# As much white space in a row is taken for content; memory is bounded.
MOST_SPACES = 1 << 16


def ended(blocks: Iterable[str]) -> Iterator[str]:
    """The same text, whose last line ends."""
    end = "\n"
    for text in blocks:
        end = text[-1:] or end
        yield text
    if end != "\n":
        yield "\n"


def without_white_lines(blocks: Iterable[str]) -> Iterator[str]:
    """The same text, where lines that hold nothing but white space are blank."""
    before, held = "\n", ""
    for block in blocks:
        text = held + block
        # White space at the end waits for what follows it.
        at = len(text.rstrip(SPACES))
        at = at if len(text) - at <= MOST_SPACES else len(text)
        held = text[at:]
        if at:
            yield WHITE_LINE.sub("\n", before + text[:at])[1:]
            before = text[at - 1]
    yield held


class Borders:
    """Puts a BORDER before the first token of each document of one file, block by block.

    Blank lines belong to the document before them; those at the beginning of the file to the first.
    """

    def __init__(self, documents: Documents, newline: int) -> None:
        self._newline, self._documents = newline, documents
        self._before = np.zeros(2, dtype=bool)  # whether the last two tokens were ends of lines
        self._begun = self._content = False

    @property
    def reached(self) -> tuple[int, bool]:
        """How many ends of lines in a row came last, at most two, and whether there was any other token."""
        return int(self._before[1]) + int(self._before.all()), self._content

    def resume(self, ends: int, content: bool) -> None:
        """Go on in a file of which some has been read, whose first document has its BORDER."""
        self._before = np.array([ends > 1, ends > 0])
        self._content, self._begun = content, True

    def put(self, numbers: Array) -> Array:
        """The tokens (T,) with BORDERs among them."""
        if not len(numbers):
            return numbers
        starts = np.zeros(len(numbers), dtype=bool)
        if self._documents != "file":
            self._find(numbers == self._newline, starts)
        if not self._begun:
            self._begun = starts[0] = True
        return np.insert(numbers, np.flatnonzero(starts), BORDER)

    def _find(self, ends: Array, starts: Array) -> None:
        known = np.concatenate([self._before, ends])
        self._before = known[-2:]
        starts[:] = ~ends
        if not self._content and starts.any():
            self._content = True
            starts[starts.argmax()] = False
        for back in range(1, ENDS[self._documents] + 1):
            starts &= known[2 - back : len(known) - back]
