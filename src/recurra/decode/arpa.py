"""Reads n-gram models from ARPA files, as SRILM, KenLM and others write them."""

from __future__ import annotations

import gzip
import math
import re
import zlib
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from recurra.data.tokens import BORDER, FIRST, UNKNOWN
from recurra.decode.gramtree import ROOT, Tree
from recurra.decode.ngrams import Backoff
from recurra.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]

GZIP = b"\x1f\x8b"
DATA, LAST = b"\\data\\", b"\\end\\"
COUNT = re.compile(rb"ngram\s+(\d+)\s*=\s*(\d+)")
BEGIN, END, UNSEEN = b"<s>", b"</s>", (b"<unk>", b"<UNK>")
# Logarithms in the file are to base 10.
NATURAL = math.log(10)
# In the place of a token's number: of a word that is not wanted.
UNWANTED = -1


class Arpa(NamedTuple):
    """What a file holds.

    words     by the numbers of the model's tokens: "" begins, then the unknown one, then those of the file,
              or those that were asked for; the last, "", ends a text
    left_out  n-grams with words that were not asked for
    """

    model: Backoff
    words: list[str]
    left_out: int


def read_arpa(path: Path, numbers: Mapping[str, int] | None = None) -> Arpa:
    """Read a model, packed with gzip or not. Raises DataError, with the line.

    numbers: of the words that are wanted, from 2 on; None for all words, in the file's order.
    A file without a chance of unknown words has that of its unlikeliest word for them.
    """
    if not path.is_file():
        raise DataError(f"expected an ARPA file, got nothing at {str(path)!r}. Check the path.")
    try:
        with path.open("rb") as plain:
            packed = plain.read(2) == GZIP
            plain.seek(0)
            lines: Any = gzip.GzipFile(fileobj=plain) if packed else plain
            return _Reading(path.name, enumerate(lines, 1), numbers).read()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"expected a whole file, got {error}. Copy it again.", file=path.name) from error


@dataclass(slots=True)
class _Section:
    """N-grams of one length, in the file's order.  lines: where they stand."""

    tokens: array[int] = field(default_factory=lambda: array("i"))
    log_p: array[float] = field(default_factory=lambda: array("d"))
    back_off: array[float] = field(default_factory=lambda: array("d"))
    lines: array[int] = field(default_factory=lambda: array("i"))

    def take(self, tokens: list[int], log_p: float, back_off: float, line: int) -> None:
        self.tokens.extend(tokens)
        self.log_p.append(log_p)
        self.back_off.append(back_off)
        self.lines.append(line)


