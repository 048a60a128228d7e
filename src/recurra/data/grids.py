"""Finding the step of time between rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from recurra.data.frequency import (
    DAY,
    LENGTHS,
    MONTHS,
    Array,
    Frequency,
    at_month_end,
    commonest,
    month_days,
    place,
    simplest,
)

# Rows that are looked at to propose a step; whether it fits is checked on all of them.
SAMPLE = 1_000_000
# A step shorter than the commonest one is believed when at least this share of the rows keep it.
COMMON = 0.2
# Months have 28 to 31 days.
SHORTEST_MONTH = 28 * DAY


def find_frequency(code: Array, value: Array, *, steps: bool) -> tuple[Frequency | None, Array]:
    """The step between rows, or the commonest one and the rows that do not keep it.

    code: (R,) int64, series of each row.  value: (R,) int64, microseconds since 1970 or, with `steps`,
    step numbers.  Returns (the frequency, None if no series has two rows; (R,) bool, rows off the grid).
    """
    gap = gaps(code, value)
    if not len(gap):
        return None, np.zeros(len(value), dtype=bool)
    first: tuple[Frequency, Array] | None = None
    for frequency in _step_candidates(gap, value) if steps else _time_candidates(code, gap, value):
        off = ~frequency.to_index(value)[1]
        if not off.any():
            return frequency, off
        first = first or (frequency, off)
    assert first is not None
    return first


def gaps(code: Array, value: Array) -> Array:
    """Distances above 0 from each row to the next of its series, for the first `SAMPLE` rows or so, (G,)."""
    if len(value) > SAMPLE:  # whole series, as many as fit, at least one
        ends = np.cumsum(np.bincount(code))
        keep = code <= max(0, int(np.searchsorted(ends, SAMPLE, side="right")) - 1)
        code, value = code[keep], value[keep]
    order = np.lexsort((value, code))
    code, value = code[order], value[order]
    gap = np.diff(value)[np.diff(code) == 0]
    return np.asarray(gap[gap > 0])


def _step_candidates(gap: Array, value: Array) -> Iterator[Frequency]:
    common, common_divisor = commonest(gap), int(np.gcd.reduce(gap))
    yield place("step", common, value)
    if np.mean(gap == common_divisor) >= COMMON:
        yield place("step", common_divisor, value)


def _time_candidates(code: Array, gap: Array, value: Array) -> Iterator[Frequency]:
    common = commonest(gap)
    if common >= SHORTEST_MONTH:
        yield from _month_candidates(code, gap, value)
    if common == DAY and (gap >= 3 * DAY).any():
        yield place("business day", 1, value)
    common_divisor = int(np.gcd.reduce(np.append(gap, value - value[0])))
    for length in (common, common_divisor):
        if length == common or np.mean(gap == length) >= COMMON:
            yield place(*simplest("microsecond", length), value)


def _month_candidates(code: Array, gap: Array, value: Array) -> Iterator[Frequency]:
    """Months, unless the days of the month wander while a fixed step fits (every 4 weeks, every 30 days)."""
    stamp = value.astype("datetime64[us]")
    wanders = len(np.unique(month_days(stamp))) > 1 and not at_month_end(stamp).all()
    if wanders and (gap % commonest(gap) == 0).all():
        return
    month_gap = gaps(code, stamp.astype("datetime64[M]").astype(np.int64))
    if len(month_gap) < len(gap):
        return  # more than one row in some month
    months = commonest(month_gap)
    yield place(*simplest("month", months), value)
    divisor = int(np.gcd.reduce(month_gap))
    if divisor != months:
        yield place(*simplest("month", divisor), value)


def natural_seasons(frequency: Frequency) -> tuple[int, ...]:
    """Lengths of the seasons, in steps, that nature and custom suggest for a frequency; ascending."""
    if frequency.unit == "business day":
        return (5,) if frequency.multiple == 1 else ()
    if frequency.months:
        return (12 // frequency.months,) if frequency.months < 12 and 12 % frequency.months == 0 else ()
    if frequency.unit == "step":
        return ()
    if frequency.unit == "week":
        return (52 // frequency.multiple,) if frequency.multiple <= 4 else ()
    cycles = [LENGTHS["minute"], LENGTHS["hour"], DAY, LENGTHS["week"]]
    if frequency.unit == "day" and frequency.multiple == 1:
        cycles.append(365 * DAY)
    found = [cycle // frequency.length for cycle in cycles if cycle % frequency.length == 0]
    return tuple(period for period in found if 1 < period <= LONGEST_SEASON)


# A week of minutes.
LONGEST_SEASON = 10_080
# Steps to forecast when the user names none: those of the M4 competition, where it has the frequency.
HORIZONS = {"hour": 48, "day": 14, "business day": 10, "week": 13, "month": 18, "quarter": 8, "year": 6}
assert set(MONTHS) < set(HORIZONS)


def natural_horizon(frequency: Frequency, length: int) -> int:
    """Steps to forecast when nobody says: M4's, a day of shorter steps, at most a fifth of `length`."""
    if frequency.unit in HORIZONS and frequency.multiple == 1:
        steps = HORIZONS[frequency.unit]
    elif 0 < frequency.length < DAY and frequency.unit != "step":
        steps = max(12, min(96, DAY // frequency.length))
    else:
        steps = 12
    return max(1, min(steps, length // 5))
