"""Exponential smoothing that chooses its own gains as it goes: the classical members of the forecaster.

Each member is a family of the innovations state-space models of Hyndman et al. (Forecasting with Exponential
Smoothing, 2008) or the Theta method (Assimakopoulos & Nikolopoulos, 2000; as simple smoothing with half the
trend, Hyndman & Billah, 2003). A family is run with a grid of gains at once, and the grid is averaged with
weights from each one's own past one-step errors, so that the state after step t depends on nothing later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

LEVEL_GAINS = (0.03, 0.1, 0.2, 0.35, 0.55, 0.8, 1.0)
SEASON_GAINS = (0.1, 0.3, 0.6)
TREND_GAIN = 0.15  # of the damped trend, as a share of the level's gain
DAMPING = {"level": 0.0, "damped": 0.9, "theta": 1.0}
MEMORY = 0.99  # of past squared errors, per step
SHARPNESS = 20.0  # how many errors' likelihood the weights of the grid are worth
# A one-step error counts as at most this many times the recent ones, once there are a few to compare with.
MOST_ERROR, FEW_ERRORS = 5.0, 8
# Full seasons that are needed before a seasonal member says anything.
SEASONS_NEEDED = 2
MOST_SEASONS = 2  # more periods make more members than they are worth

Trend = Literal["level", "damped", "theta"]
Kind = Literal["none", "additive", "multiplicative"]


@dataclass(frozen=True, slots=True)
class Member:
    """One family: its trend, and how its season of `period` steps enters (1: no season)."""

    trend: Trend
    kind: Kind = "none"
    period: int = 1


def members(seasons: Sequence[int]) -> tuple[Member, ...]:
    """The families for data with these seasons: three trends without a season and with each kind of it."""
    trends: tuple[Trend, ...] = ("level", "damped", "theta")
    plain = [Member(trend) for trend in trends]
    kinds: tuple[Kind, ...] = ("multiplicative", "additive")
    seasonal = [Member(t, kind, m) for m in seasons[:MOST_SEASONS] for kind in kinds for t in trends]
    return (*plain, *seasonal)


@dataclass(frozen=True, slots=True)
class Track:
    """A member's state after every step of N series laid end to end, averaged over its grid of gains.

    offset: (N,), where each series begins.  level, slope, error: (sum of T_n,), error being the root mean
    square of recent one-step errors.  season: as long and `period` more for each series; the season's part
    as last updated at each step, its start values before them.
    """

    member: Member
    offset: Array
    level: Array
    slope: Array
    error: Array
    season: Array

    def forecast(self, row: Array, step: Array, horizon: int) -> Array:
        """Forecasts (W, horizon) of series `row` made after step `step`, both (W,) int64."""
        at, ahead = self.offset[row] + step, np.arange(1, horizon + 1)
        damping = DAMPING[self.member.trend]
        reach = np.cumsum(damping**ahead)  # 0 for a level, the steps themselves for Theta
        found: Array = self.level[at, None] + self.slope[at, None] * reach
        if self.member.kind == "none":
            return found
        period = self.member.period
        # The same place in the last season seen; a series' season begins `period` steps before it.
        begin = at + period * row + 1
        season = self.season[begin[:, None] + (ahead - 1) % period]
        return np.asarray(found * season if self.member.kind == "multiplicative" else found + season)


def smooth(series: Sequence[Array], member: Member) -> Track:
    """Run a member over series of (T_n,), NaN where missing; their first steps must be known.

    A multiplicative season means nothing where values are not positive.
    """
    length = np.array([len(y) for y in series], dtype=np.int64)
    offset = np.concatenate([[0], np.cumsum(length)[:-1]])
    total, period = int(length.sum()), member.period
    level, slope, error = (np.empty(total, dtype=np.float32) for _ in range(3))
    season = np.empty(total + period * len(series), dtype=np.float32)
    for block in _alike(length):
        rows = _run([series[n] for n in block], member)
        for row, n in enumerate(block):
            here = slice(offset[n], offset[n] + length[n])
            for state, found in zip((level, slope, error), rows, strict=False):
                state[here] = found[row, : length[n]]
            begin = offset[n] + period * n
            season[begin : begin + length[n] + period] = rows[3][row, : length[n] + period]
    return Track(member, offset, level, slope, error, season)


def _alike(length: Array) -> list[Array]:
    """Series of nearly the same length together, so that padding costs little."""
    order = np.argsort(length, kind="stable")
    cut = np.flatnonzero(np.diff(np.log2(length[order] + 8.0) // 0.5)) + 1
    return np.split(order, cut)


def _run(series: list[Array], member: Member) -> tuple[Array, Array, Array, Array]:
    """Level, slope and error (N, T), and season (N, period + T)."""
    steps = max(map(len, series))
    y = np.full((len(series), steps), np.nan)
    for row, one in enumerate(series):
        y[row, : len(one)] = one
    filters = _Filters.start(y, np.array([len(one) for one in series]), member)
    level, slope, error = (np.empty(y.shape, dtype=np.float32) for _ in range(3))
    season = np.empty((len(y), member.period + steps), dtype=np.float32)
    season[:, : member.period] = filters.season[:, 0]
    for t in range(steps):
        weight = filters.step(y[:, t, None], t)
        level[:, t] = (weight * filters.level).sum(1)
        slope[:, t] = (weight * filters.slope).sum(1)
        error[:, t] = np.sqrt((weight * filters.squares).sum(1) / np.maximum(filters.seen[:, 0], 1e-9))
        season[:, member.period + t] = (weight * filters.season[:, :, t % member.period]).sum(1)
    return level, slope, error, season


@dataclass(slots=True)
class _Filters:
    """A member's grid of G filters on N series, in the middle of them.

    level, slope, squares: (N, G).  season: (N, G, period).  seen: (N, 1), discounted count of known steps.
    line: the sums of the least-squares line of Theta, (N, 1) or (N, G) each.
    """

    member: Member
    gain: Array
    season_gain: Array
    level: Array
    slope: Array
    squares: Array
    season: Array
    seen: Array
    line: list[Array]

    @staticmethod
    def start(y: Array, length: Array, member: Member) -> _Filters:
        gain, season_gain = (g.ravel() for g in np.meshgrid(LEVEL_GAINS, SEASON_GAINS))
        if member.kind == "none":
            gain, season_gain = np.array(LEVEL_GAINS), np.zeros(len(LEVEL_GAINS))
        first, season = _first_seasons(y, length, member)
        shape = (len(y), len(gain))
        return _Filters(
            member,
            gain,
            season_gain,
            level=np.repeat(first[:, None], len(gain), 1),
            slope=np.zeros(shape),
            squares=np.zeros(shape),
            season=np.repeat(season[:, None, :], len(gain), 1),
            seen=np.zeros((len(y), 1)),
            line=[np.zeros((len(y), 1)) for _ in range(3)] + [np.zeros(shape) for _ in range(2)],
        )

    def step(self, y: Array, t: int) -> Array:
        """Take in y (N, 1); returns the weights of the grid, (N, G)."""
        known = ~np.isnan(y)
        damping = DAMPING[self.member.trend]
        multiply = self.member.kind == "multiplicative"
        season = self.season[:, :, t % self.member.period]
        # Theta's drift is fitted beside the level rather than carried by it.
        base = self.level + damping * self.slope if self.member.trend == "damped" else self.level
        error = np.where(known, y - (base * season if multiply else base + season), 0.0)
        usual = np.where(self.seen > FEW_ERRORS, self.squares / np.maximum(self.seen, 1.0), np.inf)
        # A series that never missed has nothing to compare with.
        most = np.where(usual > 0, MOST_ERROR**2 * usual, np.inf)
        self.squares = MEMORY * self.squares + np.minimum(error * error, most)
        self.seen = MEMORY * self.seen + known
        bare = np.where(known, y / _away_from_zero(season) if multiply else y - season, base)
        self.level = base + self.gain * (bare - base)
        if self.member.trend == "damped":
            self.slope = damping * self.slope + TREND_GAIN * self.gain * (bare - base)
        elif self.member.trend == "theta":
            self.slope = self._half_line(bare, known, t)
        if self.member.kind != "none":
            new = y / _away_from_zero(self.level) if multiply else y - self.level
            self.season[:, :, t % self.member.period] += self.season_gain * np.where(known, new - season, 0.0)
        score = np.log(self.squares + 1e-12)
        weight = np.exp(-SHARPNESS / 2 * (score - score.min(1, keepdims=True)))
        return np.asarray(weight / weight.sum(1, keepdims=True))

    def _half_line(self, bare: Array, known: Array, t: int) -> Array:
        """Half the slope of the least-squares line through all that has been seen."""
        x = float(t)
        n, sx, sxx, sy, sxy = self.line
        n += known
        sx += known * x
        sxx += known * x * x
        sy += np.where(known, bare, 0.0)
        sxy += np.where(known, bare * x, 0.0)
        spread = n * sxx - sx * sx
        slope = 0.5 * (n * sxy - sx * sy) / np.where(spread > 0, spread, 1.0)
        return np.where((n > 3) & (spread > 0), slope, 0.0)


def _first_seasons(y: Array, length: Array, member: Member) -> tuple[Array, Array]:
    """Level (N,) and season (N, period) to start from: the first seasons about their own trend.

    Neutral for a series that is shorter than that or has a step of the season missing throughout.
    """
    period, multiply = member.period, member.kind == "multiplicative"
    neutral = np.full((len(y), period), 1.0 if multiply else 0.0)
    if member.kind == "none" or y.shape[1] < SEASONS_NEEDED * period:
        return y[:, 0].copy(), neutral
    block = y[:, : SEASONS_NEEDED * period].reshape(len(y), SEASONS_NEEDED, period)
    known: Array = ~np.isnan(block)
    enough = (length >= SEASONS_NEEDED * period) & np.all(known.any(1), 1) & np.all(known.any(2), 1)
    mean = np.nansum(block, 2) / np.maximum(known.sum(2), 1)
    slope = (mean[:, -1] - mean[:, 0]) / ((SEASONS_NEEDED - 1) * period)
    trend = mean[:, :, None] + slope[:, None, None] * (np.arange(period) - (period - 1) / 2)
    apart = block / _away_from_zero(trend) if multiply else block - trend
    season = np.nansum(apart, 1) / np.maximum(known.sum(1), 1)
    centre = season.mean(1, keepdims=True)
    season = season / _away_from_zero(centre) if multiply else season - centre
    season = np.where(enough[:, None], season, neutral)
    bare = y[:, 0] / _away_from_zero(season[:, 0]) if multiply else y[:, 0] - season[:, 0]
    return np.where(enough, 0.5 * (bare + mean[:, 0]), y[:, 0]), season


def _away_from_zero(x: Array) -> Array:
    """x, with what is too small to divide by moved to ±1e-3."""
    return np.where(np.abs(x) < 1e-3, np.where(x < 0, -1e-3, 1e-3), x)
