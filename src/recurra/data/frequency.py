"""Steps of time: a regular grid that rows lie on, counted in whole steps."""

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from recurra.errors import ConfigError

Array = np.ndarray[Any, np.dtype[Any]]
Unit = Literal[
    "step",
    "microsecond",
    "millisecond",
    "second",
    "minute",
    "hour",
    "day",
    "business day",
    "week",
    "month",
    "quarter",
    "year",
]

# Microseconds of the units whose length never changes, shortest first.
LENGTHS: dict[str, int] = {
    "microsecond": 1,
    "millisecond": 1_000,
    "second": 1_000_000,
    "minute": 60_000_000,
    "hour": 3_600_000_000,
    "day": 86_400_000_000,
    "week": 604_800_000_000,
}
MONTHS = {"month": 1, "quarter": 3, "year": 12}
DAY = LENGTHS["day"]
# 1970-01-01 was a Thursday: three days after Monday, from which weeks and business days are counted.
MONDAY = 3
LAST_DAY = 31

# As pandas, polars and people write them. One letter is case-sensitive: "m" is a minute, "M" a month.
WORDS: dict[str, tuple[Unit, int]] = {
    "us": ("microsecond", 1), "U": ("microsecond", 1), "ms": ("millisecond", 1), "L": ("millisecond", 1),
    "s": ("second", 1), "S": ("second", 1), "sec": ("second", 1),
    "m": ("minute", 1), "min": ("minute", 1), "T": ("minute", 1),
    "h": ("hour", 1), "H": ("hour", 1), "hr": ("hour", 1), "hourly": ("hour", 1),
    "d": ("day", 1), "D": ("day", 1), "daily": ("day", 1),
    "b": ("business day", 1), "B": ("business day", 1), "weekday": ("business day", 1),
    "w": ("week", 1), "W": ("week", 1), "weekly": ("week", 1),
    "M": ("month", 1), "MS": ("month", 1), "ME": ("month", 1), "mo": ("month", 1), "monthly": ("month", 1),
    "q": ("quarter", 1), "Q": ("quarter", 1), "QS": ("quarter", 1), "QE": ("quarter", 1),
    "quarterly": ("quarter", 1),
    "y": ("year", 1), "Y": ("year", 1), "YS": ("year", 1), "YE": ("year", 1), "A": ("year", 1),
    "yearly": ("year", 1), "annual": ("year", 1), "annually": ("year", 1),
    "step": ("step", 1), "row": ("step", 1),
}  # fmt: skip
for _unit in (*LENGTHS, *MONTHS, "business day"):
    WORDS[_unit] = WORDS[_unit + "s"] = (_unit, 1)  # type: ignore[assignment]


