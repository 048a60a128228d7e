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
SHARE = 0.2
# Correlation below which a season would not help a forecast.
WEAK = 0.1
# The days of a year form a curve too smooth to show in differences; it is tested on means over weeks.
YEAR_OF_DAYS, WEEKS = 365, 52
# Where nothing suggests a season: the longest lag looked at, and how near to the highest a peak must be.
LONGEST_LAG, NEARLY = 2_000, 0.85
# Steps per day of common frequencies: such a season suggests a week of seven.
DAYS = (24, 48, 72, 96, 144, 288)
# Differences beyond this many usual ones count as this many.
CLIP = 5.0
# A sum of squares below this share of the uncentred one is what rounding leaves of a straight line.
ROUNDING = 1e-12


def find_seasons(series: Sequence[Array], candidates: Sequence[int]) -> tuple[int, ...]:
    """The candidate periods that the series show, ascending.

    series: (T_n,) float64 each, NaN where missing.  candidates: periods in steps.
    Each series is differenced, and freed of the seasons found before, so that a week of days that are all
    alike is no season of its own. The autocorrelation at the period must pass Bartlett's test.
    """
    chosen = [one[-STEPS:] for one in spread(series)]
    work = [difference(one) for one in chosen]
    kept: list[int] = []
    for period in sorted(candidates):
        if period == YEAR_OF_DAYS:
            shows = [_shows_year(one) for one in chosen if len(one) >= CYCLES * period]
        else:
            shows = [_shows(one, period) for one in work if len(one) >= CYCLES * period]
        if shows and np.mean(shows) >= SHARE:
            kept.append(period)
            work = [without(one, period) for one in work]
    return tuple(kept)


def discover_seasons(series: Sequence[Array]) -> tuple[int, ...]:
    """The season where nothing suggests any: the first high peak of the autocorrelation, and its week."""
    peak = _peak([difference(one[-STEPS:]) for one in spread(series)])
    if peak is None:
        return ()
    return find_seasons(series, (peak, 7 * peak) if peak in DAYS else (peak,))


def spread(series: Sequence[Array]) -> list[Array]:
    """At most `SERIES` of the series, evenly taken."""
    if len(series) <= SERIES:
        return list(series)
    return [series[at] for at in np.linspace(0, len(series) - 1, SERIES).astype(int)]


def difference(one: Array) -> Array:
    """Steps from value to value in units of a usual one, cut so that single leaps do not count, (T - 1,)."""
    known = np.isfinite(one)
    top = float(np.abs(one[known]).max()) if known.any() else 0.0
    step = np.diff(one / top if top > 0 else one)
    size = np.abs(step[~np.isnan(step)])
    usual = float(np.median(size)) or float(size.mean()) if len(size) else 0.0
    return np.asarray(np.clip(step / usual, -CLIP, CLIP)) if usual > 0 else step


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
    if products[0] <= ROUNDING * max(1.0, float(np.sum(one[known] ** 2))):
        return np.zeros(lags + 1)
    return np.asarray(products / products[0])


def _passes(r: Array, period: int, known: int) -> bool:
    """Bartlett's test of r at the period, given the shorter lags."""
    error = np.sqrt((1 + 2 * np.sum(r[1:period] ** 2)) / max(1, known))
    return bool(r[period] > max(SURE * error, WEAK))


def _shows(step: Array, period: int) -> bool:
    known = int((~np.isnan(step)).sum())
    return known >= CYCLES * period and _passes(autocorrelation(step, period), period, known)


def _shows_year(one: Array) -> bool:
    """The same test on means over weeks less a straight line; half a year apart must be less alike."""
    width = YEAR_OF_DAYS // WEEKS
    known = np.isfinite(one)
    top = float(np.abs(one[known]).max()) or 1.0
    blocks = (one[len(one) % width :] / top).reshape(-1, width)
    count = (~np.isnan(blocks)).sum(axis=1)
    mean = np.where(count > 0, np.nansum(blocks, axis=1) / np.maximum(count, 1), np.nan)
    there = np.flatnonzero(count)
    if len(there) < CYCLES * WEEKS:
        return False
    mean = mean - np.polyval(np.polyfit(there, mean[there], 1), np.arange(len(mean)))
    r = autocorrelation(mean, WEEKS)
    return r[WEEKS] > r[WEEKS // 2] + WEAK and _passes(r, WEEKS, len(there))


def without(step: Array, period: int) -> Array:
    """The series less the mean of each phase of the period, (T,)."""
    phase = np.arange(len(step)) % period
    known = ~np.isnan(step)
    count = np.bincount(phase[known], minlength=period)
    mean = np.bincount(phase[known], step[known], minlength=period) / np.maximum(count, 1)
    return np.asarray(step - mean[phase])


def _peak(work: Sequence[Array]) -> int | None:
    """The first lag with a peak of the mean autocorrelation nearly as high as the highest."""
    lags = min(int(max((len(one) for one in work), default=0) / CYCLES), LONGEST_LAG)
    if lags < 4:
        return None
    usable = [one for one in work if len(one) > lags]
    mean = np.mean([autocorrelation(one, lags) for one in usable], axis=0)
    peaks = np.flatnonzero((mean[1:-1] > mean[:-2]) & (mean[1:-1] >= mean[2:])) + 1
    peaks = peaks[peaks > 1]
    return int(peaks[np.argmax(mean[peaks] >= NEARLY * mean[peaks].max())]) if len(peaks) else None
