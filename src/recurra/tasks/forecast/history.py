"""What is known of every series at every step, and nothing later: the forecaster's inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.tasks.forecast.recent import last
from recurra.tasks.forecast.smoothing import members
from recurra.tasks.forecast.tracks import Tracks, smooth
from recurra.tasks.forecast.view import States, View, view
from recurra.tasks.forecast.windows import Windows

if TYPE_CHECKING:
    from recurra.tasks.forecast.data import Panel

Array = np.ndarray[Any, np.dtype[Any]]

# A series that hardly changes is measured by this share of its level instead.
LEAST_CHANGE = 1e-4
# The usual change is that of so many last seasons, at least so many steps; a change counts as at most so many
# times the typical one, so that a shift of the level or a slip of the pen does not blind it to all others.
SEASONS_BACK, STEPS_BACK, MOST_CHANGE = 30, 256, 10.0
# Beyond this many times its first value a series is cut, so that squares, and float32, stay finite.
LARGEST = 1e30
MOST_BITS = 1000  # of a unit


@dataclass(frozen=True, slots=True)
class History:
    """The running states of N series, laid end to end: arrays of (sum of T_n,) unless said otherwise.

    unit, offset, length: (N,).  Values are divided by `unit`, a power of two, so that squares stay finite.
    """

    unit: Array
    offset: Array
    length: Array
    value: Array
    since: Array
    level: Array  # mean of the last season's known values
    scale: Array  # mean absolute change over a season, as MASE has it, of the last seasons
    flat: Array  # bool: nothing has ever changed
    positive: Array  # bool: nothing at or below zero so far
    nonnegative: Array
    tracks: Tracks

    @staticmethod
    def of(panel: Panel) -> History:
        """Run all members over the panel's series once."""
        seasons = tuple(panel.schema.seasons)
        unit = np.array([_unit(y) for y in panel.target])
        series = [scaled(y, u) for y, u in zip(panel.target, unit, strict=True)]
        length = np.array([len(y) for y in series], dtype=np.int64)
        states = [_running(y, season_of(seasons)) for y in series]
        joined = (np.concatenate(parts) for parts in zip(*states, strict=True))
        value, since, level, scale, flat, positive, nonnegative = joined
        offset = np.concatenate([[0], np.cumsum(length)[:-1]]).astype(np.int64)
        return History(
            unit=unit,
            offset=offset,
            length=length,
            value=value,
            since=since,
            level=level,
            scale=scale,
            flat=flat,
            positive=positive,
            nonnegative=nonnegative,
            tracks=smooth(series, seasons),
        )

    def view(self, which: Windows, look_back: int, horizon: int, hidden: Array | None = None) -> View:
        """The windows' inputs and targets; targets from step `hidden` (N,) on are left out."""
        row, step = which.series, which.origin - 1
        at = self.offset[row] + step
        past, since = self._past(at, step, look_back)
        ahead = np.arange(horizon)
        end = self.length if hidden is None else np.minimum(self.length, hidden)
        known = (step[:, None] + 1 + ahead < end[row, None]) & ~self.flat[at, None]
        target = np.where(known, self.value[np.where(known, at[:, None] + 1 + ahead, 0)], np.nan)
        states = States(
            periods=self.tracks.periods,
            step=step,
            past=past,
            since=since,
            unit=self.unit[row],
            level=self.level[at],
            scale=self.scale[at],
            flat=self.flat[at],
            positive=self.positive[at],
            nonnegative=self.nonnegative[at],
            members=self.tracks.level[at],
            slopes=self.tracks.slope[at],
            errors=self.tracks.error[at],
            seasons=self.tracks.seasons(row, step, horizon),
        )
        return view(states, target)

    def _past(self, at: Array, step: Array, look_back: int) -> tuple[Array, Array]:
        back = np.arange(look_back - 1, -1, -1)
        there = back <= step[:, None]
        place = np.where(there, at[:, None] - back, 0)
        return np.where(there, self.value[place], np.nan), np.where(
            there, self.since[place], before(look_back)
        )


