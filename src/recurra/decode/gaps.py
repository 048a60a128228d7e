"""Where a long text may be cut in two: between words, or at least between letters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from recurra.data.tokens import FIRST, Tokens
from recurra.decode.lexicon import SEPARATOR, letters_of

# The first two bits of a byte that goes on with a character in UTF-8, and what they are there.
BITS, GOES_ON = 0xC0, 0x80


class Gaps(NamedTuple):
    """Tokens that tell where words end.

    begins  those that begin with what separates words, the letters of a word after it or not
    ends    those with the end of a word, or of what separates words, at their own end
    inside  those that begin within a character
    """

    begins: frozenset[int] = frozenset()
    ends: frozenset[int] = frozenset()
    inside: frozenset[int] = frozenset()

    @staticmethod
    def of(tokens: Tokens, separator: str = "|") -> Gaps:
        """Those of characters, pieces, phones or words.  separator: the token between words of phones."""
        letters = letters_of(tokens, separator)
        real = range(len(FIRST), len(tokens))
        if tokens.unit == "words" and separator not in tokens.tokens:
            return Gaps(ends=frozenset(real))
        raw = tokens.unit in ("bytes", "bpe")
        return Gaps(
            frozenset(one for one in real if letters[one][:1] == (SEPARATOR,)),
            frozenset(one for one in real if letters[one][-1:] == (SEPARATOR,)),
            frozenset(one for one in real if raw and letters[one] and letters[one][0] & BITS == GOES_ON),
        )

    def place(self, tokens: Sequence[int]) -> tuple[int, bool]:
        """After how many of these tokens to cut, half of them at most but for a separator, and whether a word
        ends there.
        """
        half = len(tokens) // 2
        for at in range(min(half + 1, len(tokens)), 0, -1):
            if tokens[at - 1] in self.ends or (at <= half and tokens[at] in self.begins):
                return at, True
        while half > 1 and tokens[half] in self.inside:
            half -= 1
        return half, False

    def agree(self, last: int, after: int | None, *, whole: bool) -> bool:
        """Whether a text with these tokens before and after a cut, None for its end, is cut there too.

        whole: whether a word ends at the cut.
        """
        if last in self.ends:
            return True
        if after is None:
            return False  # nobody knows yet whether its word goes on
        return after in self.begins if whole else after not in self.begins | self.inside
