"""Whole words in the beam search: a dictionary of spellings or pronunciations, and n-grams of words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from recurra.data.tokens import BORDER, UNKNOWN, Tokens
from recurra.decode.fusion import State
from recurra.decode.ngrams import Backoff
from recurra.decode.wordtree import LETTERS, OUTSIDE, ROOT, Lexicon

# In the place of a letter: the end of a word, and perhaps the beginning of the next.
SEPARATOR = -1
SPACE = ord(" ")


class Span(NamedTuple):
    """A word among the tokens of a text: its number, UNKNOWN for others, and its first and last token."""

    word: int
    first: int
    last: int


class Words:
    """A language model of words over tokens of any kind, scored as soon as a word ends.

    A known word adds weight · log P(word | those before) + bonus. Of those that are spelt, or sound, alike it
    is the likeliest after those before. Any other word adds weight · log P(unknown | those before) + bonus,
    and `unknown` for each letter; a closed dictionary has no other words. Within a word, what the likeliest
    word with this beginning adds, whatever is before it, stands in advance.

    vocabulary  words by their numbers in the model; those beyond it are words that it does not know
    spell       numbers of the words with these letters, or the lexicon of them, which is built faster once
                than again for each weight
    letters     of each token, with SEPARATOR between words; see `letters_of`
    """

    def __init__(
        self,
        model: Backoff,
        vocabulary: Sequence[str],
        spell: Mapping[tuple[int, ...], Sequence[int]] | Lexicon,
        letters: Sequence[tuple[int, ...]],
        *,
        weight: float = 1.0,
        bonus: float = 0.0,
        unknown: float = -2.0,
        closed: bool = False,
    ) -> None:
        self.model, self.vocabulary, self.letters = model, vocabulary, letters
        self.weight, self.bonus, self.unknown, self.closed = weight, bonus, unknown, closed
        lexicon = spell if isinstance(spell, Lexicon) else Lexicon(model, spell)
        self._next, self._words = lexicon.after, lexicon.words
        ahead = weight * lexicon.best
        # Of each node: what the likeliest word adds in advance, and what its letters do where it has no word.
        self._ahead: list[float] = ahead.tolist()
        self._depth: list[int] = lexicon.depth.tolist()
        # What one letter adds at most, and what it does at most where it leaves the tree, which gives back
        # what stands in advance.
        self._letter = max(0.0, unknown)
        leaving = -math.inf if closed else float((unknown * (lexicon.depth + 1) - ahead).max())
        self._leaving = max(self._letter, leaving)

    def start(self) -> State:
        return (self.model.start(), ROOT)

    def extend(self, state: State, token: int) -> tuple[State, float]:
        before, node = state
        letters, gain = self.letters[token], 0.0
        for letter in letters:
            if letter != SEPARATOR:
                node, more = self._spell(node, letter)
            elif node != ROOT:
                before, more, _ = self._finish(before, node)
                node = ROOT
            else:
                # No word is empty; but a token may have a space before its own letters.
                more = 0.0 if len(letters) > 1 else -math.inf
            gain += more
            if gain == -math.inf:
                break
        return (before, node), gain

    def end(self, state: State) -> float:
        before, node = state
        gain = 0.0
        if node != ROOT:
            before, gain, _ = self._finish(before, node)
        if self.model.end is not None:
            gain += self.weight * self.model.step(before, self.model.end)[1]
        return gain

    def most(self, token: int) -> float:
        letters = self.letters[token]
        if SEPARATOR in letters:
            return math.inf  # what stands in advance is given back with the end of a word
        # The tree is left once in a word at most.
        return self._leaving + (len(letters) - 1) * self._letter if letters else 0.0

    def spans(self, tokens: Iterable[int], before: State | None = None, *, whole: bool = True) -> list[Span]:
        """The words of a text, the last of them as if it ended here.  before: the state it goes on from.

        A word that has no letter here is left out, and one of which only a part is here has no number.
        A closed dictionary has no word that has only begun.  whole: whether the last word ends here.
        """
        found = []
        state, node = self.start() if before is None else before
        part, first, at = node != ROOT, None, -1
        for at, token in enumerate(tokens):
            for letter in self.letters[token]:
                if letter != SEPARATOR:
                    first = at if first is None else first
                    node, _ = self._spell(node, letter)
                elif node != ROOT:
                    state, _, word = self._finish(state, node)
                    if first is not None:
                        found.append(Span(UNKNOWN if part else word, first, max(first, at - 1)))
                    part, first, node = False, None, ROOT
        if first is not None:
            part = part or not whole
            word = self._finish(state, node)[2]
            if part or word != UNKNOWN or not self.closed:
                found.append(Span(UNKNOWN if part else word, first, at))
        return found

    def _spell(self, node: int, letter: int) -> tuple[int, float]:
        """The node after a letter, and what it adds."""
        if node == OUTSIDE:
            return OUTSIDE, self.unknown
        after = self._next.get(node * LETTERS + letter)
        if after is not None:
            return after, self._ahead[after] - self._ahead[node]
        if self.closed:
            return OUTSIDE, -math.inf
        return OUTSIDE, self.unknown * (self._depth[node] + 1) - self._ahead[node]

    def _finish(self, before: int, node: int) -> tuple[int, float, int]:
        """The model's state after the word at a node, what its end adds, and its number."""
        words = self._words.get(node)
        ahead = 0.0 if node == OUTSIDE else self._ahead[node]
        if words is not None:
            steps = [self.model.step(before, word) for word in words]
            best = max(range(len(words)), key=lambda at: steps[at][1])
            after, log_p = steps[best]
            return after, self.weight * log_p + self.bonus - ahead, words[best]
        after, log_p = self.model.step(before, UNKNOWN)
        if self.closed:
            return after, -math.inf, UNKNOWN
        letters = 0.0 if node == OUTSIDE else self.unknown * self._depth[node]
        return after, self.weight * log_p + self.bonus + letters - ahead, UNKNOWN


def letters_of(tokens: Tokens, separator: str = "|") -> list[tuple[int, ...]]:
    """The letters of each token: characters, bytes of pieces, or, of words, numbers: those of phones.

    separator: the token between words where tokens are phones.
    """
    return [letters_in(number, tokens, separator) for number in range(len(tokens))]


def letters_in(number: int, tokens: Tokens, separator: str = "|") -> tuple[int, ...]:
    """The letters of one token; none of BORDER and UNKNOWN."""
    if number in (BORDER, UNKNOWN):
        return ()
    token = tokens.tokens[number]
    if tokens.unit == "words":
        return (SEPARATOR if token == separator else number,)
    letters = map(ord, token) if tokens.unit == "characters" else tokens.bytes_of(number)
    return tuple(SEPARATOR if letter == SPACE else letter for letter in letters)


def spellings(vocabulary: Sequence[str], tokens: Tokens) -> dict[tuple[int, ...], list[int]]:
    """The numbers of words by their letters, where tokens are characters or pieces of words."""
    found: dict[tuple[int, ...], list[int]] = {}
    for number, word in enumerate(vocabulary[2:], 2):
        letters = map(ord, word) if tokens.unit == "characters" else word.encode()
        found.setdefault(tuple(letters), []).append(number)
    return found
