"""What is known of every series at every step, and nothing later: the forecaster's inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.tasks.forecast.smoothing import SEASONS_NEEDED, Track, members, smooth
from recurra.tasks.forecast.windows import Windows

if TYPE_CHECKING:
    from recurra.tasks.forecast.data import Panel

Array = np.ndarray[Any, np.dtype[Any]]

# In units of a series' usual change: beyond this a value says no more than that it is far out. Forecasts of
# members go into the sum as they are, so their bound is only there for what would not be finite.
FAR, MEMBER_FAR = 100.0, 1e6
# A series that hardly changes is measured by this share of its level instead.
LEAST_CHANGE = 1e-4
# The usual change is that of so many last seasons, at least so many steps; a change counts as at most so many
# times the typical one, so that a shift of the level or a slip of the pen does not blind it to all others.
SEASONS_BACK, STEPS_BACK, MOST_CHANGE = 30, 256, 10.0
# The best member's recent error is at most this many usual changes, whatever it met long ago.
WORST_BEST = 10.0
# Beyond this many times its first value a series is cut, so that squares, and float32, stay finite.
LARGEST = 1e30


@dataclass(frozen=True, slots=True)
class View:
    """W windows as seen from their origins, in units of `scale` about `level`.

    past: (W, L) values, 0 where unknown.  gone: (W, L), 1 where unknown.  since: (W, L), log of steps since
    the last known value.  members: (W, M, H) forecasts of the classical members, the last of which is the
    level itself.  context: (W, C) how well each member has done, and the series' size and length.
    spread: (W,) typical one-step error.  target: (W, H), NaN where unknown or hidden.
    level, scale: (W, 1), in the data's unit; scale is 0 for a series that has never changed, which is then
    forecast to stay as it is.  least: (W,), 0 for a series never seen below it, else -inf.
    """

    past: Array
    gone: Array
    since: Array
    members: Array
    context: Array
    spread: Array
    target: Array
    level: Array
    scale: Array
    least: Array


@dataclass(frozen=True, slots=True)
class History:
    """The running states of N series, laid end to end: arrays of (sum of T_n,) unless said otherwise.

    unit, offset, length: (N,).  Values are divided by `unit`, a power of two, so that squares stay finite.
    """

    period: int
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
    tracks: tuple[Track, ...]

    @staticmethod
    def of(panel: Panel) -> History:
        """Run all members over the panel's series once."""
        seasons = tuple(panel.schema.seasons)
        period = seasons[0] if seasons else 1
        unit = np.array([_unit(y) for y in panel.target])
        series = [np.clip(y / u, -LARGEST, LARGEST) for y, u in zip(panel.target, unit, strict=True)]
        length = np.array([len(y) for y in series], dtype=np.int64)
        states = [_running(y, period) for y in series]
        joined = [np.concatenate(parts) for parts in zip(*states, strict=True)]
        offset = np.concatenate([[0], np.cumsum(length)[:-1]]).astype(np.int64)
        tracks = tuple(smooth(series, member) for member in members(seasons))
        value, since, level, scale, flat, positive, nonnegative = joined
        return History(
            period,
            unit,
            offset,
            length,
            value,
            since,
            level,
            scale,
            flat,
            positive,
            nonnegative,
            tracks,
        )

    def view(self, which: Windows, look_back: int, horizon: int, hidden: Array | None = None) -> View:
        """The windows' inputs and targets; targets from step `hidden` (N,) on are left out."""
        row, step = which.series, which.origin - 1
        at = self.offset[row] + step
        scale, level = self.scale[at, None], self.level[at, None]
        past, gone, since = self._past(at, step, look_back)
        forecasts, errors = self._members(row, step, at, horizon)
        relative = np.log(errors / scale + 1e-3)
        best = np.minimum(relative.min(1, keepdims=True), np.log(WORST_BEST))
        scaled = np.clip((forecasts - level[:, None]) / scale[:, None], -MEMBER_FAR, MEMBER_FAR)
        size = np.log(scale / (np.abs(level) + 1e-9)) / 3
        age = np.log(step + 1.0)[:, None] / 5
        context = [relative - best, np.clip(scaled.mean(2), -10, 10), age, best, size]
        ahead = step[:, None] + 1 + np.arange(horizon)
        end = self.length if hidden is None else np.minimum(self.length, hidden)
        known = (ahead < end[row, None]) & ~self.flat[at, None]
        target = np.where(known, self.value[np.where(known, at[:, None] + 1 + np.arange(horizon), 0)], np.nan)
        return View(
            past=np.where(gone, 0.0, np.clip((past - level) / scale, -FAR, FAR)),
            gone=gone,
            since=np.log1p(since),
            members=scaled,
            context=np.concatenate(context, 1),
            spread=np.exp(best[:, 0]),
            target=(target - level) / scale,
            level=level * self.unit[row, None],
            scale=np.where(self.flat[at, None], 0.0, scale * self.unit[row, None]),
            least=np.where(self.nonnegative[at], 0.0, -np.inf),
        )

    def _past(self, at: Array, step: Array, look_back: int) -> tuple[Array, Array, Array]:
        back = np.arange(look_back - 1, -1, -1)
        there = back <= step[:, None]
        place = np.where(there, at[:, None] - back, 0)
        past = self.value[place]
        since = np.where(there, self.since[place], back[::-1] + 1)
        return past, ~there | np.isnan(past), since

    def _members(self, row: Array, step: Array, at: Array, horizon: int) -> tuple[Array, Array]:
        """Forecasts (W, M, H), the level itself the last, and recent errors (W, M - 1).

        Until there are enough seasons a seasonal member is what its trend is without a season.
        """
        forecasts: list[Array] = []
        errors: list[Array] = []
        plain: dict[str, tuple[Array, Array]] = {}
        for track in self.tracks:
            forecast, error = track.forecast(row, step, horizon), track.error[at]
            if track.member.kind == "none":
                plain[track.member.trend] = forecast, error
            else:
                early = step + 1 < SEASONS_NEEDED * track.member.period
                if track.member.kind == "multiplicative":
                    early |= ~self.positive[at]
                instead = plain[track.member.trend]
                forecast = np.where(early[:, None], instead[0], forecast)
                error = np.where(early, instead[1], error)
            forecasts.append(forecast)
            errors.append(error)
        forecasts.append(np.repeat(self.level[at, None], horizon, 1))
        return np.stack(forecasts, 1), np.stack(errors, 1)


