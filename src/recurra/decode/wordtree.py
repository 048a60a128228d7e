"""A dictionary as a tree: the words that begin with some letters, and the likeliest of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recurra.decode.ngrams import Backoff

Array = np.ndarray[Any, np.dtype[Any]]

# Letters are code points, bytes or numbers of phones, all of them below this.
LETTERS = 1 << 21
# Nodes: before a word, and outside the tree, in a word that it does not have.
ROOT, OUTSIDE = 0, -1


class Lexicon:
    """Spellings or pronunciations, built once for all weights that a language model of words may have.

    after  a node and a letter, as node · LETTERS + letter, to the node of both
    words  numbers of the words with the letters of a node
    depth  letters of each node, (N,) int64
    best   of the words with each beginning the largest log P(word), whatever is before it, (N,) float64;
           0 before a word
    spell: numbers of the words with these letters.
    """

    def __init__(self, model: Backoff, spell: Mapping[tuple[int, ...], Sequence[int]]) -> None:
        self.after: dict[int, int] = {}
        self.words: dict[int, Sequence[int]] = {}
        depth, best = [0], [0.0]
        for spelling, words in spell.items():
            if not spelling or not words:
                continue
            alone = max(model.step(0, word)[1] for word in words)
            node = ROOT
            for letter in spelling:
                key = node * LETTERS + letter
                after = self.after.get(key)
                if after is None:
                    after = self.after[key] = len(depth)
                    depth.append(depth[node] + 1)
                    best.append(alone)
                node = after
                best[node] = max(best[node], alone)
            self.words[node] = tuple(words)
        self.depth, self.best = np.array(depth), np.array(best)
