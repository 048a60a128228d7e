"""Times that two or more columns spell together: a date and a clock; year, month, day and hour."""

from __future__ import annotations

import polars as pl

from recurra.data.stamps import YEARS
from recurra.data.timetext import is_time
from recurra.data.values import is_number, parse

CLOCK = r"^\s*\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?\s*([AaPp]\.?[Mm]\.?)?\s*$"
CLOCK_NAMES = ("time", "clock", "hour", "hr", "time_of_day", "hour_of_day")
YEAR_NAMES, MONTH_NAMES = ("year", "yr", "yyyy"), ("month", "mon", "mo", "mnth", "mm")
DAY_NAMES, HOUR_NAMES = ("day", "dom", "mday", "dd", "day_of_month"), ("hour", "hr", "hh", "hour_of_day")
# Highest figure of month, day and hour.
LIMITS = (12, 31, 24)


def find_parts(frame: pl.DataFrame, time: str | None, free: list[str]) -> tuple[str, tuple[str, ...]] | None:
    """The column that begins the time and those that complete it; None where one column says it all.

    time: a column of dates, if there is one.  free: columns that have no other role.
    """
    if time is not None and _repeats(frame[time]) and _has_no_clock(frame[time]):
        for column in free:
            if column != time and column.strip().lower() in CLOCK_NAMES and _is_clock(frame[column]):
                return time, (column,)
    year = _named(frame, free if time is None else [time], YEAR_NAMES, *YEARS)
    month = _named(frame, free, MONTH_NAMES, 1, LIMITS[0])
    if year is None or month is None:
        return None
    parts = [month]
    for names, limit in zip((DAY_NAMES, HOUR_NAMES), LIMITS[1:], strict=True):
        part = _named(frame, free, names, 0, limit)
        if part is None:
            break
        parts.append(part)
    return year, tuple(parts)


def join_parts(frame: pl.DataFrame, time: str, parts: tuple[str, ...]) -> pl.Series:
    """The whole time as text, null where a part is missing, (R,)."""
    first = frame[time]
    if not parts:
        return first
    if len(parts) == 1 and not is_number(first):
        clock = frame[parts[0]].cast(pl.String).str.strip_chars()
        hours = clock.str.contains(r"^\d{1,2}$").all()
        return first.cast(pl.String).str.strip_chars() + " " + (clock + ":00" if hours else clock)
    figures = [
        frame[column].cast(pl.String).str.strip_chars().str.strip_suffix(".0").str.pad_start(2, "0")
        for column in (time, *parts)
    ]
    text = figures[0]
    for figure, mark in zip(figures[1:], ("-", "-", " "), strict=False):
        text = text + mark + figure
    return text + ":00" if len(parts) == len(LIMITS) else text


def _repeats(cells: pl.Series) -> bool:
    return cells.n_unique() < len(cells)


def _has_no_clock(cells: pl.Series) -> bool:
    if cells.dtype != pl.String:
        return cells.dtype == pl.Date
    return is_time(cells) and not cells.str.contains(":", literal=True).any()


def _is_clock(cells: pl.Series) -> bool:
    if cells.dtype == pl.Time:
        return True
    if cells.dtype == pl.String and cells.str.contains(CLOCK).all():
        return True
    return _within(cells, 0, LIMITS[2])


def _named(frame: pl.DataFrame, free: list[str], names: tuple[str, ...], low: int, high: int) -> str | None:
    """The column of that name, if it holds whole numbers in the range."""
    for column in free:
        if column.strip().lower() in names and _within(frame[column], low, high):
            return column
    return None


def _within(cells: pl.Series, low: int, high: int) -> bool:
    if not is_number(cells) or cells.dtype == pl.Boolean:
        return False
    value, bad = parse(cells)
    return not len(bad) and bool(((value % 1 == 0) & (value >= low) & (value <= high)).all())
