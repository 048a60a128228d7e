"""The tree that n-grams are looked up in: each below the one that is it without its last token."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

# The node of no token.
ROOT = 0


class Tree:
    """Grows by one length of n-grams after the other, the shortest first; n-gram i has node i + 1.

    keys: (G,) int64, ascending: node of all tokens but the last, times `size`, plus the last.
    shorter: (1 + G,) int64 by node, that of the longest n-gram which is this one without some first tokens.
    first: the node before those of each length, and before those of the next one.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.first = [ROOT, ROOT + 1]
        self.keys = np.zeros(0, dtype=np.int64)
        self.shorter = np.zeros(1, dtype=np.int64)

    def add(self, keys: Array) -> Array:
        """Take in all n-grams of the next length, (N,) in order; gives their `shorter`."""
        found = self._shortened(keys // self.size, keys % self.size)
        self.keys = np.concatenate([self.keys, keys])
        self.shorter = np.concatenate([self.shorter, found])
        self.first.append(1 + len(self.keys))
        return found

    def find(self, tokens: Array) -> Array:
        """(N,) nodes of n-grams, by their tokens (N, n); ROOT where there is none."""
        nodes = np.zeros(len(tokens), dtype=np.int64)
        for at in range(tokens.shape[1]):
            found = self._children(nodes, tokens[:, at])
            nodes = found if at == 0 else np.where(nodes == ROOT, ROOT, found)
        return nodes

    def _children(self, nodes: Array, tokens: Array) -> Array:
        keys = nodes * self.size + tokens
        if not len(self.keys):
            return np.zeros(len(keys), dtype=np.int64)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, at + 1, ROOT)

    def _shortened(self, parents: Array, tokens: Array) -> Array:
        found = np.zeros(len(parents), dtype=np.int64)
        open_ = np.flatnonzero(parents != ROOT)
        nodes = self.shorter[parents[open_]]
        # Once, unless n-grams have been taken out of the middle.
        while len(open_):
            found[open_] = self._children(nodes, tokens[open_])
            again = (found[open_] == ROOT) & (nodes != ROOT)
            open_, nodes = open_[again], self.shorter[nodes[again]]
        return found
