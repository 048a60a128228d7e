"""The running states of `History` for series that come step by step: the same bits, in constant memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from recurra.tasks.forecast.history import (
    before,
    changes_kept,
    cut,
    lags,
    level_of,
    logs_of,
    scale_of,
    scaled,
    season_of,
    units,
)
from recurra.tasks.forecast.recent import Counts, Sums
from recurra.tasks.forecast.smoothing import (
    FILTERS,
    SEASONS_NEEDED,
    TRENDS,
    Averages,
    Filters,
    Grid,
    periods,
)
from recurra.tasks.forecast.tracks import run
from recurra.tasks.forecast.view import States

Array = np.ndarray[Any, np.dtype[Any]]
Parts = Mapping[str, Array]

# Series that go on together: their filters stay near the processor.
TOGETHER = 64


@dataclass(frozen=True)
class Running:
    """The step from one known value to the next, for any of S series whose states lie in slots.

    A missing step changes nothing until the next known one comes: nothing is forecast from it.
    """

    seasons: tuple[int, ...]
    look_back: int

    def fresh(self) -> dict[str, Array]:
        """The states of a series that has not begun.

        steps, count: from its first known value on, to its last one; those known.
        unit, settled: see `units`; whether a value that is not zero has been seen.
        value, since: rings of values, NaN where missing, and of steps since the last known one.
        total, low, high, level, scale: of the known values, as `History` has them.
        near, change: see `Sums` and `Counts`; known values of a season, changes by lag.
        filters, season: `Filters`, and for each period its filters' seasons, a ring.
        level of members and the like: `Averages`, the season's for each period, a ring.
        """
        grid, season, ring = self._grid, season_of(self.seasons), self._ring
        kept, by = changes_kept(season), len(lags(season))
        parts: dict[str, Array] = {
            "steps": np.zeros((), np.int64),
            "count": np.zeros((), np.int64),
            "unit": np.ones(()),
            "settled": np.zeros((), np.bool_),
            "value": np.full(ring, np.nan),
            "since": np.zeros(ring, np.int32),
            "total": np.zeros(()),
            "low": np.full((), np.inf),
            "high": np.full((), -np.inf),
            "level": np.zeros(()),
            "scale": np.ones(()),
            "near.kept": np.zeros((season, 1)),
            "near.sums": np.zeros(1),
            "near.known": np.zeros((season, 1), np.bool_),
            "near.counts": np.zeros(1, np.int64),
        }
        for what in ("logs", "usual"):
            parts |= {f"{what}.kept": np.zeros((kept, by)), f"{what}.sums": np.zeros(by)}
        for what in ("moved", "known"):
            parts |= {
                f"{what}.kept": np.zeros((kept, by), np.bool_),
                f"{what}.sums": np.zeros(by, np.int64),
            }
        filters, mean = Filters.start(grid, np.zeros(1)), (len(TRENDS), 2 * len(self._periods) + 1)
        parts |= {f"filters.{name}": getattr(filters, name)[0] for name in FILTERS}
        parts |= {f"member.{name}": np.zeros(mean, np.float32) for name in ("level", "slope", "error")}
        neutral = np.broadcast_to(np.array([[1.0], [0.0]]), (len(TRENDS), 2, grid.seasonal))
        for number, period in enumerate(self._periods):
            parts[f"season.{number}"] = np.tile(neutral.astype(np.float32), (period, 1, 1, 1))
            parts[f"member.season.{number}"] = np.zeros((period, len(TRENDS), 2), np.float32)
        return parts

    @cached_property
    def _periods(self) -> tuple[int, ...]:
        return periods(self.seasons)

    @cached_property
    def _grid(self) -> Grid:
        return Grid(len(self._periods))

    @cached_property
    def _ring(self) -> int:
        """What the network looks back at, and the seasons that members begin with."""
        return max(self.look_back, SEASONS_NEEDED * max(self.seasons, default=1))

    def take(self, parts: Parts, rows: Array, y: Array, gap: Array) -> None:
        """Known values y (n,) of series `rows` (n,), all different; gap: missing steps before, (n,)."""
        with np.errstate(over="ignore", under="ignore"):
            for steps in np.unique(gap[gap > 0]) if gap.any() else ():
                self._skip(parts, rows[gap == steps], int(steps))
            for first in range(0, len(rows), TOGETHER):
                some = slice(first, first + TOGETHER)
                self._known(parts, rows[some], y[some])

    def states(self, parts: Parts, rows: Array, horizon: int) -> States:
        """What is known of series `rows` (W,), which have begun, after their last known value."""
        step = parts["steps"][rows] - 1
        places = step[:, None] - np.arange(self.look_back - 1, -1, -1)
        there, ring, row = places >= 0, places % self._ring, rows[:, None]
        low, high = parts["low"][rows], parts["high"][rows]
        ahead = step[:, None] + np.arange(1, horizon + 1)
        return States(
            periods=self._periods,
            step=step,
            past=np.where(there, parts["value"][row, ring], np.nan),
            since=np.where(there, parts["since"][row, ring], before(self.look_back)),
            unit=parts["unit"][rows],
            level=parts["level"][rows],
            scale=parts["scale"][rows],
            flat=low == high,
            positive=low > 0,
            nonnegative=low >= 0,
            members=parts["member.level"][rows],
            slopes=parts["member.slope"][rows],
            errors=parts["member.error"][rows],
            seasons=[
                np.moveaxis(parts[f"member.season.{number}"][row, ahead % period], 1, 3)
                for number, period in enumerate(self._periods)
            ],
        )

    def _known(self, parts: Parts, rows: Array, y: Array) -> None:
        step = parts["steps"][rows]
        y = self._in_unit(parts, rows, y)
        period = season_of(self.seasons)
        back = np.stack([self._value(parts, rows, step - lag) for lag in lags(period)], 1)
        ring = step % self._ring
        parts["value"][rows, ring], parts["since"][rows, ring] = y, 0
        count, total = parts["count"][rows] + 1, parts["total"][rows] + y
        parts["count"][rows], parts["total"][rows] = count, total
        parts["low"][rows] = np.minimum(parts["low"][rows], y)
        parts["high"][rows] = np.maximum(parts["high"][rows], y)
        inside = _near_known(parts).add(rows, step, np.ones((len(rows), 1), np.bool_))[:, 0]
        level = level_of(inside, _near(parts).add(rows, step, y[:, None])[:, 0], count, total)
        parts["level"][rows] = level
        parts["scale"][rows] = scale_of(_usual(parts, rows, step, np.abs(y[:, None] - back)), level)
        new = rows[step == 0]
        if len(new):
            parts["filters.level"][new] = y[step == 0, None, None]
        self._smooth(parts, rows, step, y)
        parts["steps"][rows] += 1
        self._settle(parts, rows)

    def _in_unit(self, parts: Parts, rows: Array, y: Array) -> Array:
        first = ~parts["settled"][rows] & (y != 0)
        if first.any():
            parts["unit"][rows[first]], parts["settled"][rows[first]] = units(y[first]), True
        return scaled(y, parts["unit"][rows])

    def _value(self, parts: Parts, rows: Array, step: Array) -> Array:
        return np.where(step >= 0, parts["value"][rows, step % self._ring], np.nan)

    def _smooth(self, parts: Parts, rows: Array, step: Array, y: Array | None) -> None:
        """One step of the filters; y: None where it is missing."""
        grid, every = self._grid, _filters(parts)
        filters = every.take(rows)
        places = [step % period for period in self._periods]
        seasons = [parts[f"season.{number}"][rows, at] for number, at in enumerate(places)]
        now = np.empty((len(rows), len(TRENDS), grid.plain))
        grid.join(seasons, now)
        if y is None:
            seen = filters.step(grid, np.zeros(len(rows)), step, now, np.zeros(len(rows), np.bool_))
        else:
            seen = filters.step(grid, y, step, now)
        every.put(rows, filters)
        for name, part in zip(Averages._fields[:3], seen[:3], strict=True):
            parts[f"member.{name}"][rows] = part
        for number, (at, season) in enumerate(zip(places, seasons, strict=True)):
            grid.part(number, now, season)
            parts[f"season.{number}"][rows, at] = season
            parts[f"member.season.{number}"][rows, at] = seen.season[..., grid.members(number)]

    def _skip(self, parts: Parts, rows: Array, steps: int) -> None:
        """So many missing steps of series that have begun."""
        left = steps
        while left:
            step = parts["steps"][rows]
            few = self._before_settling(step, left)
            self._fade(parts, rows, step, few)
            for sums in (_near(parts), _near_known(parts), *_changes(parts)):
                sums.skip(rows, step, few)
            places = step[:, None] + np.arange(max(few - self._ring, 0), few)
            ring, row = places % self._ring, rows[:, None]
            # since: a value lies that far back from the last known one
            gone = parts["since"][rows, (step - 1) % self._ring][:, None]
            parts["value"][row, ring], parts["since"][row, ring] = np.nan, gone + places - step[:, None] + 1
            parts["steps"][rows] += few
            self._settle(parts, rows)
            left -= few

    def _before_settling(self, step: Array, steps: int) -> int:
        """How many of the steps go by before a series has the seasons that a member begins with."""
        for period in self._periods:
            short = SEASONS_NEEDED * period - step
            steps = min([steps, *short[short > 0].tolist()])
        return steps

    def _fade(self, parts: Parts, rows: Array, step: Array, steps: int) -> None:
        """Missing steps of the filters; averages are wanted of the last season's alone."""
        quick = max(steps - max(self._periods, default=0), 0)
        if quick:
            every = _filters(parts)
            filters = every.take(rows)
            filters.fade(quick)
            every.put(rows, filters)
        for later in range(quick, steps):
            self._smooth(parts, rows, step + later, None)

    def _settle(self, parts: Parts, rows: Array) -> None:
        """Where the seasons that members begin with are whole, begin, and catch up."""
        for number, period in enumerate(self._periods):
            length = SEASONS_NEEDED * period
            whole = rows[parts["steps"][rows] == length]
            for first in range(0, len(whole), TOGETHER):
                some = whole[first : first + TOGETHER]
                self._catch_up(parts, some, number, parts["value"][some, :length])

    def _catch_up(self, parts: Parts, rows: Array, number: int, y: Array) -> None:
        period = self._periods[number]
        found = run(y, np.full(len(rows), y.shape[1]), (period,))
        one, grid, every = Grid(1), self._grid, _filters(parts)
        for mine, here in zip(one.kinds(0), grid.kinds(number), strict=True):
            for name in ("level", "slope", "squares", "drift"):
                getattr(every, name)[rows, :, here] = getattr(found.filters, name)[..., mine]
        for name, part in zip(Averages._fields[:3], found[2:5], strict=True):
            parts[f"member.{name}"][rows, :, grid.members(number)] = part[:, -1, :, :2]
        parts[f"season.{number}"][rows] = found.seasons[0].swapaxes(0, 1)
        parts[f"member.season.{number}"][rows] = found.season[0][:, -period:]


