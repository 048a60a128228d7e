"""Exponential smoothing that chooses its own gains as it goes: the classical members of the forecaster.

Each member is a family of the innovations state-space models of Hyndman et al. (Forecasting with Exponential
Smoothing, 2008) or the Theta method (Assimakopoulos & Nikolopoulos, 2000; as simple smoothing with half the
trend, Hyndman & Billah, 2003). A family is run with a grid of gains at once, and the grid is averaged with
weights from each one's own past one-step errors, so that the state after step t depends on nothing later.

All families go through a step together, and a step is the same whether it is one of a whole series or the
newest of a stream: what comes out has the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

LEVEL_GAINS = (0.03, 0.1, 0.2, 0.35, 0.55, 0.8, 1.0)
SEASON_GAINS = (0.1, 0.3, 0.6)
TREND_GAIN = 0.15  # of the damped trend, as a share of the level's gain
DAMPING = {"level": 0.0, "damped": 0.9, "theta": 1.0}
MEMORY = 0.99  # of past squared errors, per step
# The weights of the grid are the errors' squares to this power, below zero: worth twice as many errors'
# likelihood. `_sharpened` multiplies it out.
SHARPNESS = 10
# A one-step error counts as at most this many times the recent ones, once there are a few to compare with.
MOST_ERROR, FEW_ERRORS = 5.0, 8
# Full seasons that are needed before a seasonal member says anything.
SEASONS_NEEDED = 2
MOST_SEASONS = 2  # more periods make more members than they are worth
# After so many missing steps all that fades is zero or the smallest number there is, and stays so.
FADED, AT_A_TIME = 150_000, 128
SMALLEST = 1e-3  # divided by nothing nearer to zero

Trend = Literal["level", "damped", "theta"]
Kind = Literal["none", "additive", "multiplicative"]
TRENDS: tuple[Trend, ...] = ("level", "damped", "theta")
DAMPED, THETA = TRENDS.index("damped"), TRENDS.index("theta")


@dataclass(frozen=True, slots=True)
class Member:
    """One family: its trend, and how its season of `period` steps enters (1: no season)."""

    trend: Trend
    kind: Kind = "none"
    period: int = 1


def members(seasons: Sequence[int]) -> tuple[Member, ...]:
    """The families for data with these seasons: three trends without a season and with each kind of it."""
    plain = [Member(trend) for trend in TRENDS]
    kinds: tuple[Kind, ...] = ("multiplicative", "additive")
    seasonal = [Member(t, kind, m) for m in periods(seasons) for kind in kinds for t in TRENDS]
    return (*plain, *seasonal)


def periods(seasons: Sequence[int]) -> tuple[int, ...]:
    """The seasons that members have."""
    return tuple(seasons[:MOST_SEASONS])


@dataclass(frozen=True)
class Grid:
    """The filters of members with P periods: their places and gains.

    They are laid out as (3 trends, K): multiplicative for each period, G of each; additive for each; g plain.
    Averages over the grids, a number for each member, are (3 trends, 2P + 1) in that order.
    """

    count: int  # P

    @cached_property
    def seasonal(self) -> int:
        """G, filters of a seasonal member."""
        return len(LEVEL_GAINS) * len(SEASON_GAINS)

    @cached_property
    def additive(self) -> int:
        """Where the additive ones begin."""
        return self.count * self.seasonal

    @cached_property
    def plain(self) -> int:
        """Where the plain ones begin."""
        return 2 * self.additive

    @cached_property
    def width(self) -> int:
        """K."""
        return self.plain + len(LEVEL_GAINS)

    @cached_property
    def gain(self) -> Array:
        """(K,) of the level."""
        return np.array([*LEVEL_GAINS * (2 * self.count * len(SEASON_GAINS)), *LEVEL_GAINS])

    @cached_property
    def season_gain(self) -> Array:
        """(2PG,) of the season."""
        return np.tile(np.repeat(SEASON_GAINS, len(LEVEL_GAINS)), 2 * self.count)

    def kinds(self, number: int) -> tuple[slice, slice]:
        """Places of a period's filters among the K: the multiplicative ones, the additive ones."""
        first = number * self.seasonal
        return tuple(slice(at + first, at + first + self.seasonal) for at in (0, self.additive))  # type: ignore[return-value]

    def members(self, number: int) -> slice:
        """Of a period's two kinds among the 2P + 1."""
        return slice(number, self.count + number + 1, self.count)

    def join(self, seasons: Sequence[Array], into: Array) -> None:
        """Write each period's seasons of one step, (N, 3, 2, G), side by side, (N, 3, 2PG)."""
        for number, season in enumerate(seasons):
            for kind, at in enumerate(self.kinds(number)):
                into[..., at] = season[:, :, kind]

    def part(self, number: int, joined: Array, into: Array) -> None:
        """A period's seasons (N, 3, 2, G) out of those of all."""
        for kind, at in enumerate(self.kinds(number)):
            into[:, :, kind] = joined[..., at]

    def total(self, x: Array) -> Array:
        """(N, 3, 2P + 1), sums of (N, 3, K) over each member's grid."""
        return self._over(np.add, x)

    def least(self, x: Array) -> Array:
        """(N, 3, 2P + 1), minima of (N, 3, K) over each member's grid."""
        return self._over(np.minimum, x)

    def _over(self, what: np.ufunc, x: Array) -> Array:
        found = np.empty((len(x), len(TRENDS), 2 * self.count + 1))
        what.reduce(self.seasons(x), axis=3, out=found[..., :-1])
        what.reduce(x[..., self.plain :], axis=2, out=found[..., -1])
        return found

    def seasons(self, x: Array) -> Array:
        """(N, 3, 2P, G), the seasonal part of (N, 3, K) or (N, 3, 2PG)."""
        return x[..., : self.plain].reshape(len(x), len(TRENDS), 2 * self.count, self.seasonal)


