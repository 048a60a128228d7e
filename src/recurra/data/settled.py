"""How much of a text that goes on is certain by now: what comes next may change the end of it.

A mark joins the letter before it (NFC), letters join a word, and a sigma at the end of a word has a form of
its own. What is certain gives the same tokens whatever follows, and so does the rest by itself.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Literal

# Signs that are tokens by themselves whatever stands beside them, and that a sigma does not look beyond.
ALONE = frozenset('!"#$%&()*+,/;<=>?@[\\]{|}~。，、！？；…「」『』（）《》【】')
# Letters of Hangul that become one syllable: all that begin one, and all that may go on with one.
BEGINNING = ((0x1100, 0x1113), (0xAC00, 0xD7A4))
WITHIN = ((0x1161, 0x1176), (0x11A8, 0x11C3))
LAST_COMPOSED = 0x30000


def settled(text: str, unit: Literal["characters", "words", "bpe"], lower: bool) -> int:
    """How many characters from the beginning of a text are certain; see recurra.data.vocabulary for units.

    lower: whether the text is written small before it is cut.
    """
    if unit == "bpe":  # cut before a space, which begins the next piece
        return max(0, text.rfind(" "))
    anywhere = unit == "characters" and not lower
    for at in range(len(text), 0, -1):
        before, after = text[at - 1], text[at : at + 1]
        if before.isspace() or after.isspace():
            return at
        apart = anywhere or before in ALONE or after in ALONE
        if apart and (_ends(before) or (after and _begins(after))):
            return at
    return 0


@cache
def _begins(character: str) -> bool:
    """Whether it never joins the one before it."""
    first = unicodedata.normalize("NFD", character)[0]
    return not unicodedata.combining(first) and first not in _pairs()[1]


@cache
def _ends(character: str) -> bool:
    """Whether none that may follow ever joins it."""
    whole = unicodedata.normalize("NFD", character) == character and not unicodedata.combining(character)
    return whole and not any(character in side for side in _pairs())


@cache
def _pairs() -> tuple[frozenset[str], frozenset[str]]:
    """The characters that may be joined, as the first and as the second of two."""
    firsts = {chr(point) for begin, end in BEGINNING for point in range(begin, end)}
    seconds = {chr(point) for begin, end in WITHIN for point in range(begin, end)}
    for point in range(LAST_COMPOSED):
        parts = unicodedata.decomposition(chr(point)).split()
        if len(parts) == 2 and parts[0][0] != "<":
            firsts.add(chr(int(parts[0], 16)))
            seconds.add(chr(int(parts[1], 16)))
    return frozenset(firsts), frozenset(seconds)
