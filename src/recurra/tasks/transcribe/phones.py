"""Pronunciation dictionaries: a word a line, and the phones that it is said with."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from recurra.data.delimited import decode
from recurra.data.files import content
from recurra.errors import DataError

# What stands between two words among phones.
BETWEEN = "|"
# Other ways to say a word: WORD(2).
ANOTHER = re.compile(r"\(\d+\)$")
# Lines that CMU's dictionaries have about themselves.
ABOUT = (";;;", "#")
# What follows the phones of a word, and says something about them.
COMMENT = re.compile(r"\s#.*")
# Words that are kept to be written again; large dictionaries of a language have about as many.
MOST_WORDS = 150_000

Ways = Mapping[str, Sequence[str]]


def read_phones(path: Path, lower: bool) -> dict[str, tuple[str, ...]]:
    """How words are said, the usual way first, each as phones with a space between. Raises DataError."""
    text, _ = decode(content(path), path.name)
    found: dict[str, list[str]] = {}
    for number, line in enumerate(text.decode().split("\n"), 1):
        if not line.strip() or line.lstrip().startswith(ABOUT):
            continue
        word, *phones = COMMENT.sub("", line).split()
        if not phones or BETWEEN in phones:
            got = f"no phone for {word!r}" if not phones else f"the phone {BETWEEN!r}"
            raise DataError(
                f"expected a word and its phones, with spaces between, got {got}. Correct the line.",
                file=path.name,
                row=number,
            )
        word = ANOTHER.sub("", word) or word
        ways = found.setdefault(word.lower() if lower else word, [])
        way = " ".join(phones)
        if way not in ways:
            ways.append(way)
    if not found:
        raise DataError("expected words and their phones, a line each, got none.", file=path.name)
    return {word: tuple(ways) for word, ways in found.items()}


class Pronounced:
    """Looks up words: as they are written, else in capitals or small letters, else without punctuation."""

    def __init__(self, ways: Ways) -> None:
        self._ways = ways

    def way(self, word: str) -> str | None:
        """The usual phones of a word, None where nobody says."""
        return next(iter(self.ways(word)), None)

    def ways(self, word: str) -> Sequence[str]:
        """All ways to say a word, the usual one first; none where nobody says."""
        return next((self._ways[one] for one in _spellings(word) if one in self._ways), ())

    def missing(self, text: str) -> list[str]:
        """Words of a text that the dictionary does not have."""
        return [word for word in text.split() if self.way(word) is None]

    def spell(self, text: str) -> str:
        """The phones of a text, words that are missing left out."""
        ways = (self.way(word) for word in text.split())
        return f" {BETWEEN} ".join(way for way in ways if way is not None)


def kept(ways: Ways, texts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """What a bundle keeps: words of the texts as these write them, and others while there is room."""
    found = {}
    said = Pronounced(ways)
    for word in dict.fromkeys(word for text in texts for word in text.split()):
        if known := said.ways(word):
            found[word] = tuple(known)
    for word, those in ways.items():
        if len(found) >= MOST_WORDS:
            break
        found.setdefault(word, tuple(those))
    return found


def _spellings(word: str) -> Iterable[str]:
    # What stands in angles, as <noise> in a language model, is not said as the word in it is.
    bare = word if word[:1] + word[-1:] == "<>" else word.strip(string.punctuation)
    for one in (word, bare):
        yield from (one, one.upper(), one.lower())
