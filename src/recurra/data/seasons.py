"""Which seasons a set of series has, by autocorrelation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recurra.data.frequency import Array

# Series that are looked at, evenly over all of them, and their latest steps: enough for the test.
SERIES, STEPS = 100, 20_000
# Cycles that a series must span to have a say.
CYCLES = 2.5
# One-sided 1 % point of the normal distribution.
SURE = 2.326
# A season is kept when at least this share of the series with a say show it; chance alone makes 1 % do so.
SHARE = 0.1
# Correlation below which a season would not help a forecast.
WEAK = 0.1
# Where nothing suggests a season: the longest lag looked at, how near to the highest a peak must be, and how
# far it must rise above the valley before it.
LONGEST_LAG, NEARLY, RISE = 2_000, 0.85, 0.1
# Steps per day of common frequencies: such a season suggests a week of seven.
DAYS = (24, 48, 72, 96, 144, 288)
# Residuals beyond this many usual ones count as this many, so that single leaps do not hide a season.
CLIP = 5.0
# Residuals below this share of the values are what rounding leaves of a straight line.
ROUNDING = 1e-9
# What is left after a season counts when it is at least this large beside what there was.
TRACE = 0.02


def find_seasons(series: Sequence[Array], candidates: Sequence[int]) -> tuple[int, ...]:
    """The candidate periods that the series show, ascending.

    series: (T_n,) float64 each, NaN where missing.  candidates: periods in steps.
    From each series its moving average over the period is taken, which leaves no correlation at that
    distance in a random walk, and the seasons found before, so that a week of days that are all alike is no
    season of its own. The autocorrelation at the period must then pass Bartlett's test: of random walks,
    autoregressions and noise, about one in a hundred does.
    """
    work = [one[-STEPS:] for one in spread(series)]
    size = [residual(one, min(candidates, default=1))[1] for one in work]
    kept: list[int] = []
    for period in sorted(candidates):
        shows = [
            _shows(*residual(one, period), period, least=TRACE * usual)
            for one, usual in zip(work, size, strict=True)
            if _known(one) >= CYCLES * period
        ]
        if shows and np.mean(shows) >= SHARE:
            kept.append(period)
            work = [_without_season(one, period) for one in work]
    return tuple(kept)


def discover_seasons(series: Sequence[Array]) -> tuple[int, ...]:
    """The season where nothing suggests any: the first high peak of the autocorrelation, and its week."""
    peak = _peak([one[-STEPS:] for one in spread(series)])
    if peak is None:
        return ()
    return find_seasons(series, (peak, 7 * peak) if peak in DAYS else (peak,))


def spread(series: Sequence[Array]) -> list[Array]:
    """At most `SERIES` of the series, evenly taken."""
    if len(series) <= SERIES:
        return list(series)
    return [series[at] for at in np.linspace(0, len(series) - 1, SERIES).astype(int)]


def residual(one: Array, width: int) -> tuple[Array, float]:
    """The series less its centred moving average, (T,), in units of a usual residual, and that unit."""
    known = np.isfinite(one)
    top = float(np.abs(one[known]).max()) if known.any() else 0.0
    if top == 0:
        return np.zeros(len(one)), 0.0
    value = np.where(known, one / top, 0.0)
    sums = np.concatenate([[0.0], np.cumsum(value)])
    counts = np.concatenate([[0], np.cumsum(known)])
    # For an even width, two windows half a step to each side; at the ends, what there is of them.
    total, count = np.zeros(len(one)), np.zeros(len(one), dtype=np.int64)
    for start in (-(width // 2), width // 2 + 1 - width):
        low = np.maximum(np.arange(len(one)) + start, 0)
        high = np.minimum(np.arange(len(one)) + start + width, len(one))
        total += sums[high] - sums[low]
        count += counts[high] - counts[low]
    mean = total / np.maximum(count, 1)
    rest = np.where(known, value - mean, np.nan)
    size = np.abs(rest[known])
    usual = float(np.median(size)) or float(size.mean())
    if usual <= ROUNDING:
        return np.zeros(len(one)), 0.0
    return np.clip(rest / usual, -CLIP, CLIP), usual * top


def autocorrelation(one: Array, lags: int) -> Array:
    """r_0 … r_lags over the pairs that are known, (lags + 1,) float64; zeros for a constant series."""
    known = ~np.isnan(one)
    if known.sum() < 3:
        return np.zeros(lags + 1)
    centred = np.where(known, one - np.mean(one[known]), 0.0)
    size = 1 << int(len(one) + lags).bit_length()
    products = np.fft.irfft(np.abs(np.fft.rfft(centred, size)) ** 2, size)[: lags + 1]
    if not known.all():
        # Divided by all values, as usual, so that few far pairs weigh little; missing ones are made up for.
        pairs = np.round(np.fft.irfft(np.abs(np.fft.rfft(known.astype(float), size)) ** 2, size)[: lags + 1])
        products = np.where(
            pairs > 0, products * (len(one) - np.arange(lags + 1)) / np.maximum(pairs, 1), 0.0
        )
    return np.asarray(products / products[0]) if products[0] > 0 else np.zeros(lags + 1)


def _known(one: Array) -> int:
    return int(np.isfinite(one).sum())


def _shows(rest: Array, unit: float, period: int, least: float) -> bool:
    """Bartlett's test of r at the period, given the shorter lags of what a season would leave."""
    if unit < least:
        return False
    r = autocorrelation(without(rest, period), period - 1)
    error = np.sqrt((1 + 2 * np.sum(r[1:] ** 2)) / max(1, _known(rest)))
    return bool(autocorrelation(rest, period)[period] > max(SURE * error, WEAK))


def without(one: Array, period: int) -> Array:
    """The series less the mean of each phase of the period, (T,)."""
    return one - _phase_means(one, period)


def _phase_means(one: Array, period: int) -> Array:
    phase = np.arange(len(one)) % period
    known = ~np.isnan(one)
    count = np.bincount(phase[known], minlength=period)
    mean = np.bincount(phase[known], one[known], minlength=period) / np.maximum(count, 1)
    return np.asarray(mean[phase])


def _without_season(one: Array, period: int) -> Array:
    """The series less the season of this period, its trend left as it is."""
    rest, unit = residual(one, period)
    return one - _phase_means(rest, period) * unit


def _peak(series: Sequence[Array]) -> int | None:
    """The first lag with a peak of the mean autocorrelation nearly as high as the highest."""
    lags = min(int(max((len(one) for one in series), default=0) / CYCLES), LONGEST_LAG)
    if lags < 4:
        return None
    usable = [one for one in series if len(one) > lags]
    mean = np.mean([autocorrelation(residual(one, len(one) // 2)[0], lags) for one in usable], axis=0)
    peaks = np.flatnonzero((mean[1:-1] > mean[:-2]) & (mean[1:-1] >= mean[2:])) + 1
    valley = np.minimum.accumulate(mean)
    peaks = peaks[(peaks > 1) & (mean[peaks] > valley[peaks] + RISE)]
    return int(peaks[np.argmax(mean[peaks] >= NEARLY * mean[peaks].max())]) if len(peaks) else None