def member_names(seasons: tuple[int, ...]) -> tuple[str, ...]:
    """What the members of `View.members` are called, in order."""
    names = []
    for member in members(seasons):
        season = "" if member.kind == "none" else f", {member.kind} season {member.period}"
        names.append(f"{member.trend}{season}")
    return (*names, "last season's mean")


def _unit(y: Array) -> float:
    """The power of two next to the first value that is not zero; dividing by it loses no bits."""
    known = np.abs(y[np.isfinite(y) & (y != 0)])
    return float(2.0 ** np.clip(np.round(np.log2(known[0])), -1000, 1000)) if len(known) else 1.0


def _running(y: Array, period: int) -> tuple[Array, ...]:
    """The states of `History` of one series (T,), in order, each from what came before."""
    steps = np.arange(len(y))
    known = ~np.isnan(y)
    filled = np.where(known, y, 0.0)
    count, total = np.cumsum(known), np.cumsum(filled)
    since = steps - np.maximum.accumulate(np.where(known, steps, 0))
    inside = _last(known, period)
    recent = _last(filled, period) / np.maximum(inside, 1)
    level = np.where(inside > 0, recent, total / np.maximum(count, 1))
    scale = _usual_change(y, period, period)
    if period > 1:
        scale = np.where(scale > 0, scale, _usual_change(y, 1, period))
    scale = np.maximum(scale, LEAST_CHANGE * np.abs(level))
    low = np.minimum.accumulate(np.where(known, y, np.inf))
    high = np.maximum.accumulate(np.where(known, y, -np.inf))
    return y, since, level, np.where(scale > 0, scale, 1.0), low == high, low > 0, low >= 0


def _usual_change(y: Array, lag: int, period: int) -> Array:
    """Mean of |y_t - y_(t-lag)| over the last seasons, extremes cut; 0 where there is none."""
    count = max(SEASONS_BACK * period, STEPS_BACK)
    change = np.full(len(y), np.nan)
    change[lag:] = np.abs(y[lag:] - y[:-lag])
    known = ~np.isnan(change)
    change = np.where(known, change, 0.0)
    moved = change > 0
    logs = np.log(np.where(moved, change, 1.0))
    typical = np.exp(_last(logs, count) / np.maximum(_last(moved, count), 1))
    usual = np.minimum(change, MOST_CHANGE * typical)
    return np.asarray(_last(usual, count) / np.maximum(_last(known, count), 1))


def _last(x: Array, count: int) -> Array:
    """Sum of the last `count` values at each step, (T,); what has left leaves no rounding behind."""
    found = np.zeros(len(x))
    for start in range(0, len(x), count):
        # Within a stretch: what is left of the stretch before, and what has come of this one.
        here = x[start : start + count].astype(np.float64)
        found[start : start + count] += np.cumsum(here)
        before = here[::-1].cumsum()[::-1]
        after = found[start + count : start + 2 * count]
        after += np.append(before[1:], 0.0)[: len(after)]
    return found
