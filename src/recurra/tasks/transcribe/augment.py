"""The same recording as others might have said it, elsewhere: for training alone."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from recurra.tasks.transcribe.features import FLOOR, LogMel, lengths

Array = np.ndarray[Any, np.dtype[Any]]

# How much faster or slower (Ko et al. 2015, there with the pitch), and with a longer or shorter vocal tract
# (Jaitly & Hinton 2013).
TEMPO = 0.15
WARPS = tuple(0.88 + 0.03 * n for n in range(9))
# How often noise is added, and how far below the speech it lies, in decibels.
NOISY, ABOVE = 0.4, (5.0, 40.0)
# Natural logarithms of energy by which a recording is louder or softer; and by which a microphone or a room
# colours it, as so many cosines over the bands.
LOUDER, COLOURED, COSINES = 1.5, 0.7, 4
# SpecAugment (Park et al. 2019): bands left out, as a share of all, and stretches of time, one for so many
# frames, each of at most so many.
BANDS, STRETCHES = (2, 0.2), (80, 16)


@lru_cache
def log_mel(rate: int, warp: float = 1.0) -> LogMel:
    """The energies with frequencies raised by `warp`."""
    return LogMel(rate, warp)


def other(samples: Array, rate: int, rng: np.random.Generator, strength: float = 1.0) -> Array:
    """Frames (F, M) of samples (N,) that are said otherwise. strength: how much, from 0 to 1."""
    tempo = 1 + strength * rng.uniform(-TEMPO, TEMPO)
    warp = round((1 + strength * rng.uniform(-1, 1)) * (len(WARPS) // 2))
    frames = log_mel(rate, WARPS[warp])(
        noisy(samples, rng) if rng.random() < NOISY * strength else samples, round(lengths(rate)[1] * tempo)
    )
    frames += np.float32(strength) * coloured(frames.shape[1], rng)
    return np.maximum(frames, np.float32(np.log(FLOOR)), out=frames)


def coloured(bands: int, rng: np.random.Generator) -> Array:
    """What is added to energies (M,): loudness, and a smooth curve."""
    waves = np.cos(np.pi * np.outer(np.arange(1, COSINES + 1), np.arange(bands) + 0.5) / bands)
    found: Array = rng.uniform(-LOUDER, LOUDER) + rng.normal(0, COLOURED, COSINES) @ waves
    return found.astype(np.float32)


def noisy(samples: Array, rng: np.random.Generator) -> Array:
    """Samples (N,) with noise, between white and brown."""
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    noise = rng.standard_normal(len(samples)).astype(np.float32)
    leak = rng.uniform(0, 0.95)
    noise[1:] += np.float32(leak) * noise[:-1]
    scale = np.sqrt(power / max(float(np.mean(noise**2)), 1e-12) * 10 ** (-rng.uniform(*ABOVE) / 10))
    found: Array = samples + np.float32(scale) * noise
    return found


def masked(frames: Array, rng: np.random.Generator, strength: float = 1.0) -> Array:
    """Normal frames (F, M) with bands and stretches of time left out. strength: how much, from 0 to 1."""
    many, bands = frames.shape
    for _ in range(BANDS[0]):
        wide = rng.integers(int(strength * BANDS[1] * bands) + 1)
        at = rng.integers(bands - wide + 1)
        frames[:, at : at + wide] = 0
    for _ in range(many // STRETCHES[0] + 1):
        wide = rng.integers(int(strength * min(STRETCHES[1], many // 4)) + 1)
        at = rng.integers(many - wide + 1)
        frames[at : at + wide] = 0
    return frames