class Frequency(BaseModel):
    """A grid of times: `multiple` units from one step to the next.

    offset: where the grid lies. For units of fixed length, microseconds after 1970-01-01 (below one step);
        for months and longer, months after January 1970 (below one step); for "step", a number of steps.
    day: for months and longer, the day that a step bears (31: the last). Any day of the month counts as it.
    clock: for months and longer and business days, the time of day in microseconds.
    nearest: whether times between two steps count as the nearer one; else they are off the grid.
    zone: time zone of the stamps. Steps below a day are counted in UTC, longer ones on the zone's wall clock.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: Unit
    multiple: int = Field(default=1, ge=1)
    offset: int = 0
    day: int = Field(default=1, ge=1, le=LAST_DAY)
    clock: int = Field(default=0, ge=0, lt=DAY)
    nearest: bool = False
    zone: str | None = None

    def __str__(self) -> str:
        """As in "every hour", "every 15 minutes"."""
        return f"every {self.unit}" if self.multiple == 1 else f"every {self.multiple} {self.unit}s"

    @property
    def length(self) -> int:
        """Microseconds of a step of fixed length, or steps for the unit "step"; 0 for calendar units."""
        return self.multiple if self.unit == "step" else LENGTHS.get(self.unit, 0) * self.multiple

    @property
    def months(self) -> int:
        """Months of a step, 0 for the other units."""
        return MONTHS.get(self.unit, 0) * self.multiple

    @property
    def wall(self) -> bool:
        """Whether steps are counted on the wall clock (a day and longer) rather than in UTC."""
        return self.unit in ("business day", *MONTHS) or self.length >= DAY

    def to_index(self, value: Array) -> tuple[Array, Array]:
        """Grid index of each time, and whether the time lies on the grid.

        value: (R,) int64, microseconds since 1970 (or step numbers).  Returns (R,) int64, (R,) bool.
        """
        if self.months:
            month = value.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64) - self.offset
            return month // self.months, month % self.months == 0
        if self.unit == "business day":
            day, clock = np.divmod(value, DAY)
            week, weekday = np.divmod(day + MONDAY, 7)
            index, rest = np.divmod(week * 5 + np.minimum(weekday, 5), self.multiple)
            return index, (weekday < 5) & (self.nearest | (clock == self.clock)) & (rest == self.offset)
        index, rest = np.divmod(value - self.offset + (self.length // 2 if self.nearest else 0), self.length)
        return index, (rest == 0) | self.nearest

    def to_value(self, index: Array) -> Array:
        """Microseconds since 1970 (or step numbers) of grid indices, (R,) int64."""
        if self.months:
            month = (index * self.months + self.offset).astype("datetime64[M]")
            first = month.astype("datetime64[D]").astype(np.int64)
            size = (month + 1).astype("datetime64[D]").astype(np.int64) - first
            return np.asarray((first + np.minimum(self.day, size) - 1) * DAY + self.clock)
        if self.unit == "business day":
            week, weekday = np.divmod(index * self.multiple + self.offset, 5)
            return np.asarray((week * 7 + weekday - MONDAY) * DAY + self.clock)
        return np.asarray(index * self.length + self.offset)

    def to_time(self, index: Array) -> Array:
        """Times of grid indices: (R,) datetime64[us], or int64 for the unit "step"."""
        value = self.to_value(np.asarray(index, dtype=np.int64))
        return value if self.unit == "step" else value.astype("datetime64[us]")


def simplest(unit: Unit, multiple: int) -> tuple[Unit, int]:
    """The same step in the longest unit that fits: 24 hours are a day, 3 months a quarter."""
    if unit in MONTHS:
        months = MONTHS[unit] * multiple
        best = next(name for name in ("year", "quarter", "month") if months % MONTHS[name] == 0)
        return best, months // MONTHS[best]  # type: ignore[return-value]
    if unit in LENGTHS:
        length = LENGTHS[unit] * multiple
        best = next(name for name in reversed(LENGTHS) if length % LENGTHS[name] == 0)
        return best, length // LENGTHS[best]  # type: ignore[return-value]
    return unit, multiple


def parse_frequency(text: str) -> tuple[Unit, int]:
    """Unit and multiple of "hour", "15 minutes", "15min", "W-SUN" or "MS". Raises ConfigError for others."""
    found = re.fullmatch(r"\s*(?:every\s+)?(\d*)\s*([A-Za-z]+(?: days?)?)(?:-[A-Z]{3})?\s*", text)
    word = found[2] if found else ""
    named = WORDS.get(word) or WORDS.get(word.lower() if len(word) > 2 else word)
    multiple = int(found[1] or 1) if found else 0
    if named is None or multiple < 1:
        raise ConfigError(
            f'expected a frequency such as "1 hour", "15 minutes", "business day" or "month", got {text!r}. '
            "Write a number and a unit."
        )
    return simplest(named[0], named[1] * multiple)


def place(unit: Unit, multiple: int, value: Array) -> Frequency:
    """The grid of that step which most of the times lie on.

    value: (R,) int64, microseconds since 1970 (or step numbers), R >= 1.
    """
    if unit in MONTHS:
        months = MONTHS[unit] * multiple
        stamp = value.astype("datetime64[us]")
        month = stamp.astype("datetime64[M]").astype(np.int64)
        return Frequency(
            unit=unit,
            multiple=multiple,
            offset=commonest(month % months),
            day=LAST_DAY if at_month_end(stamp).all() else commonest(month_days(stamp)),
            clock=commonest(value % DAY),
        )
    if unit == "business day":
        week, weekday = np.divmod(value // DAY + MONDAY, 7)
        offset = commonest((week * 5 + np.minimum(weekday, 5)) % multiple)
        return Frequency(unit=unit, multiple=multiple, offset=offset, clock=commonest(value % DAY))
    bare = Frequency(unit=unit, multiple=multiple)
    return bare.model_copy(update={"offset": commonest(value % bare.length)})


def month_days(stamp: Array) -> Array:
    """Day of the month, from 1, of datetime64[us] stamps."""
    day = stamp.astype("datetime64[D]")
    return np.asarray((day - day.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) + 1)


def at_month_end(stamp: Array) -> Array:
    """Whether datetime64[us] stamps lie on the last day of their month."""
    day = stamp.astype("datetime64[D]")
    return np.asarray((day + 1).astype("datetime64[M]") != day.astype("datetime64[M]"))


def commonest(value: Array) -> int:
    """The value that occurs most often (the smallest of several)."""
    seen, count = np.unique(value, return_counts=True)
    return int(seen[count.argmax()])
