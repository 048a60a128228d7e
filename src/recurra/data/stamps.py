"""The times of rows, once read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from recurra.data.frequency import DAY, Array
from recurra.errors import DataError

Problem = Callable[[str, int], DataError]  # (message, row) -> the error that names file, line and column

# Whole numbers that are times: how many per second since 1970, and the range that is believed (1980 to 2100).
EPOCHS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
EPOCH_RANGE = (315_532_800, 4_102_444_800)
# Whole numbers of four figures that are years.
YEARS = (1500, 2200)


@dataclass(frozen=True, slots=True)
class Stamps:
    """The times of R rows.

    value: (R,) int64, microseconds since 1970 (in UTC where a zone is given), or step numbers.
    form: how the times are written, enough to read later files alike.
    zone: time zone of the rows, None where they bear none.
    wall: (R,) int64, what the clocks of the place showed, where a zone or offset is given.
    notes: what had to be assumed, one line each.
    """

    value: Array
    form: str
    zone: str | None = None
    wall: Array | None = None
    notes: tuple[str, ...] = ()

    @property
    def steps(self) -> bool:
        """Whether the times are mere numbers of steps."""
        return self.form == "step"

    def show(self, row: int) -> str:
        """The time of a row in words."""
        if self.steps:
            return str(self.value[row])
        value = self.value if self.wall is None else self.wall
        return show(value, row, hours=bool((value % DAY).any()))


def show(value: Array, row: int, *, hours: bool = False) -> str:
    """Microseconds since 1970 as 2020-01-31 or 2020-01-31 12:00; midnight is shown with `hours` alone."""
    text = str(value[row].astype("datetime64[us]")).replace("T", " ")
    for rest in (".000000", ":00", *(() if hours else (" 00:00",))):
        text = text.removesuffix(rest)
    return text


def to_days(year: Array, month: Array, day: Array, problem: Problem, text: pl.Series) -> Array:
    """Days since 1970 of dates, (R,) int64."""
    start = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    first = start.astype("datetime64[D]").astype(np.int64)
    size = (start + 1).astype("datetime64[D]").astype(np.int64) - first
    bad = (month < 1) | (month > 12) | (day < 1) | (day > size)
    if bad.any():
        row = int(np.argmax(bad))
        raise problem(f"expected a day that exists, got {str(text[row])!r}. Correct the cell.", row)
    return np.asarray(first + day - 1)


def write_times(value: Array, form: str, zone: str | None) -> pl.Series:
    """Times as the file they came from has them: dates, date-times, years, quarters, numbers.

    value: (R,) int64, microseconds since 1970 (UTC where there is a zone) or step numbers.
    """
    if form == "step":
        return pl.Series(value)
    if form in EPOCHS:
        scale = EPOCHS[form]
        return pl.Series(value // (10**6 // scale) if scale <= 10**6 else value * (scale // 10**6))
    stamp = pl.Series(value).cast(pl.Datetime("us"))
    if form in WRITTEN:
        return WRITTEN[form](stamp)
    if zone is not None:
        return stamp.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    return stamp.cast(pl.Date) if (value % DAY == 0).all() and form != "datetime" else stamp


def _year_month(stamp: pl.Series) -> pl.Series:
    return stamp.dt.strftime("%Y-%m")


def _quarter(stamp: pl.Series) -> pl.Series:
    return stamp.dt.year().cast(pl.String) + "Q" + stamp.dt.quarter().cast(pl.String)


# Forms that are no dates.
WRITTEN: dict[str, Callable[[pl.Series], pl.Series]] = {
    "year": lambda stamp: stamp.dt.year(),
    "year-month": _year_month,
    "month/year": _year_month,
    "yearmonth": _year_month,
    "name year": _year_month,
    "year name": _year_month,
    "quarter": _quarter,
    "quarter year": _quarter,
}
