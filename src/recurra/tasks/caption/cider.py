"""CIDEr-D: how much a caption is like its references in what few other pictures' references say.

Vedantam, Zitnick & Parikh (2015), as the evaluation of COCO's captions has it. Of the runs of n words, n = 1
to 4, that a text has, w = count · (log N − log df), where df of the N pictures have the run in a reference:

    CIDEr-D_n = mean over references r of  Σ min(w_t, w_r) w_r / (|w_t| |w_r|) · exp(−(l_t − l_r)² / 2 σ²)

and 10 times the mean over n; l counts the runs of two words. One picture alone, whose every run has w = 0,
scores 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from recurra.data.frequency import Array

ORDER, SIGMA, SCALE = 4, 6.0, 10.0

Words = Sequence[str]


class Runs(NamedTuple):
    """Of all texts the runs of n words, each once, in order of the text and of the run's number."""

    text: Array  # (M,) int64 which one has the run
    run: Array  # (M,) int64 from 0 to kinds - 1
    times: Array  # (M,) int64 how often
    kinds: int


def cider_d(texts: Sequence[Words], references: Sequence[Sequence[Words]]) -> Array:
    """(N,) float64 from 0 to 10 of texts, cut into words, beside the references of each.

    df is of these references.
    """
    many = [len(of) for of in references]
    # The references of all pictures, then the texts; the picture of each reference, and its text.
    every = [*chain.from_iterable(references), *texts]
    picture = np.repeat(np.arange(len(many)), many)
    beside = len(picture) + picture
    likeness = np.zeros(len(picture))
    for runs in runs_of(every):
        weight = runs.times * _rarity(runs, picture, len(many))[runs.run]
        norm = np.sqrt(np.bincount(runs.text, weight**2, len(every)))
        product = norm[beside] * norm[: len(beside)]
        # Texts without a run have no likeness.
        likeness += _inner(runs, weight, beside) / np.where(product > 0, product, 1)
    pairs = np.array([max(0, len(one) - 1) for one in every], dtype=np.int64)
    likeness *= np.exp(-((pairs[beside] - pairs[: len(beside)]) ** 2) / (2 * SIGMA**2))
    found: Array = np.bincount(picture, likeness, len(many)) / np.maximum(1, many) * (SCALE / ORDER)
    return found


def runs_of(texts: Sequence[Words]) -> Iterator[Runs]:
    """The runs of 1 to ORDER words."""
    known: dict[str, int] = {}
    word = np.array([known.setdefault(one, len(known)) for one in chain.from_iterable(texts)], dtype=np.int64)
    sizes = np.array([len(one) for one in texts], dtype=np.int64)
    text = np.repeat(np.arange(len(texts)), sizes)
    # Words from each one to the end of its text.
    left = np.repeat(np.cumsum(sizes), sizes) - np.arange(len(word))
    run, start = word, np.arange(len(word))
    for n in range(1, ORDER + 1):
        if n > 1:
            longer = left[start] >= n
            start = start[longer]
            # Small numbers again, so that the product has room.
            run = np.unique(run[longer] * len(known) + word[start + n - 1], return_inverse=True)[1]
        kinds = int(run.max(initial=0)) + 1
        pair, times = np.unique(text[start] * kinds + run, return_counts=True)
        yield Runs(pair // kinds, pair % kinds, times, kinds)


def _rarity(runs: Runs, picture: Array, pictures: int) -> Array:
    """(kinds,) log N − log df. picture: (R,) of each reference."""
    rows = runs.text < len(picture)
    once = np.unique(picture[runs.text[rows]] * runs.kinds + runs.run[rows])
    frequency = np.bincount(once % runs.kinds, minlength=runs.kinds)
    found: Array = np.log(max(1, pictures)) - np.log(np.maximum(1, frequency))
    return found


def _inner(runs: Runs, weight: Array, beside: Array) -> Array:
    """(R,) of each reference Σ min(w_t, w_r) w_r.  weight: (M,).  beside: (R,) which text is judged by it."""
    rows = np.flatnonzero(runs.text < len(beside))
    key = runs.text * runs.kinds + runs.run
    wanted = beside[runs.text[rows]] * runs.kinds + runs.run[rows]
    # Sorted, as runs are in order; what is not found has the place of another.
    place = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
    weighed = np.where(key[place] == wanted, np.minimum(weight[place], weight[rows]) * weight[rows], 0)
    return np.bincount(runs.text[rows], weighed, len(beside)).astype(np.float64)
