"""What a translator should be better than: the source as it is, and phrases by how often they go together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import chain

import numpy as np

from recurra.data.frequency import Array
from recurra.data.vocabulary import split_text

# Passes of expectation and maximisation over the pairs; more of them change little.
PASSES = 5
# Pairs that are counted at most, and words of a side: longer ones say little about single words.
MOST_PAIRS, MOST_WORDS = 100_000, 60
# Words beside words that are counted, about a GB.
MOST_LINKS = 10_000_000
# Words of the longest phrase.
LONGEST = 3


class Phrases:
    """Phrases of the source, each replaced by what stands for it most often, one by one in order.

    Words are aligned by Model 1 (Brown et al. 1993) from both sides; phrases are those whose words are
    aligned among themselves alone (Koehn, Och & Marcu 2003). The longest known phrase is taken, and what is
    known of none stays as it is.
    """

    def __init__(self, unit: str) -> None:
        self._letters = unit == "characters"
        self._joint = "" if self._letters else " "
        self._known: dict[tuple[str, ...], str] = {}

    @classmethod
    def fit(cls, source: Sequence[str], target: Sequence[str], unit: str) -> Phrases:
        """Count the phrases of some pairs."""
        found = cls(unit)
        step = max(1, -(-len(source) // MOST_PAIRS))
        pairs = [
            (found._words(a), found._words(b)) for a, b in zip(source[::step], target[::step], strict=True)
        ]
        pairs = [(a, b) for a, b in pairs if 0 < len(a) <= MOST_WORDS and 0 < len(b) <= MOST_WORDS]
        if not pairs:
            return found
        pairs = pairs[:: -(-sum(len(a) * len(b) for a, b in pairs) // MOST_LINKS)]
        there = align(pairs)
        back = align([(b, a) for a, b in pairs])
        counts: dict[tuple[str, ...], Counter[tuple[str, ...]]] = defaultdict(Counter)
        for (a, b), links, others in zip(pairs, there, back, strict=True):
            both = {(i, j) for j, i in enumerate(links)} & {(i, j) for i, j in enumerate(others)}
            for phrase, other in _phrases(a, b, sorted(both)):
                counts[phrase][other] += 1
        found._known = {
            phrase: found._joint.join(min(of.items(), key=lambda item: (-item[1], item[0]))[0])
            for phrase, of in counts.items()
        }
        return found

    def translate(self, text: str) -> str:
        """A text, phrase by phrase."""
        words, at, written = self._words(text), 0, []
        while at < len(words):
            for size in range(min(LONGEST, len(words) - at), 0, -1):
                phrase = tuple(words[at : at + size])
                if phrase in self._known or size == 1:
                    written.append(self._known.get(phrase, words[at]))
                    at += size
                    break
        return self._joint.join(written)

    def _words(self, text: str) -> list[str]:
        return list(text) if self._letters else split_text(text, "words")


def align(pairs: Sequence[tuple[list[str], list[str]]]) -> list[list[int]]:
    """For each word of each pair's second side the place of its likeliest partner on the first."""
    first, second = _numbers([a for a, _ in pairs]), _numbers([b for _, b in pairs])
    sizes = [(len(a), len(b)) for a, b in pairs]
    # Every word beside every word of the other side, pair by pair.
    left = np.concatenate([np.tile(a, m) for a, (_, m) in zip(first[0], sizes, strict=True)])
    right = np.concatenate([np.repeat(b, n) for b, (n, _) in zip(second[0], sizes, strict=True)])
    each = left.astype(np.int64) * second[1] + right
    kinds, kind = np.unique(each, return_inverse=True)
    # Which word of a second side a row belongs to.
    group = np.repeat(np.arange(sum(m for _, m in sizes)), [n for n, m in sizes for _ in range(m)])
    chance = np.full(len(kinds), 1.0)
    for _ in range(PASSES):
        share = chance[kind]
        share /= np.bincount(group, share)[group]
        count = np.bincount(kind, share, minlength=len(kinds))
        of = (kinds // second[1]).astype(np.int64)
        chance = count / np.bincount(of, count)[of]
    return _likeliest(chance[kind], sizes)


def _likeliest(chance: Array, sizes: Sequence[tuple[int, int]]) -> list[list[int]]:
    found, at = [], 0
    for n, m in sizes:
        found.append(chance[at : at + n * m].reshape(m, n).argmax(1).tolist())
        at += n * m
    return found


def _numbers(texts: Sequence[list[str]]) -> tuple[list[Array], int]:
    """Each text's words as numbers, and how many different ones there are."""
    known = {word: number for number, word in enumerate(dict.fromkeys(chain.from_iterable(texts)))}
    return [np.array([known[word] for word in text], dtype=np.int64) for text in texts], len(known)


def _phrases(
    a: list[str], b: list[str], links: list[tuple[int, int]]
) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Phrases of both sides whose words are linked among themselves alone."""
    found = []
    for begin in range(len(a)):
        for end in range(begin + 1, min(begin + LONGEST, len(a)) + 1):
            inside = [j for i, j in links if begin <= i < end]
            if not inside:
                continue
            low, high = min(inside), max(inside) + 1
            if high - low > LONGEST or any(low <= j < high and not begin <= i < end for i, j in links):
                continue
            found.append((tuple(a[begin:end]), tuple(b[low:high])))
    return found