class Averages(NamedTuple):
    """Members after a step, averaged over their grids.

    level, slope, error: (N, 3, 2P + 1), error being the root mean square of recent one-step errors.
    season: (N, 3, 2P), of the step's place in the season.
    """

    level: Array
    slope: Array
    error: Array
    season: Array


@dataclass(slots=True)
class Filters:
    """All filters of a grid on N series, in the middle of them; float64.

    level, slope, squares: (N, 3, K).  seen: (N,), discounted count of known steps.
    line, drift: the sums of Theta's least-squares line, (N, 3) of the steps and (N, 2, K) with the values.
    Seasons are kept by who runs the filters.
    """

    level: Array
    slope: Array
    squares: Array
    seen: Array
    line: Array
    drift: Array

    @staticmethod
    def start(grid: Grid, level: Array) -> Filters:
        """Before the first step, from a level (N,) that all share."""
        count, shape = len(level), (len(level), len(TRENDS), grid.width)
        return Filters(
            level=np.broadcast_to(level[:, None, None], shape).copy(),
            slope=np.zeros(shape),
            squares=np.zeros(shape),
            seen=np.zeros(count),
            line=np.zeros((count, 3)),
            drift=np.zeros((count, 2, grid.width)),
        )

    def take(self, rows: Array) -> Filters:
        """A copy of some series' filters."""
        return Filters(*[getattr(self, name)[rows] for name in FILTERS])

    def put(self, rows: Array, some: Filters) -> None:
        """Write some series' filters back."""
        for name in FILTERS:
            getattr(self, name)[rows] = getattr(some, name)

    def step(self, grid: Grid, y: Array, t: Array, season: Array, known: Array | None = None) -> Averages:
        """Take in y (N,) at step t (N,); season (N, 3, 2PG) goes on in place.

        known: (N,) bool, where y is; None: everywhere.
        """
        here = None if known is None else known.astype(np.float64)[:, None, None]
        y = (y if known is None else np.where(known, y, 0.0))[:, None, None]
        many, few = grid.additive, grid.plain
        base = self.level  # in place, from here on
        base[:, DAMPED] += DAMPING["damped"] * self.slope[:, DAMPED]
        error = np.empty_like(base)
        np.multiply(base[..., :many], season[..., :many], out=error[..., :many])
        np.add(base[..., many:few], season[..., many:], out=error[..., many:few])
        # Theta's drift is fitted beside the level rather than carried by it.
        error[..., few:] = base[..., few:]
        np.subtract(y, error, out=error)
        self._blame(error, here)
        bare = error
        np.divide(y, _away_from_zero(season[..., :many]), out=bare[..., :many])
        np.subtract(y, season[..., many:], out=bare[..., many:few])
        bare[..., few:] = y
        self._half_line(bare[:, THETA], t, here)
        bare -= base
        if here is not None:
            bare *= here
        bare *= grid.gain
        self.level += bare
        self.slope[:, DAMPED] *= DAMPING["damped"]
        self.slope[:, DAMPED] += TREND_GAIN * bare[:, DAMPED]
        new = np.empty_like(season)
        np.divide(y, _away_from_zero(self.level[..., :many]), out=new[..., :many])
        np.subtract(y, self.level[..., many:few], out=new[..., many:])
        new -= season
        if here is not None:
            new *= here
        new *= grid.season_gain
        season += new
        return self._average(grid, season)

    def _blame(self, error: Array, here: Array | None) -> None:
        """Take in one-step errors (N, 3, K), which are squared and cut in place."""
        error *= error
        if here is not None:
            error *= here
        most = self.squares * (MOST_ERROR**2 / np.maximum(self.seen, 1.0))[:, None, None]
        most[most == 0] = np.inf  # who never missed has nothing to compare with
        few = self.seen <= FEW_ERRORS
        if few.any():
            most[few] = np.inf
        np.minimum(error, most, out=error)
        self.squares *= MEMORY
        self.squares += error
        self.seen *= MEMORY
        self.seen += 1.0 if here is None else here[:, 0, 0]

    def _half_line(self, bare: Array, t: Array, here: Array | None) -> None:
        """Theta's slope: half that of the least-squares line through all that has been seen, (N, K)."""
        x = t.astype(np.float64)[:, None]
        one = np.ones_like(x) if here is None else here[:, 0]
        self.line += np.concatenate([one, one * x, one * (x * x)], 1)
        seen = bare if here is None else bare * here[:, 0]
        self.drift[:, 0] += seen
        self.drift[:, 1] += seen * x
        n, sx, sxx = self.line[:, 0:1], self.line[:, 1:2], self.line[:, 2:3]
        spread = n * sxx - sx * sx
        enough = (n > 3) & (spread > 0)
        half = np.where(enough, 0.5 / np.where(enough, spread, 1.0), 0.0)
        self.slope[:, THETA] = (n * self.drift[:, 1] - sx * self.drift[:, 0]) * half

    def _average(self, grid: Grid, season: Array) -> Averages:
        """By the weights of the grid."""
        weight = self.squares + 1e-12
        least = grid.least(weight)
        seasons, plain = grid.seasons(weight), weight[..., grid.plain :]
        np.divide(least[..., :-1, None], seasons, out=seasons)
        np.divide(least[..., -1:], plain, out=plain)
        weight = _sharpened(weight)
        total = grid.total(weight)
        squares = grid.total(weight * self.squares) / total
        return Averages(
            grid.total(weight * self.level) / total,
            grid.total(weight * self.slope) / total,
            np.sqrt(squares / np.maximum(self.seen, 1e-9)[:, None, None]),
            np.add.reduce(grid.seasons(weight[..., : grid.plain] * season), axis=3) / total[..., :-1],
        )

    def fade(self, steps: int) -> None:
        """What so many missing steps leave of all but the averages and the seasons, which stay."""
        for done in range(0, min(steps, FADED), AT_A_TIME):
            count = min(steps - done, AT_A_TIME)
            self.squares = _times(self.squares, MEMORY, count)[-1]
            self.seen = _times(self.seen, MEMORY, count)[-1]
            slopes = _times(self.slope[:, DAMPED], DAMPING["damped"], count)
            self.slope[:, DAMPED] = slopes[-1]
            slopes[0] = self.level[:, DAMPED]
            self.level[:, DAMPED] = np.add.accumulate(slopes)[-1]


