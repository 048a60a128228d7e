"""The classical members run over whole series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from recurra.tasks.forecast.smoothing import SEASONS_NEEDED, TRENDS, Filters, Grid, first_seasons, periods

Array = np.ndarray[Any, np.dtype[Any]]

# Series that go through a step together: their filters stay near the processor.
TOGETHER = 64


@dataclass(frozen=True, slots=True)
class Tracks:
    """All members' states after every step of N series laid end to end, averaged over their grids.

    periods: P of them.  offset: (N,), where each series begins.
    level, slope, error: (sum of T_n, 3, 2P + 1) float32, as `Averages`.
    season: for each period (sum of T_n + N·period, 3, 2) float32, multiplicative and additive: the season's
    part as last updated at each step, `period` start values before them. Before two periods have been seen
    a seasonal member's states mean nothing.
    """

    periods: tuple[int, ...]
    offset: Array
    level: Array
    slope: Array
    error: Array
    season: tuple[Array, ...]

    def seasons(self, row: Array, step: Array, horizon: int) -> list[Array]:
        """For each period its part of the steps after `step` of series `row`: (W, 3, 2, horizon)."""
        at, ahead = self.offset[row] + step, np.arange(horizon)
        found = []
        for period, season in zip(self.periods, self.season, strict=True):
            # The same place in the last season seen; a series' season begins `period` steps before it.
            begin = at + period * row + 1
            found.append(np.moveaxis(season[begin[:, None] + ahead % period], 1, 3))
        return found


class Run(NamedTuple):
    """Filters after the last step of N series, and the states on the way there; see `Tracks`.

    filters, seasons: as the filters stand, a season (period, N, 3, 2, G) float32.
    level, slope, error: (N, T, 3, 2P + 1).  season: (N, period + T, 3, 2) for each period.
    """

    filters: Filters
    seasons: list[Array]
    level: Array
    slope: Array
    error: Array
    season: list[Array]


def smooth(series: Sequence[Array], seasons: Sequence[int]) -> Tracks:
    """Run all members over series of (T_n,), NaN where missing; their first steps must be known."""
    every = periods(seasons)
    length = np.array([len(y) for y in series], dtype=np.int64)
    offset = np.concatenate([[0], np.cumsum(length)[:-1]]).astype(np.int64)
    total, shape = int(length.sum()), (len(TRENDS), 2 * len(every) + 1)
    level, slope, error = (np.zeros((total, *shape), dtype=np.float32) for _ in range(3))
    season = tuple(np.zeros((total + p * len(series), len(TRENDS), 2), dtype=np.float32) for p in every)
    for block in _alike(length):
        there = [k for k, period in enumerate(every) if length[block].max() >= SEASONS_NEEDED * period]
        y = np.full((len(block), length[block].max()), np.nan)
        for row, n in enumerate(block):
            y[row, : length[n]] = series[n]
        found = run(y, length[block], tuple(every[k] for k in there))
        places = [*there, *(len(every) + k for k in there), 2 * len(every)]
        for row, n in enumerate(block):
            here = slice(offset[n], offset[n] + length[n])
            for state, part in zip((level, slope, error), found[2:5], strict=True):
                state[here, :, places] = part[row, : length[n]]
            for k, part in zip(there, found.season, strict=True):
                begin = offset[n] + every[k] * n
                season[k][begin : begin + length[n] + every[k]] = part[row, : length[n] + every[k]]
    return Tracks(every, offset, level, slope, error, season)


def _alike(length: Array) -> list[Array]:
    """Series of nearly the same length together, so that padding costs little."""
    order = np.argsort(length, kind="stable")
    cut = np.flatnonzero(np.diff(np.log2(length[order] + 8.0) // 0.5)) + 1
    blocks = np.split(order, cut)
    return [block[k : k + TOGETHER] for block in blocks for k in range(0, len(block), TOGETHER)]


def run(y: Array, length: Array, every: tuple[int, ...]) -> Run:
    """Run the members of these periods over y (N, T), NaN where missing; length: (N,), T of two periods."""
    count, steps = y.shape
    grid = Grid(len(every))
    filters = Filters.start(grid, y[:, 0])
    seasons = [
        _start(filters, grid, number, *first_seasons(y, length, period))
        for number, period in enumerate(every)
    ]
    shape = (count, steps, len(TRENDS), 2 * len(every) + 1)
    level, slope, error = (np.empty(shape, dtype=np.float32) for _ in range(3))
    found = [np.empty((count, period + steps, len(TRENDS), 2), dtype=np.float32) for period in every]
    for out, season, period in zip(found, seasons, every, strict=True):
        out[:, :period] = season[..., 0].swapaxes(0, 1)
    now = np.empty((count, len(TRENDS), grid.plain))
    here: Array = ~np.isnan(y)
    whole: Array = np.asarray(here.all(0))
    for t in range(steps):
        places = [season[t % period] for season, period in zip(seasons, every, strict=True)]
        grid.join(places, now)
        seen = filters.step(grid, y[:, t], np.full(count, t), now, None if whole[t] else here[:, t])
        level[:, t], slope[:, t], error[:, t] = seen[:3]
        for number, (place, period) in enumerate(zip(places, every, strict=True)):
            grid.part(number, now, place)
            found[number][:, period + t] = seen.season[..., grid.members(number)]
    return Run(filters, seasons, level, slope, error, found)


def _start(filters: Filters, grid: Grid, number: int, level: Array, season: Array) -> Array:
    """Set a period's filters to where `first_seasons` lets them begin; their seasons (period, N, 3, 2, G)."""
    for kind, at in enumerate(grid.kinds(number)):
        filters.level[..., at] = level[:, kind, None, None]
    shape = (season.shape[2], len(season), len(TRENDS), 2, grid.seasonal)
    return np.broadcast_to(season.transpose(2, 0, 1)[:, :, None, :, None], shape).astype(np.float32)
