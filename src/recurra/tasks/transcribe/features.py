"""What a recording sounds like from moment to moment: log-mel energies, the same in pieces and whole."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.nn.linear import linear

Array = np.ndarray[Any, np.dtype[Any]]

# Seconds that a frame covers, and from one to the next.
WINDOW, HOP = 0.025, 0.010
# Frames that a step of the network reads; what is left of them at the end is not read.
STACK = 3
# Steps of nothing that follow a recording, in which a network that hears late can finish.
TAIL = 10
# Mel bands, for each kHz that the rate has room for, and in all; the lowest frequency.
BANDS_PER_KHZ, MOST_BANDS, LOWEST = 10, 80, 60.0
# Energy below which all is silence: about that of the last bit of 16.
FLOOR = 1e-6
# Frames whose waves are in memory at once, 4 MB of them.
AT_ONCE = 1_000
# The mean that is taken off follows the recording: it begins with that of the training part, which counts as
# much as so many frames, and forgets what is further back than so many.
PRIOR, REACH = 25, 1_000


def steps(samples: int, rate: int) -> int:
    """Steps of the network that a recording has, without the tail."""
    window, hop = lengths(rate)
    return 0 if samples < window else (1 + (samples - window) // hop) // STACK


def lengths(rate: int) -> tuple[int, int]:
    """Samples of a frame, and from one to the next."""
    return round(WINDOW * rate), round(HOP * rate)


def step_seconds(rate: int) -> float:
    """From one step of the network to the next."""
    return STACK * lengths(rate)[1] / rate


@dataclass(frozen=True)
class LogMel:
    """ln(max(Σ_k W_mk |X_k|², FLOOR)), X being the short-time Fourier transform with a Hann window.

    The transform is a product with sines and cosines, and the logarithm a polynomial, so that a frame has the
    same bits wherever it stands and whichever machine computes it.

    rate: samples a second.  warp: by which all frequencies are raised (Jaitly & Hinton 2013).
    """

    rate: int
    warp: float = 1.0

    @property
    def bands(self) -> int:
        """M, how many energies there are."""
        return min(MOST_BANDS, BANDS_PER_KHZ * (self.rate // 2000))

    def __call__(self, samples: Array, hop: int | None = None) -> Array:
        """Frames (F, M) float32 of samples (N,); hop: samples from one to the next."""
        window, usual = lengths(self.rate)
        hop = hop or usual
        if len(samples) < window:
            return np.zeros((0, self.bands), dtype=np.float32)
        frames = np.lib.stride_tricks.sliding_window_view(samples, window)[::hop]
        found = np.empty((len(frames), self.bands), dtype=np.float32)
        for at in range(0, len(frames), AT_ONCE):
            found[at : at + AT_ONCE] = self._energies(frames[at : at + AT_ONCE])
        return logarithm(np.maximum(found, np.float32(FLOOR), out=found))

    def _energies(self, frames: Array) -> Array:
        """Energies (F, M) of frames (F, window)."""
        with torch.no_grad():
            waved = linear(torch.from_numpy(np.array(frames, dtype=np.float32, order="C")), self.waves)
            real, imaginary = waved.chunk(2, 1)
            energies: Array = linear(real * real + imaginary * imaginary, self.bank).numpy()
        return energies

    @cached_property
    def _points(self) -> int:
        return int(2 ** math.ceil(math.log2(lengths(self.rate)[0])))

    @cached_property
    def waves(self) -> Tensor:
        """(2 K, window) float32: cosines, then sines, times the window."""
        window, points = lengths(self.rate)[0], self._points
        n, k = np.arange(window), np.arange(points // 2 + 1)
        angle = 2 * np.pi * ((k[:, None] * n) % points) / points
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * n / window)
        waves = np.concatenate([np.cos(angle), -np.sin(angle)]) * hann / math.sqrt((hann**2).sum())
        return torch.from_numpy(waves.astype(np.float32))

    @cached_property
    def bank(self) -> Tensor:
        """(M, K) float32: triangles, evenly spaced by mel(f) = 2595 lg(1 + f / 700)."""
        highest = self.rate / 2
        centres = np.linspace(mel(LOWEST), mel(highest), self.bands + 2)
        corners = 700 * (10 ** (centres / 2595) - 1) * self.warp
        k = np.arange(self._points // 2 + 1) * self.rate / self._points
        low, mid, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
        found = np.minimum((k - low) / (mid - low), (high - k) / (high - mid))
        return torch.from_numpy(np.maximum(found, 0).astype(np.float32))


def mel(hertz: float) -> float:
    """The mel scale of O'Shaughnessy (1987)."""
    return 2595 * math.log10(1 + hertz / 700)


# ln(1 + f) = f - f²/2 + f³ P(f) for √½ - 1 <= f <= √2 - 1, as in Cephes (Moshier 1992); ln 2 in two parts.
P = (
    7.0376836292e-2,
    -1.1514610310e-1,
    1.1676998740e-1,
    -1.2420140846e-1,
    1.4249322787e-1,
    -1.6668057665e-1,
    2.0000714765e-1,
    -2.4999993993e-1,
    3.3333331174e-1,
)
LN2 = 0.693359375, -2.12194440e-4


def logarithm(x: Array) -> Array:
    """ln x of positive float32, each operation rounded by itself: the same bits on every machine."""
    part, power = np.frexp(x)
    small = part < np.float32(math.sqrt(0.5))
    f = np.where(small, part + part, part) - np.float32(1)
    e = (power - small).astype(np.float32)
    square = f * f
    y = np.full_like(f, P[0])
    for coefficient in P[1:]:
        y = y * f + np.float32(coefficient)
    y = y * f * square + e * np.float32(LN2[1]) - square * np.float32(0.5)
    found: Array = f + y + e * np.float32(LN2[0])
    return found


@dataclass
class Normal:
    """Takes the running mean off frames and divides by the training part's deviation, frame by frame.

    m_t = m_{t-1} + (x_t - m_{t-1}) / min(PRIOR + t, REACH),  y_t = (x_t - m_t) / s

    mean, deviation: (M,) float32 of the training part.  state: (B, M), m_{t-1}.  seen: (B,), t - 1.
    """

    mean: Array
    deviation: Array
    rate: Array = field(init=False)

    def __post_init__(self) -> None:
        self.rate = np.float32(1) / np.minimum(PRIOR + np.arange(1, REACH - PRIOR + 2), REACH).astype(
            np.float32
        )

    def __call__(self, frames: Array, state: Array | None = None, seen: int = 0) -> tuple[Array, Array]:
        """y (T, M) of frames (T, M) and the mean (M,) after them."""
        mean = self.mean.copy() if state is None else state.copy()
        found = np.empty_like(frames)
        for t, x in enumerate(frames):
            mean += (x - mean) * self.rate[min(seen + t, len(self.rate) - 1)]
            np.subtract(x, mean, out=found[t])
        return found / self.deviation, mean


def stacked(frames: Array) -> Array:
    """Steps (T, STACK · M) of frames (F, M)."""
    many = len(frames) // STACK
    return frames[: many * STACK].reshape(many, STACK * frames.shape[1])
