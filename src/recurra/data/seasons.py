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
# Cycles longer than this are too smooth to show in differences; they are tested on means of blocks.
SMOOTH = 100


def find_seasons(series: Sequence[Array], candidates: Sequence[int]) -> tuple[int, ...]:
    """The candidate periods that the series show, ascending.

    series: (T_n,) float64 each, NaN where missing.  candidates: periods in steps.
    Each series is differenced, and freed of the seasons found before, so that a week of days that are all
    alike is no season of its own. The autocorrelation at the period must pass Bartlett's test.
    """
    chosen = [np.asarray(one[-STEPS:]) for one in spread(series)]
    work = [difference(one) for one in chosen]
    kept: list[int] = []
    for period in sorted(candidates):
        shows = []
        for at, one in enumerate(chosen):
            if len(one) >= CYCLES * period:
                shows.append(
                    _smooth_shows(one, period)
                    if period > SMOOTH and _is_year(period)
                    else _shows(work[at], period)
                )
        if shows and np.mean(shows) >= SHARE:
            kept.append(period)
            work = [without(one, period) for one in work]
    return tuple(kept)


def discover_seasons(series: Sequence[Array], most: int = 2) -> tuple[int, ...]:
    """Up to `most` periods where nothing suggests any: the highest peaks of the mean autocorrelation."""
    work = [difference(np.asarray(one[-STEPS:])) for one in spread(series)]
    found: list[int] = []
    for _ in range(most):
        peak = _peak(work, found[-1] if found else 1)
        if peak is None or not find_seasons_in(work, peak):
            break
        found.append(peak)
        work = [without(one, peak) for one in work]
    return tuple(sorted(found))


def find_seasons_in(work: Sequence[Array], period: int) -> bool:
    """Whether enough of these differenced series show the period."""
    shows = [_shows(one, period) for one in work if len(one) >= CYCLES * period]
    return bool(shows) and float(np.mean(shows)) >= SHARE


def spread(series: Sequence[Array]) -> list[Array]:
    """At most `SERIES` of the series, evenly taken."""
    if len(series) <= SERIES:
        return list(series)
    return [series[at] for at in np.linspace(0, len(series) - 1, SERIES).astype(int)]


def difference(one: Array) -> Array:
    """Steps from value to value, scaled to a robust size of 1 and cut at 5 so that single leaps do not count."""
    with np.errstate(over="ignore", invalid="ignore"):
        top = np.nanmax(np.abs(one)) if np.isfinite(one).any() else 1.0
        step = np.diff(one / top if top > 0 else one)
    known = step[~np.isnan(step)]
    size = np.median(np.abs(known)) if len(known) else 0.0
    size = size or (float(np.mean(np.abs(known))) if len(known) else 0.0)
    return np.asarray(np.clip(step / size, -5, 5)) if size > 0 else step


def autocorrelation(one: Array, lags: int) -> Array:
    """r_0 … r_lags, over the pairs that are known: (lags + 1,) float64; zeros for a constant series."""
    known = ~np.isnan(one)
    if known.sum() < 3:
        return np.zeros(lags + 1)
    centred = np.where(known, one - np.mean(one[known]), 0.0)
    size = 1 << int(len(one) + lags).bit_length()
    spectrum, mask = np.fft.rfft(centred, size), np.fft.rfft(known.astype(float), size)
    products = np.fft.irfft(np.abs(spectrum) ** 2, size)[: lags + 1]
    pairs = np.round(np.fft.irfft(np.abs(mask) ** 2, size)[: lags + 1])
    # Divided by all values, as usual, so that few far pairs weigh little; missing ones are made up for.
    share = np.where(pairs > 0, (len(one) - np.arange(lags + 1)) / np.maximum(pairs, 1), 0.0)
    top = products[0] * share[0]
    return np.asarray(products * share / top) if top > 0 else np.zeros(lags + 1)


def _shows(step: Array, period: int) -> bool:
    """Bartlett's test of r at the period against the sum of squares of the shorter lags."""
    known = int((~np.isnan(step)).sum())
    if known < CYCLES * period:
        return False
    r = autocorrelation(step, period)
    error = np.sqrt((1 + 2 * np.sum(r[1:period] ** 2)) / known)
    return bool(r[period] > SURE * error and r[period] > WEAK)


def _is_year(period: int) -> bool:
    """Whether the period is the days of a year, within which nothing repeats sharply."""
    return period == 365


def _smooth_shows(one: Array, period: int) -> bool:
    """The same test on means over a 52nd of the period, freed of a straight line, instead of differences."""
    width = max(1, period // 52)
    whole = len(one) // width * width
    top = np.nanmax(np.abs(one)) or 1.0
    blocks = (one[len(one) - whole :] / top).reshape(-1, width)
    known = ~np.isnan(blocks)
    mean = np.where(known.any(1), np.where(known, blocks, 0).sum(1) / np.maximum(known.sum(1), 1), np.nan)
    there = ~np.isnan(mean)
    if there.sum() < CYCLES * 52:
        return False
    at = np.arange(len(mean))
    mean = mean - np.polyval(np.polyfit(at[there], mean[there], 1), at)
    r = autocorrelation(mean, 52)
    error = np.sqrt((1 + 2 * np.sum(r[1:52] ** 2)) / there.sum())
    return bool(r[52] > SURE * error and r[52] > WEAK)


def without(step: Array, period: int) -> Array:
    """The series less the mean of each phase of the period."""
    phase = np.arange(len(step)) % period
    known = ~np.isnan(step)
    count = np.bincount(phase[known], minlength=period)
    mean = np.bincount(phase[known], step[known], minlength=period) / np.maximum(count, 1)
    return np.asarray(step - mean[phase])


def _peak(work: Sequence[Array], above: int) -> int | None:
    longest = int(max((len(one) for one in work), default=0) / CYCLES / 1.2)
    lags = min(longest, 2_000)
    if lags <= above + 2:
        return None
    usable = [one for one in work if len(one) > lags]
    mean = np.mean([autocorrelation(one, lags) for one in usable], axis=0)
    inner = mean[1:-1]
    peaks = np.flatnonzero((inner > mean[:-2]) & (inner >= mean[2:])) + 1
    peaks = peaks[peaks > above]
    if not len(peaks):
        return None
    # The first peak nearly as high as the highest: later ones repeat it.
    return int(peaks[np.argmax(mean[peaks] >= 0.85 * mean[peaks].max())])