class _Reading:
    """A file while it is read.  at: the line last read, and what it says without white space around."""

    def __init__(
        self, name: str, lines: Iterator[tuple[int, bytes]], numbers: Mapping[str, int] | None
    ) -> None:
        self.name, self.lines = name, lines
        self.at, self.line = 0, b""
        self.wanted = None if numbers is None else {word.encode(): n for word, n in numbers.items()}
        self.words = list(FIRST)
        # Of every word of the file.
        self.numbers: dict[bytes, int] = {}
        self.left_out = 0

    def read(self) -> Arpa:
        counts = self._head()
        singles = self._singles(counts[0])
        size = len(self.words)
        tree = Tree(size)
        log_p, back_off = [], []
        for n, count in enumerate(counts, 1):
            section = singles if n == 1 else self._section(n, count)
            order = self._grow(tree, section, n)
            log_p.append(np.array(section.log_p)[order])
            back_off.append(np.array(section.back_off)[order])
        if self.line != LAST:
            self._refuse(f"expected \\end\\ after the {len(counts)}-grams", "Write the file anew")
        natural = [np.concatenate(one) * NATURAL for one in (log_p, back_off)]
        end = size - 1 if END in self.numbers else None
        return Arpa(Backoff.grown(tree, *natural, end=end), self.words, self.left_out)

    def _next(self) -> bytes:
        """The next line that is not empty, b"" at the end of the file."""
        for at, raw in self.lines:
            self.at = at
            self.line = raw.strip()
            if self.line:
                return self.line
        self.line = b""
        return b""

    def _refuse(
        self, expected: str, action: str, got: str | None = None, line: int | None = None
    ) -> NoReturn:
        if got is None:
            got = repr(self.line[:60].decode(errors="replace")) if self.line else "the end of the file"
        at = self.at if line is None else line
        raise DataError(f"{expected}, got {got}. {action}.", file=self.name, row=at or None)

    def _head(self) -> list[int]:
        """How many n-grams there are of each length."""
        while self._next() != DATA:
            if not self.line:
                self._refuse("expected \\data\\ at the beginning of an ARPA file", "Give a file of n-grams")
        counts: list[int] = []
        while found := COUNT.fullmatch(self._next()):
            n, count = int(found[1]), int(found[2])
            if n != len(counts) + 1:
                self._refuse(f"expected the number of {len(counts) + 1}-grams", "Write the file anew")
            counts.append(count)
        if not counts:
            self._refuse('expected the number of n-grams, such as "ngram 1=20"', "Write the file anew")
        return counts

    def _entries(self, n: int, count: int) -> Iterator[tuple[float, list[bytes], float]]:
        """Chance, words and back-off of each n-gram of a section whose title has been read."""
        if self.line != b"\\%d-grams:" % n:
            self._refuse(f"expected \\{n}-grams:", "Write the file anew")
        read = 0
        for at, raw in self.lines:
            self.at = at
            fields = raw.split()
            if not fields:
                continue
            if raw[0] == b"\\"[0]:
                self.line = raw.strip()
                break
            try:
                log_p = float(fields[0])
                back_off = float(fields[n + 1]) if len(fields) > n + 1 else 0.0
                sound = log_p <= 0 and back_off < math.inf and n + 1 <= len(fields) <= n + 2
            except ValueError:
                sound = False
            if not sound:
                self.line = raw.strip()
                words = f"{n} words" if n > 1 else "a word"
                self._refuse(
                    f"expected a logarithm of 0 or less, {words} and perhaps a number",
                    "Correct the line",
                )
            read += 1
            yield log_p, fields[1 : n + 1], back_off
        else:
            self.line = b""
        if read != count:
            self._refuse(f"expected {count:,} {n}-grams", "Write the file anew", f"{read:,}")

    def _singles(self, count: int) -> _Section:
        """Single words, which say what numbers there are; an unknown one is always among them."""
        section, end = _Section(), None
        if self.wanted:
            self.words += [""] * (max(self.wanted.values()) - 1)
            for word, number in self.wanted.items():
                self.words[number] = word.decode()
        for log_p, (word,), back_off in self._entries(1, count):
            if word in self.numbers:
                self._refuse("expected each word once", "Delete one of them", repr(self._text(word)))
            if word == END:
                self.numbers[word], end = UNWANTED, (log_p, back_off, self.at)
                continue
            number = self.numbers[word] = self._number(word)
            if number == UNWANTED:
                self.left_out += 1
            else:
                section.take([number], log_p, back_off, self.at)
        if not any(number > UNKNOWN for number in section.tokens):
            self._refuse("expected words that are wanted", "Give a file of the same language", "none of them")
        if UNKNOWN not in section.tokens:
            least = min(p for p, n in zip(section.log_p, section.tokens, strict=True) if n > UNKNOWN)
            section.take([UNKNOWN], least, 0.0, self.at)
        if end:
            # The last number of all, so that those that were asked for stay what they are.
            self.numbers[END] = len(self.words)
            self.words.append("")
            section.take([self.numbers[END]], *end)
        return section

    def _number(self, word: bytes) -> int:
        if word == BEGIN:
            return BORDER
        if word in UNSEEN:
            return UNKNOWN
        if self.wanted is not None:
            return self.wanted.get(word, UNWANTED)
        self.words.append(self._text(word))
        return len(self.words) - 1

    def _text(self, word: bytes) -> str:
        try:
            return word.decode()
        except UnicodeDecodeError:
            self._refuse("expected words in UTF-8", "Save the file as UTF-8", repr(word))

    def _section(self, n: int, count: int) -> _Section:
        section, numbers = _Section(), self.numbers
        for log_p, words, back_off in self._entries(n, count):
            try:
                tokens = [numbers[word] for word in words]
            except KeyError as error:
                word = repr(self._text(error.args[0]))
                self._refuse("expected words that are among the 1-grams", "Write the file anew", word)
            if UNWANTED in tokens:
                self.left_out += 1
            else:
                section.take(tokens, log_p, back_off, self.at)
        return section

    def _grow(self, tree: Tree, section: _Section, n: int) -> Array:
        """Put a section into the tree; the order of its n-grams there."""
        tokens = np.array(section.tokens, dtype=np.int64).reshape(-1, n)
        parents = tree.find(tokens[:, :-1])
        lost = np.flatnonzero(parents == ROOT)
        if n > 1 and len(lost):
            expected = f"expected the first {n - 1} words of a {n}-gram among the {n - 1}-grams"
            self._refuse(expected, "Write the file anew", "none", section.lines[int(lost[0])])
        keys = parents * tree.size + tokens[:, -1]
        order = np.argsort(keys, kind="stable")
        twice = np.flatnonzero(np.diff(keys[order]) == 0)
        if len(twice):
            line = section.lines[int(order[twice[0] + 1])]
            self._refuse("expected each n-gram once", "Delete one of them", "two of them", line)
        tree.add(keys[order])
        return order
