"""ROUGE-L: the words that a caption shares with a reference in the same order.

Lin & Och (2004), "Automatic Evaluation of Machine Translation Quality Using Longest Common Subsequence"; as
the evaluation of COCO's captions has it: F of the best precision and the best recall over the references,
(1 + β²) P R / (R + β² P).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recurra.data.frequency import Array

# Recall counts more than precision, as the evaluation of COCO's captions has it.
BETA = 1.2

Words = Sequence[str]


def rouge_l(texts: Sequence[Words], references: Sequence[Sequence[Words]]) -> Array:
    """(N,) float64 from 0 to 1 of texts, cut into words, beside the references of each."""
    return np.array([_one(text, of) for text, of in zip(texts, references, strict=True)], dtype=np.float64)


def _one(text: Words, references: Sequence[Words]) -> float:
    common = longest_common(text, references)
    if not any(common):
        return 0.0
    precision = max(common) / len(text)
    recall = max(same / max(1, len(one)) for same, one in zip(common, references, strict=True))
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def longest_common(text: Words, others: Sequence[Words]) -> list[int]:
    """Words of the longest common subsequence of a text and each of some others.

    A word of another is one step for the whole text, whose places are bits: Hyyrö (2004), "Bit-Parallel LCS-
    length Computation Revisited". A bit is 0 where the subsequence grows by one.
    """
    places: dict[str, int] = {}
    for at, word in enumerate(text):
        places[word] = places.get(word, 0) | 1 << at
    every = (1 << len(text)) - 1
    found = []
    for other in others:
        row = every
        for word in other:
            here = row & places.get(word, 0)
            row = (row + here | row - here) & every
        found.append(len(text) - row.bit_count())
    return found
