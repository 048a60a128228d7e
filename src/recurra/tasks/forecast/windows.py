"""Rolling origins: which part of which series a forecast may see, and what it is to predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from recurra.tasks.forecast.data import Panel

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Windows:
    """W pairs of a series and an origin: the forecast sees `target[:origin]` and predicts the steps after it.

    series: (W,) int64, index into the panel.
    origin: (W,) int64, steps from the start of the series.
    """

    series: Array
    origin: Array

    def __len__(self) -> int:
        return len(self.series)

    def take(self, index: Array | slice) -> Windows:
        """The windows at these places."""
        return Windows(self.series[index], self.origin[index])


def windows(
    panel: Panel, first: Array, last: Array, horizon: int, stride: int, *, limit: int | None = None
) -> Windows:
    """Origins `first_n`, `first_n + stride`, … up to `last_n - horizon` of every series.

    first, last: (N,) int64, steps from the start of each series; an origin before step 1 is skipped, since
    it would see nothing. More than `limit` windows are thinned evenly over series and time, always alike.
    """
    series, origins = [], []
    for n in range(len(panel.ids)):
        here = np.arange(first[n], last[n] - horizon + 1, stride, dtype=np.int64)
        here = here[here >= 1]
        origins.append(here)
        series.append(np.full(len(here), n, dtype=np.int64))
    empty = np.empty(0, dtype=np.int64)
    every = Windows(np.concatenate([empty, *series]), np.concatenate([empty, *origins]))
    return every if limit is None else every.take(spread(len(every), limit))


def stride(horizon: int, seasons: Sequence[int]) -> int:
    """Steps between origins: about a quarter of the horizon, and never in step with a season.

    A stride that shares no factor with the seasons lets origins fall on every hour, or weekday, in turn.
    """
    found = max(1, horizon // 4)
    while any(gcd(found, season) > 1 for season in seasons):
        found += 1
    return found


def spread(size: int, limit: int, seed: int = 0) -> Array:
    """Ascending places of `limit` of `size` items, one drawn from each of `limit` equal parts.

    Drawing inside the parts, rather than taking every k-th item, keeps the choice from following a season.
    """
    if size <= limit:
        return np.arange(size)
    edges = np.linspace(0, size, limit + 1).astype(np.int64)
    draw: Array = np.random.default_rng(seed).random(limit)
    return edges[:-1] + (draw * np.diff(edges)).astype(np.int64)


def truths(panel: Panel, which: Windows, horizon: int) -> Array:
    """What happened: (W, horizon) float64, NaN where it is missing or lies beyond the end of the series."""
    known = np.full((len(which), horizon), np.nan)
    for w, (n, origin) in enumerate(zip(which.series, which.origin, strict=True)):
        seen = panel.target[n][origin : origin + horizon]
        known[w, : len(seen)] = seen
    return known