def before(look_back: int) -> Array:
    """Steps since the last known value at the places of a window that lie before its series, (look_back,)."""
    return np.arange(1, look_back + 1)


def member_names(seasons: tuple[int, ...]) -> tuple[str, ...]:
    """What the members of `View.members` are called, in order."""
    names = []
    for member in members(seasons):
        season = "" if member.kind == "none" else f", {member.kind} season {member.period}"
        names.append(f"{member.trend}{season}")
    return (*names, "last season's mean")


def season_of(seasons: tuple[int, ...]) -> int:
    """The period that levels and usual changes are of."""
    return seasons[0] if seasons else 1


def lags(period: int) -> tuple[int, ...]:
    """Of the usual change: the season's, and the next step's where the season's is zero."""
    return (period, 1) if period > 1 else (1,)


def changes_kept(period: int) -> int:
    """Steps that the usual change is the mean of."""
    return max(SEASONS_BACK * period, STEPS_BACK)


def units(first: Array) -> Array:
    """The powers of two next to values that are not zero; dividing by them loses no bits."""
    share, power = np.frexp(np.abs(first))
    return np.asarray(np.ldexp(1.0, np.clip(power - (share < np.sqrt(0.5)), -MOST_BITS, MOST_BITS)))


def scaled(y: Array, unit: Array | float) -> Array:
    """Values in a series' own unit."""
    return np.asarray(np.clip(y / unit, -LARGEST, LARGEST))


def _unit(y: Array) -> float:
    """By the first value that is not zero."""
    known = y[np.isfinite(y) & (y != 0)]
    return float(units(known[:1])[0]) if len(known) else 1.0


def _running(y: Array, period: int) -> tuple[Array, ...]:
    """The states of `History` of one series (T,), in order, each from what came before."""
    steps = np.arange(len(y))
    known = ~np.isnan(y)
    filled = np.where(known, y, 0.0)
    count, total = np.cumsum(known), np.cumsum(filled)
    since = steps - np.maximum.accumulate(np.where(known, steps, 0))
    level = level_of(last(known, period), last(filled, period), count, total)
    scale = scale_of(np.stack([_usual_change(y, lag, period) for lag in lags(period)], 1), level)
    low = np.minimum.accumulate(np.where(known, y, np.inf))
    high = np.maximum.accumulate(np.where(known, y, -np.inf))
    return y, since, level, scale, low == high, low > 0, low >= 0


def level_of(inside: Array, recent: Array, count: Array, total: Array) -> Array:
    """The mean of the last season's known values, else of all."""
    return np.where(inside > 0, recent / np.maximum(inside, 1), total / np.maximum(count, 1))


def scale_of(changes: Array, level: Array) -> Array:
    """The usual change by which a series is measured: the first of `changes` (…, lags) that is not zero."""
    scale = changes[:, 0]
    if changes.shape[1] > 1:
        scale = np.where(scale > 0, scale, changes[:, 1])
    scale = np.maximum(scale, LEAST_CHANGE * np.abs(level))
    return np.where(scale > 0, scale, 1.0)


def logs_of(change: Array) -> tuple[Array, Array]:
    """Whether values moved, and logs of the changes that are not zero; change: 0 where unknown."""
    moved = change > 0
    return moved, np.log(np.where(moved, change, 1.0))


def cut(change: Array, logs: Array, moved: Array) -> Array:
    """Changes, each at most so many typical ones; logs, moved: sums over the last steps."""
    return np.minimum(change, MOST_CHANGE * np.exp(logs / np.maximum(moved, 1)))


def _usual_change(y: Array, lag: int, period: int) -> Array:
    """Mean of |y_t - y_(t-lag)| over the last seasons, extremes cut; 0 where there is none."""
    count = changes_kept(period)
    change = np.full(len(y), np.nan)
    change[lag:] = np.abs(y[lag:] - y[:-lag])
    known = ~np.isnan(change)
    change = np.where(known, change, 0.0)
    moved, logs = logs_of(change)
    usual = cut(change, last(logs, count), last(moved, count))
    return np.asarray(last(usual, count) / np.maximum(last(known, count), 1))
