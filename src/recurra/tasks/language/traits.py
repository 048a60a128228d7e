"""What can be said of each place in a text by counting: inside quotes, how far into a line, and so on.

These are what a unit of a network is compared with (Karpathy, Johnson & Li 2015).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

# What opens and what closes. Of a sign that does both, the first of a paragraph opens, the next closes.
QUOTES = (('"', '"'), ("“", "”"), ("„", "“"), ("«", "»"), ("``", "''"))
BRACKETS = (("(", ")"), ("[", "]"), ("{", "}"))
# What opens and is not closed within so many characters is no bracket, such as the one of a smiling face; and
# what goes on for longer without a blank line is no paragraph.
FURTHEST = 5_000
LINE = re.compile(r"[^\n]*\n|[^\n]+")
PARAGRAPH = re.compile(r"\n\s*\n")
SENTENCE_END = re.compile(r"[.!?…。]['\"”’)\]]*\s|\n\s*\n")
WORD = re.compile(r"[^\W\d_]{2,}")
TAG = re.compile(r"<[^<>\n]*>")


@dataclass(frozen=True, slots=True)
class Trait:
    """One thing that can be said of each place.  values: (T,) float64, as it is after each token."""

    name: str
    values: Array


def traits(pieces: Sequence[str]) -> list[Trait]:
    """All traits of a text, given as the pieces that its tokens stand for, (T,)."""
    text = "".join(pieces)
    ends = np.cumsum([len(piece) for piece in pieces])
    last = np.maximum(ends - 1, 0)
    return [
        *(Trait(name, _of(text, state)[last]) for name, state in STATES.items()),
        *(Trait(name, _within(text, holds, ends)) for name, holds in HOLDS.items()),
    ]


def _of(text: str, state: Callable[[str], Array]) -> Array:
    """(N,) of N characters, and of none one zero."""
    return np.asarray(state(text), dtype=np.float64) if text else np.zeros(1)


def _within(text: str, holds: Callable[[str], bool], ends: Array) -> Array:
    """(T,) 1 where a token has such a character."""
    sums = np.concatenate([[0], np.cumsum([holds(character) for character in text], dtype=np.int64)])
    return (sums[ends] > np.concatenate([[0], sums[ends[:-1]]])).astype(np.float64)


def _inside(text: str, pairs: Sequence[tuple[str, str]]) -> Array:
    """(N,) 1 from what opens up to what closes, of any of the pairs."""
    depth = np.zeros(len(text) + 1)
    for opens, closes in pairs:
        for begin, end in _quoted(text, opens) if opens == closes else _nested(text, opens, closes):
            depth[begin] += 1
            depth[end] -= 1
    return np.cumsum(depth)[:-1] > 0


def _quoted(text: str, sign: str) -> list[tuple[int, int]]:
    """Where pairs of a sign that both opens and closes stand, each in one paragraph."""
    found = []
    for begin, end in _paragraphs(text):
        at = [begin + match.start() for match in re.finditer(re.escape(sign), text[begin:end])]
        found += list(zip(at[::2], at[1::2], strict=False))
    return found


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    """Where paragraphs begin and end; lines, where a paragraph is so long that it is none."""
    begin = 0
    for end in [*(match.end() for match in PARAGRAPH.finditer(text)), len(text)]:
        if end - begin <= FURTHEST:
            yield begin, end
        else:
            yield from ((begin + m.start(), begin + m.end()) for m in LINE.finditer(text[begin:end]))
        begin = end


def _nested(text: str, opens: str, closes: str) -> list[tuple[int, int]]:
    """Where pairs stand that may hold others."""
    found, waiting = [], []
    for match in re.finditer(f"{re.escape(opens)}|{re.escape(closes)}", text):
        if match[0] == opens:
            waiting.append(match.end() - 1)
        elif waiting:
            begin = waiting.pop()
            if match.end() - begin <= FURTHEST:
                found.append((begin, match.end() - 1))
    return found


def _since(text: str, borders: Array) -> Array:
    """(N,) characters since the last border, 0 at one. borders: (N,) of bool."""
    at = np.arange(len(text))
    return at - np.maximum.accumulate(np.where(borders, at, -1))


def _is(text: str, holds: Callable[[str], bool]) -> Array:
    return np.array([holds(character) for character in text])


def _place_in_line(text: str) -> Array:
    return _since(text, _is(text, "\n".__eq__))


def _place_in_word(text: str) -> Array:
    return _since(text, _is(text, str.isspace))


def _place_in_sentence(text: str) -> Array:
    borders = np.zeros(len(text), dtype=bool)
    borders[[match.end() - 1 for match in SENTENCE_END.finditer(text)]] = True
    return _since(text, borders)


def _first_word(text: str) -> Array:
    """1 from the first character of a line up to the white space after its first word."""
    found = np.zeros(len(text))
    for match in re.finditer(r"^[^\S\n]*\S+", text, re.MULTILINE):
        found[match.start() : match.end()] = 1
    return found


def _capitals(text: str) -> Array:
    """1 in words of capitals alone, and between two of them in a row."""
    found, end = np.zeros(len(text)), -1
    for match in WORD.finditer(text):
        if match[0].isupper():
            between = end >= 0 and not text[end : match.start()].strip(" '.-")
            found[end if between else match.start() : match.end()] = 1
            end = match.end()
        else:
            end = -1
    return found


def _indentation(text: str) -> Array:
    """White space at the beginning of the line, as far as it has been read."""
    found = np.zeros(len(text))
    for match in re.finditer(r"^([ \t]*)(.*)", text, re.MULTILINE):
        begin, end = match.span(1)
        found[begin:end] = np.arange(1, end - begin + 1)
        found[end : match.end() + 1] = end - begin
    return found


def _tags(text: str) -> Array:
    found = np.zeros(len(text))
    for match in TAG.finditer(text):
        found[match.start() : match.end() - 1] = 1
    return found


# The state of things after a character.
STATES: dict[str, Callable[[str], Array]] = {
    "inside quotes": partial(_inside, pairs=QUOTES),
    **{f"inside {a} {b}": partial(_inside, pairs=((a, b),)) for a, b in BRACKETS},
    "inside < >": _tags,
    "words in capitals": _capitals,
    "place in the line": _place_in_line,
    "first word of a line": _first_word,
    "indentation of the line": _indentation,
    "place in the sentence": _place_in_sentence,
    "letters of the word so far": _place_in_word,
}
# What a token has in it or not.
HOLDS: dict[str, Callable[[str], bool]] = {"capital letter": str.isupper, "digit": str.isdigit}
