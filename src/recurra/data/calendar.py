"""Where a time lies in the day, the week and the year, as points on circles."""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from recurra.data.frequency import DAY, LENGTHS, MONDAY, Array, Frequency

# Days of a year of the Gregorian calendar, on average.
YEAR_DAYS = 365.2425


# Turns of a circle that must have been seen before anything can be learnt from the place on it.
TURNS = 2


def circles(frequency: Frequency, steps: float = math.inf) -> tuple[str, ...]:
    """Which circles make sense: those that a step does not jump over and `steps` steps go round twice."""
    if frequency.unit == "step":
        return ()
    if frequency.months:
        return ("year",) if frequency.months < 12 and steps * frequency.months >= TURNS * 12 else ()
    length = frequency.length or DAY  # business days
    hour = LENGTHS["hour"]
    sizes = {"hour": hour, "day": DAY, "week": LENGTHS["week"], "year": 365 * DAY}
    # A second knows its minute of the hour; for longer steps that figure would hardly change.
    return tuple(
        name
        for name, size in sizes.items()
        if length * 2 <= size <= length * steps / TURNS and (name != "hour" or length < hour)
    )


def features(frequency: Frequency, index: Array, steps: float = math.inf) -> Array:
    """Sine and cosine of the place on each of `circles`: (R, 2 x circles) float32 for grid indices (R,)."""
    names = circles(frequency, steps)
    if not names:
        return np.empty((len(index), 0), dtype=np.float32)
    value = frequency.to_value(np.asarray(index, dtype=np.int64))
    if frequency.zone is not None and not frequency.wall:
        value = to_wall(value, frequency.zone)
    turns = [_turn(name, value) for name in names]
    angle = 2 * np.pi * np.stack(turns, axis=1)
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=1).astype(np.float32)


def to_wall(value: Array, zone: str) -> Array:
    """Microseconds that the clocks of a zone show at times in UTC."""
    stamps = pl.Series(value).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone)
    return stamps.dt.replace_time_zone(None).to_physical().to_numpy()


def _turn(name: str, value: Array) -> Array:
    """Share of the circle that has passed, 0 to 1."""
    if name == "year":
        start = (
            value.astype("datetime64[us]").astype("datetime64[Y]").astype("datetime64[us]").astype(np.int64)
        )
        return np.asarray((value - start) / (YEAR_DAYS * DAY))
    if name == "week":
        return np.asarray((value + MONDAY * DAY) % LENGTHS["week"] / LENGTHS["week"])
    return np.asarray(value % LENGTHS[name] / LENGTHS[name])