def _filters(parts: Parts) -> Filters:
    return Filters(*[parts[f"filters.{name}"] for name in FILTERS])


def _near(parts: Parts) -> Sums:
    return Sums(parts["near.kept"], parts["near.sums"])


def _near_known(parts: Parts) -> Counts:
    return Counts(parts["near.known"], parts["near.counts"])


def _changes(parts: Parts) -> tuple[Sums, Sums, Counts, Counts]:
    """Logs of changes, usual changes; how many moved, and are known."""
    logs, usual = (Sums(parts[f"{name}.kept"], parts[f"{name}.sums"]) for name in ("logs", "usual"))
    moved, known = (Counts(parts[f"{name}.kept"], parts[f"{name}.sums"]) for name in ("moved", "known"))
    return logs, usual, moved, known


def _usual(parts: Parts, rows: Array, step: Array, change: Array) -> Array:
    """Take in changes (n, lags), NaN where unknown; the usual ones, (n, lags)."""
    logs, usual, moved, known = _changes(parts)
    here = ~np.isnan(change)
    change = np.where(here, change, 0.0)
    has_moved, log = logs_of(change)
    some = cut(change, logs.add(rows, step, log), moved.add(rows, step, has_moved))
    return usual.add(rows, step, some) / np.maximum(known.add(rows, step, here), 1)