FILTERS = tuple(field.name for field in fields(Filters))


def _times(x: Array, factor: float, count: int) -> Array:
    """x, and x times a factor again and again: (count + 1, …)."""
    run = np.full((count + 1, *x.shape), factor)
    run[0] = x
    found: Array = np.multiply.accumulate(run)
    return found


def _sharpened(x: Array) -> Array:
    """x to the power of SHARPNESS."""
    second = x * x
    eighth: Array = second * second
    eighth *= eighth
    eighth *= second
    return eighth


def _away_from_zero(x: Array) -> Array:
    """x, with what is too small to divide by moved to ±1e-3."""
    return np.copysign(np.maximum(np.abs(x), SMALLEST), x)


def first_seasons(y: Array, length: Array, period: int) -> tuple[Array, Array]:
    """Level (N, 2) and season (N, 2, period) to start from: the first seasons about their own trend.

    y: (N, T), T of two periods or more, NaN where missing; the first step is known.  length: (N,).
    The first of the two is for a multiplicative season. Neutral for a series that is shorter than two
    periods or has a step of the season missing throughout.
    """
    block = y[:, : SEASONS_NEEDED * period].reshape(len(y), SEASONS_NEEDED, period)
    known: Array = ~np.isnan(block)
    enough = (length >= SEASONS_NEEDED * period) & np.all(known.any(1), 1) & np.all(known.any(2), 1)
    mean = np.nansum(block, 2) / np.maximum(known.sum(2), 1)
    slope = (mean[:, -1] - mean[:, 0]) / ((SEASONS_NEEDED - 1) * period)
    trend = mean[:, :, None] + slope[:, None, None] * (np.arange(period) - (period - 1) / 2)
    level, season = np.empty((len(y), 2)), np.empty((len(y), 2, period))
    for kind in range(2):
        multiply = kind == 0
        apart = block / _away_from_zero(trend) if multiply else block - trend
        one = np.nansum(apart, 1) / np.maximum(known.sum(1), 1)
        centre = one.mean(1, keepdims=True)
        one = one / _away_from_zero(centre) if multiply else one - centre
        season[:, kind] = np.where(enough[:, None], one, 1.0 if multiply else 0.0)
        bare = y[:, 0] / _away_from_zero(one[:, 0]) if multiply else y[:, 0] - one[:, 0]
        level[:, kind] = np.where(enough, 0.5 * (bare + mean[:, 0]), y[:, 0])
    return level, season
