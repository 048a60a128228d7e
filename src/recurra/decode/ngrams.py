"""N-gram models that go step by step: a state, a token, and the logarithm of its chance."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from recurra.data.tokens import BORDER, UNKNOWN
from recurra.decode.gramtree import ROOT, Tree
from recurra.decode.kneser_ney import KneserNey

Array = np.ndarray[Any, np.dtype[Any]]

# Steps that are remembered, about 40 MB; texts come back to few of the places that there are.
REMEMBERED = 200_000
# Logarithms are no lower, so that sums and differences of them are numbers.
NEVER = 1e4


class Backoff:
    """N-grams with back-off (Katz 1987), as in the ARPA format; nodes are those of gramtree.Tree.

    log P(w | h) = log p(h w) where h w is an n-gram, else back-off(h) + log P(w | h without its first token)

    A state is the node of the last tokens, as many of them as matter for what follows.
    keys      (G,) int64, ascending: node of all tokens but the last, times `size`, plus the last
    log_p     (G,) float32, natural logarithm of the last token's chance after the others
    back_off  (G,) float32, what is added where an n-gram is not gone on with, natural too
    shorter   (G,) int32, node of the longest n-gram that is this one without some of its first tokens
    size      numbers that tokens may have; a token without an n-gram of its own counts as UNKNOWN
    begin     token that stands before each text
    end       token that stands after each text, None where ends are not foretold
    """

    def __init__(
        self,
        keys: Array,
        log_p: Array,
        back_off: Array,
        shorter: Array,
        *,
        size: int,
        begin: int = BORDER,
        end: int | None = None,
    ) -> None:
        self.keys, self.log_p, self.back_off, self.shorter = keys, log_p, back_off, shorter
        self.size, self.begin, self.end = size, begin, end
        first = np.searchsorted(keys, np.arange(len(keys) + 2, dtype=np.int64) * size)
        # Single numbers are read faster from these than from numpy's arrays, whose memory they share.
        self._keys, self._log_p, self._first = keys.data, log_p.data, first.data
        self._back_off, self._shorter = back_off.data, shorter.data
        self._steps: dict[int, tuple[int, float]] = {}

    @staticmethod
    def of(counted: KneserNey, end: int | None = None) -> Backoff:
        """The chances of counted n-grams.

        end: the token that every text ended with when they were counted, as the end of a line may be.
        """
        tree = Tree(counted.size)
        p, back_off = np.ones(1), np.zeros(1)
        for n, level in enumerate(counted.levels):
            before = tree.first[n] + level.keys // counted.size
            below = tree.add(before * counted.size + level.keys % counted.size)
            left = level.left.astype(np.float64)
            if n:
                back_off[tree.first[n] :] = np.log(left)
            # Of a single token, what is left is the same for all.
            lower = p[below] if n else 1 / (counted.size - 1)
            p = np.concatenate([p, level.share + left[level.keys // counted.size] * lower])
            back_off = np.concatenate([back_off, np.zeros(len(below))])
        return Backoff.grown(tree, np.log(p[1:]), back_off[1:], end=end)

    @staticmethod
    def grown(tree: Tree, log_p: Array, back_off: Array, *, end: int | None = None) -> Backoff:
        """The model of a tree's n-grams, with these logarithms (G,) of each."""
        # Rounding may have gone above.
        log_p = np.clip(log_p, -NEVER, 0.0).astype(np.float32)
        back_off = np.maximum(back_off, -NEVER).astype(np.float32)
        return Backoff(tree.keys, log_p, back_off, tree.shorter[1:].astype(np.int32), size=tree.size, end=end)

    def arrays(self) -> dict[str, Array]:
        """All there is; `from_arrays` makes the model of it again."""
        end = -1 if self.end is None else self.end
        return {
            "keys": self.keys,
            "log_p": self.log_p,
            "back_off": self.back_off,
            "shorter": self.shorter,
            "sizes": np.array([self.size, self.begin, end], dtype=np.int64),
        }

    @staticmethod
    def from_arrays(arrays: Mapping[str, Array]) -> Backoff:
        """The model with these arrays, whose memory it shares."""
        size, begin, end = (int(one) for one in arrays["sizes"])
        keys, log_p, back_off, shorter = (
            np.asarray(arrays[name]) for name in ("keys", "log_p", "back_off", "shorter")
        )
        return Backoff(keys, log_p, back_off, shorter, size=size, begin=begin, end=None if end < 0 else end)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def order(self) -> int:
        """Tokens of the longest n-grams."""
        node, tokens = len(self.keys), 0
        while node != ROOT:
            node, tokens = self._keys[node - 1] // self.size, tokens + 1
        return tokens

    def start(self) -> int:
        """The state before a text's first token."""
        return self.step(ROOT, self.begin)[0] if self._child(ROOT, self.begin) else ROOT

    def step(self, state: int, token: int) -> tuple[int, float]:
        """The state after a token, and the natural logarithm of its chance."""
        if token >= self.size:
            token = UNKNOWN
        key = state * self.size + token
        found = self._steps.get(key)
        if found is None:
            if len(self._steps) >= REMEMBERED:
                self._steps.clear()
            found = self._steps[key] = self._step(state, token)
        return found

    def logarithms(self, tokens: Iterable[int]) -> list[float]:
        """Of the chances of a text's tokens, and of its end where ends are foretold."""
        state, found = self.start(), []
        for token in (*tokens, *([] if self.end is None else [self.end])):
            state, log_p = self.step(state, int(token))
            found.append(log_p)
        return found

    def _child(self, node: int, token: int) -> int:
        """The node of the n-gram that is this token longer, ROOT where there is none."""
        end = self._first[node + 1]
        key = node * self.size + token
        at = bisect_left(self._keys, key, self._first[node], end)
        return at + 1 if at < end and self._keys[at] == key else ROOT

    def _step(self, state: int, token: int) -> tuple[int, float]:
        if not self._child(ROOT, token):
            token = UNKNOWN
        added = 0.0
        while not (node := self._child(state, token)):
            if state == ROOT:
                return ROOT, -math.inf
            added += self._back_off[state - 1]
            state = self._shorter[state - 1]
        log_p = added + self._log_p[node - 1]
        # A state that nothing follows says no more than a shorter one: beginnings that differ in it alone
        # are alike from here on.
        while node and self._first[node] == self._first[node + 1] and not self._back_off[node - 1]:
            node = self._shorter[node - 1]
        return node, log_p
