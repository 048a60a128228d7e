"""What a recogniser should be better than: what is said most often, and the nearest recording there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from recurra.data.frequency import Array
from recurra.tasks.transcribe.augment import log_mel
from recurra.tasks.transcribe.features import lengths

if TYPE_CHECKING:
    from recurra.tasks.transcribe.recordings import Recordings

# Equal parts that a recording is cut into, and about how many frames of it are looked at.
PARTS, FRAMES = 6, 150
# How much its length counts beside one of the other numbers, of which there are many.
LENGTH = 5.0
# Recordings of the training part that are looked at, spread evenly over it.
MOST = 4_000
# Distances that are in memory at once.
CHUNK = 4_000_000


def most_frequent(texts: Sequence[str]) -> str:
    """The text that occurs most often; of several, the first of the alphabet."""
    counts = Counter(" ".join(text.split()) for text in texts)
    return min(counts.items(), key=lambda item: (-item[1], item[0]))[0]


class Nearest:
    """The transcript of the recording of the training part that sounds most alike.

    Each is a row of numbers: the mean and deviation of the energy of each mel band in some equal parts of it,
    less the mean of the whole, and how long it is. Each number has mean 0 and deviation 1, the last one
    LENGTH, over the training part; of the Euclidean distances, the least.
    """

    def __init__(self, rows: Array, texts: Sequence[str]) -> None:
        self._texts = list(texts)
        self._mean = rows.mean(0)
        deviation = rows.std(0)
        self._deviation = np.where(deviation > 0, deviation, 1)
        self._deviation[-1] /= LENGTH
        self._rows = (rows - self._mean) / self._deviation

    @classmethod
    def fit(cls, recordings: Recordings) -> Nearest:
        """Look at some recordings."""
        assert recordings.texts is not None
        chosen = np.arange(0, len(recordings), max(1, -(-len(recordings) // MOST)))
        return cls(described(recordings, chosen), [recordings.texts[n] for n in chosen])

    def transcribe(self, recordings: Recordings) -> list[str]:
        """What is said in the nearest recording to each."""
        rows = (described(recordings, np.arange(len(recordings))) - self._mean) / self._deviation
        square = (self._rows**2).sum(1)
        found: list[str] = []
        at_once = max(1, CHUNK // len(self._rows))
        for at in range(0, len(rows), at_once):
            # The square of a row itself is the same for all.
            distance = square - 2 * rows[at : at + at_once] @ self._rows.T
            found += [self._texts[n] for n in distance.argmin(1)]
        return found


def described(recordings: Recordings, which: Array) -> Array:
    """Numbers (N, 2 · PARTS · M + 1) of some recordings."""
    return np.stack([describe(recordings.samples(int(n)), recordings.rate) for n in which])


def describe(samples: Array, rate: int) -> Array:
    """Numbers (2 · PARTS · M + 1,) of one recording (N,)."""
    window, hop = lengths(rate)
    seconds = len(samples) / rate
    if len(samples) < window:
        samples = np.pad(samples, (0, window - len(samples)))
    # Of a long recording, fewer frames in a second tell as much.
    frames = log_mel(rate)(samples, max(hop, len(samples) // FRAMES)).astype(np.float64)
    frames -= frames.mean(0)
    edges = np.linspace(0, len(frames), PARTS + 1)
    parts = [frames[int(low) : max(int(low) + 1, int(np.ceil(high)))] for low, high in pairwise(edges)]
    told = [value for part in parts for value in (part.mean(0), part.std(0))]
    return np.concatenate([*told, [np.log1p(seconds)]])
