"""Forecasts that need no training: naive, seasonal naive and drift, with their intervals.

Points and normal intervals follow Hyndman & Athanasopoulos, "Forecasting: Principles and Practice" (3rd ed.),
sections 5.2 and 5.5. Missing values are stepped over: the last known value counts, and the time since then
widens the interval. Nothing at or after the origin is looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.tasks.forecast.windows import Windows

if TYPE_CHECKING:
    from recurra.tasks.forecast.data import Panel

Array = np.ndarray[Any, np.dtype[Any]]
HUGE = 2.0**500
# (panel, windows, horizon, levels) -> (W, H, Q)
Baseline = Callable[["Panel", Windows, int, tuple[float, ...]], Array]


def naive(panel: Panel, which: Windows, horizon: int, levels: tuple[float, ...]) -> Array:
    """The last known value, for ever; (W, horizon, Q), NaN where no value is known before the origin."""
    return _each_series(panel, which, horizon, levels, _naive)


def drift(panel: Panel, which: Windows, horizon: int, levels: tuple[float, ...]) -> Array:
    """The line through the first and the last known value; (W, horizon, Q)."""
    return _each_series(panel, which, horizon, levels, _drift)


def seasonal_naive(period: int) -> Baseline:
    """The last known value of the same season; the naive forecast where that season was never seen."""

    def forecast(panel: Panel, which: Windows, horizon: int, levels: tuple[float, ...]) -> Array:
        return _each_series(panel, which, horizon, levels, lambda y, o, h: _seasonal(y, o, h, period))

    return forecast


def _each_series(
    panel: Panel,
    which: Windows,
    horizon: int,
    levels: tuple[float, ...],
    method: Callable[[Array, Array, Array], tuple[Array, Array]],
) -> Array:
    """Run a method, which gives point and deviation (w, H), on all windows of a series at once."""
    steps = np.arange(1, horizon + 1)
    z = np.array([NormalDist().inv_cdf(level) for level in levels])
    found = np.full((len(which), horizon, len(levels)), np.nan)
    order = np.argsort(which.series, kind="stable")
    series, starts = np.unique(which.series[order], return_index=True)
    for n, rows in zip(series, np.split(order, starts[1:]), strict=True):
        y = panel.target[n]
        # Squares of numbers beyond 1e154 overflow; a power of two takes them back without rounding.
        largest = float(np.nanmax(np.abs(y), initial=0.0))
        unit = 2.0 ** np.floor(np.log2(largest)) if largest > HUGE else 1.0
        point, deviation = method(y / unit, which.origin[rows], steps)
        with np.errstate(over="ignore"):
            found[rows] = (point[..., None] + deviation[..., None] * z) * unit
    return found


def _last_known(y: Array) -> Array:
    """(T + 1,) place of the last known value before each step; -1 where there is none."""
    place = np.where(np.isfinite(y), np.arange(len(y)), -1)
    return np.concatenate([[-1], np.maximum.accumulate(place)]).astype(np.int64)


def _changes(y: Array, last: Array) -> tuple[Array, Array, Array]:
    """Up to each origin: sum of squared changes over their gaps, number of changes, total gap."""
    here = np.isfinite(y) & (last[:-1] >= 0)
    gap = np.where(here, np.arange(len(y)) - last[:-1], 0)
    change = np.where(here, y - y[last[:-1]], 0.0)
    squared = np.divide(change**2, gap, out=np.zeros(len(y)), where=here)
    return _before(squared), _before(here), _before(gap)


def _before(values: Array) -> Array:
    """(T + 1,) sum of what comes before each step."""
    return np.concatenate([[0], np.cumsum(values)])


def _root(variance: Array) -> Array:
    """A standard deviation; rounding may leave a variance a little below zero."""
    return np.sqrt(np.maximum(variance, 0.0))


def _naive(y: Array, origin: Array, steps: Array) -> tuple[Array, Array]:
    last = _last_known(y)
    squared, many, _ = _changes(y, last)
    at = last[origin]
    away = origin[:, None] - 1 - at[:, None] + steps
    level = np.where(at >= 0, y[at], np.nan)
    variance = squared[origin] / np.maximum(many[origin], 1)
    return np.broadcast_to(level[:, None], away.shape), _root(variance)[:, None] * np.sqrt(away)


def _drift(y: Array, origin: Array, steps: Array) -> tuple[Array, Array]:
    last = _last_known(y)
    squared, many, gap = _changes(y, last)
    at = last[origin]
    first = int(np.argmax(np.isfinite(y)))
    away = origin[:, None] - 1 - at[:, None] + steps
    level = np.where(at >= 0, y[at], np.nan)
    span = np.maximum(gap[origin], 1)
    slope = np.where(gap[origin] > 0, (level - y[first]) / span, 0.0)
    # Sum of (change - slope · gap)² / gap, from the sum of change² / gap.
    variance = (squared[origin] - slope**2 * gap[origin]) / np.maximum(many[origin], 1)
    point = level[:, None] + slope[:, None] * away
    return point, _root(variance)[:, None] * np.sqrt(away * (1 + away / span[:, None]))


def _seasonal(y: Array, origin: Array, steps: Array, period: int) -> tuple[Array, Array]:
    length = len(y)
    rows = -(-length // period)
    # One column a season: the place of its last known value, at or before each step.
    place = np.where(np.isfinite(y), np.arange(length), -1)
    place = np.concatenate([place, np.full(rows * period - length, -1)]).reshape(rows, period)
    known = np.maximum.accumulate(place, axis=0).ravel()[:length]
    before = np.concatenate([np.full(period, -1), known])[:length]
    here = np.isfinite(y) & (before >= 0)
    age = np.where(here, (np.arange(length) - before) // period, 1)
    change = np.where(here, y - y[before], 0.0)
    squared, many = _before(change**2 / age), _before(here)

    back = origin[:, None] - period + (steps - 1) % period
    at = np.where(back >= 0, known[np.maximum(back, 0)], -1)
    cycles = (origin[:, None] + steps - 1 - at) // period
    variance = squared[origin] / np.maximum(many[origin], 1)
    point, deviation = y[at], _root(variance)[:, None] * np.sqrt(cycles)
    plain_point, plain_deviation = _naive(y, origin, steps)
    unseen = at < 0
    return np.where(unseen, plain_point, point), np.where(unseen, plain_deviation, deviation)
