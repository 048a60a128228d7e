"""When each word of a recognised text was said, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from recurra.data.tokens import UNKNOWN, Tokens
from recurra.decode.ctc import Hypothesis
from recurra.decode.lexicon import SEPARATOR, Span, Words, letters_in


class Word(NamedTuple):
    """A word, when it begins and ends, in seconds, and the least chance of any of its tokens.

    It begins with the step at which its first token came, and ends after that of its last: a network may well
    tell later than it hears.
    """

    text: str
    begin: float
    end: float
    confidence: float


def word_times(
    hypothesis: Hypothesis,
    tokens: Tokens,
    seconds: float,
    words: Words | None = None,
    separator: str = "|",
) -> list[Word]:
    """The words of a text.

    seconds: of a step.  words: the dictionary that names them, where the search had one; a word that it does
    not have is spelt, and so is a part of one; of a closed dictionary a text that ends within a word has the
    words before it.  separator: the token between words where tokens are phones.
    """
    numbers = hypothesis.tokens
    if words is None:
        spans = _spans(numbers, tokens, separator)
    else:
        spans = words.spans(numbers, hypothesis.before or None, whole=hypothesis.whole)
    found = []
    for word, first, last in spans:
        if words is not None and word != UNKNOWN:
            text = words.vocabulary[word]
        else:
            text = tokens.decode(numbers[first : last + 1]).strip()
        begin, end = (
            round(at * seconds, 3) for at in (hypothesis.frames[first], hypothesis.frames[last] + 1)
        )
        found.append(Word(text, begin, end, min(hypothesis.chances[first : last + 1])))
    return found


def _spans(numbers: Sequence[int], tokens: Tokens, separator: str) -> list[Span]:
    """The words of a text without a dictionary; each token is one where no token separates them."""
    if tokens.unit == "words" and separator not in tokens.tokens:
        return [Span(UNKNOWN, at, at) for at in range(len(numbers))]
    found: list[Span] = []
    first = None
    for at, number in enumerate(numbers):
        for letter in letters_in(number, tokens, separator):
            if letter != SEPARATOR:
                first = at if first is None else first
            elif first is not None:
                found.append(Span(UNKNOWN, first, max(first, at - 1)))
                first = None
    return found if first is None else [*found, Span(UNKNOWN, first, len(numbers) - 1)]
