"""Counted n-grams, smoothed after Kneser & Ney: what a network has to beat, or what helps one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.data.tokens import BORDER

Array = np.ndarray[Any, np.dtype[Any]]

# How long n-grams are. Longer ones change little: among a million words, six have a perplexity 0.3 % lower
# than five; among a million characters, ten are no better than seven.
ORDERS = {"words": 5, "bpe": 5, "characters": 8, "bytes": 8}
# Tokens that are counted at most: about a minute and 2 GB.
MOST_TOKENS = 20_000_000
# Tokens that are looked up at a time.
PIECE = 1_000_000
# Discounts where the counts of counts give none: texts too short for any rule, and single characters, all of
# which are common.
DISCOUNTS = (0.5, 1.0, 1.5)


@dataclass(frozen=True, slots=True)
class Level:
    """The distinct n-grams of one length, G of them, in the order of their keys.

    keys: (G,) int64, place of the first n - 1 tokens in the level before, times `size`, plus the last token.
    share: (G,) float32, discounted count over the count of all n-grams that begin alike.
    left: (places of the level before,) float32, what discounting leaves to shorter n-grams after each; 1
    after what nothing followed.
    """

    keys: Array
    share: Array
    left: Array


@dataclass(frozen=True, slots=True)
class KneserNey:
    """An n-gram model with interpolated modified Kneser-Ney smoothing (Chen & Goodman 1998, section 3).

    P(w | h) = (c(h w) - D(c(h w))) / Σ_v c(h v) + left(h) P(w | h without its first token)

    where c is the count for the longest n-grams, and for shorter ones the number of different tokens that
    stand before them. An n-gram that begins with BORDER can have none before it, and keeps its count.
    The shortest is mixed with the uniform distribution over the tokens 1 … size - 1.
    D1, D2, D3 (for three or more) come from each level's own counts of counts.
    """

    size: int
    levels: tuple[Level, ...]
    discounts: tuple[tuple[float, float, float], ...]
    tokens: int  # that were counted

    @property
    def order(self) -> int:
        """Tokens in the longest n-grams; fewer than were asked for where the text is shorter."""
        return len(self.levels)

    @staticmethod
    def fit(tokens: Array, order: int, size: int) -> KneserNey:
        """Count tokens (T,), at most the last MOST_TOKENS of them.

        Of n-grams that reach over a BORDER none is counted; it may stand first in one.
        size: numbers that tokens may have.
        """
        text = np.asarray(tokens[-MOST_TOKENS:]).astype(np.int32)
        counting = _Counting.start(text, size)
        levels, discounts = [], []
        for _ in range(order - 1):
            longer, counts = counting.longer()
            if not len(longer.keys):
                break
            level, found = counting.finished(counts)
            levels.append(level)
            discounts.append(found)
            counting = longer
        level, found = counting.finished(counting.counts)
        return KneserNey(size, (*levels, level), (*discounts, found), len(text))

    def surprise(self, tokens: Array) -> Array:
        """Nats (T-1,) float64 of tokens[1:], each given those before it; 0 at a BORDER, never foretold."""
        found = np.zeros(max(0, len(tokens) - 1))
        back = self.order - 1
        for start in range(1, len(tokens), PIECE):
            end = min(start + PIECE, len(tokens))
            first = max(0, start - back)
            piece = np.asarray(tokens[first:end]).astype(np.int64)
            nats = -np.log(self._probabilities(piece)[start - first :])
            nats[piece[start - first :] == BORDER] = 0.0
            found[start - 1 : end - 1] = nats
        return found

    def _probabilities(self, tokens: Array) -> Array:
        """(T,) of each token given those before it; of no meaning at a BORDER."""
        p = np.full(len(tokens), 1.0 / (self.size - 1))
        # Place of the n-gram that ends at each token among those of its length, -1 where it is not there.
        place = np.zeros(len(tokens), dtype=np.int64)
        for n, level in enumerate(self.levels):
            before = place if n == 0 else np.concatenate([[-1], place[:-1]])
            at = np.flatnonzero((before >= 0) & ((tokens != BORDER) | (n == 0)))
            keys = before[at] * self.size + tokens[at]
            where = np.minimum(np.searchsorted(level.keys, keys), len(level.keys) - 1)
            there = level.keys[where] == keys
            p[at] = np.where(there, level.share[where], 0.0) + level.left[before[at]] * p[at]
            place = np.full(len(tokens), -1, dtype=np.int64)
            place[at[there]] = where[there]
        return p


@dataclass(frozen=True, slots=True)
class _Counting:
    """One level while the text is counted.

    keys, counts: (G,) of the distinct n-grams. before: n-grams in the level before.
    place: (T,) int32, which n-gram ends at each token; -1 for none.
    """

    text: Array
    size: int
    keys: Array
    counts: Array
    before: int
    place: Array

    @staticmethod
    def start(text: Array, size: int) -> _Counting:
        """Single tokens, seen or not. BORDER is a place to go on from, and not counted."""
        counts = np.bincount(text, minlength=size)
        assert len(counts) == size, "tokens are below size"
        counts[BORDER] = 0
        return _Counting(text, size, np.arange(size), counts, 1, text)

    def longer(self) -> tuple[_Counting, Array]:
        """The n-grams that are a token longer, and in how many of them each of these stands at the end.

        Where it stands in none, nothing is before it but where its document begins: then its own count.
        """
        at = np.flatnonzero((self.place[:-1] >= 0) & (self.text[1:] != BORDER)) + 1
        keys = self.place[at - 1].astype(np.int64) * self.size + self.text[at]
        order = np.argsort(keys)
        keys = keys[order]
        new = np.concatenate([[True], keys[1:] != keys[:-1]]) if len(keys) else np.zeros(0, dtype=bool)
        place = np.full(len(self.text), -1, dtype=np.int32)
        place[at[order]] = np.cumsum(new, dtype=np.int32) - 1
        first = np.flatnonzero(new)
        endings = np.bincount(self.place[at[order[first]]], minlength=len(self.keys))
        counts = np.diff(first, append=len(keys))
        longer = _Counting(self.text, self.size, keys[first], counts, len(self.keys), place)
        return longer, np.where(endings > 0, endings, self.counts)

    def finished(self, counts: Array) -> tuple[Level, tuple[float, float, float]]:
        """The level with these counts of its n-grams, and its discounts."""
        found = discounts(counts)
        prefix = self.keys // self.size
        total = np.bincount(prefix, counts, self.before)
        total_or_one = np.where(total > 0, total, 1.0)
        taken = np.array([0.0, *found], dtype=np.float32)[np.minimum(counts, 3)]
        share = (counts - taken) / total_or_one[prefix]
        left = np.where(total > 0, np.bincount(prefix, taken, self.before) / total_or_one, 1.0)
        return Level(self.keys, share.astype(np.float32), left.astype(np.float32)), found


def discounts(counts: Sequence[int] | Array) -> tuple[float, float, float]:
    """D1, D2 and D3 of counts (Chen & Goodman 1998, equation 17).

    Y = n1 / (n1 + 2 n2), Dk = k - (k + 1) Y n(k+1) / n(k), n(k) being how many counts are k.
    """
    n = [0, *(int((np.asarray(counts) == k).sum()) for k in (1, 2, 3, 4))]
    if min(n[1:4]) == 0:
        return DISCOUNTS
    y = n[1] / (n[1] + 2 * n[2])
    one, two, three = (k - (k + 1) * y * n[k + 1] / n[k] for k in (1, 2, 3))
    return (one, two, three) if min(one, two, three) > 0 else DISCOUNTS
