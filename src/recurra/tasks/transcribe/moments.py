"""How loud speech is in each band, and how much that varies."""

from __future__ import annotations

import numpy as np

from recurra.tasks.transcribe.augment import log_mel
from recurra.tasks.transcribe.recordings import Recordings

# Recordings that are looked at, spread over all; more would hardly change what is found.
LOOKED_AT = 500
# Less than this no band varies, but for one in which nothing is heard.
LEAST = 0.1


def moments(part: Recordings) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation (M,) of the log-mel energies."""
    mel = log_mel(part.rate)
    total, squares, many = np.zeros(mel.bands), np.zeros(mel.bands), 0
    for n in np.unique(np.linspace(0, len(part) - 1, min(LOOKED_AT, len(part))).astype(int)):
        frames = mel(part.samples(int(n))).astype(np.float64)
        total += frames.sum(0)
        squares += np.square(frames).sum(0)
        many += len(frames)
    mean = total / max(1, many)
    deviation = np.sqrt(np.maximum(squares / max(1, many) - mean**2, LEAST**2))
    return tuple(map(float, mean)), tuple(map(float, deviation))
