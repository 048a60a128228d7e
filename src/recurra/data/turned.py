"""Tables with a row for each series and a column for each time, turned so that each row holds one value."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import polars as pl

from recurra.data.stamps import YEARS
from recurra.data.tables import Table
from recurra.data.timetext import is_time, looks_like_time
from recurra.data.values import is_empty, is_number

# Names of the new columns, with a space so that no column of the file is likely to bear them.
TIME, VALUE = "column name", "cell value"
# Fewer columns than these are no run of times; without dates for names, more are wanted.
FEWEST, FEWEST_NUMBERED = 3, 8


def time_columns(frame: pl.DataFrame) -> list[str]:
    """Columns whose names are times: dates, years or V1, V2, …; none where the rows bear times."""
    if any(is_time(column) for column in frame.get_columns()):
        return []
    dated = [name for name in frame.columns if _is_dated(name)]
    if len(dated) >= FEWEST and 2 * len(dated) >= frame.width and _hold_numbers(frame, dated):
        return dated
    first, rest = frame.get_column(frame.columns[0]), frame.columns[1:]
    words = first.dtype == pl.String and not is_number(first) and first.n_unique() == len(first)
    numbered = [re.fullmatch(r"(\D*)(\d+)", name) for name in rest]
    if not words or len(rest) < FEWEST_NUMBERED or not all(numbered):
        return []
    stems = {found[1] for found in numbered if found}
    figures = np.array([int(found[2]) for found in numbered if found])
    counts_up = len(stems) == 1 and bool((np.diff(figures) == 1).all())
    return rest if counts_up and _hold_numbers(frame, rest) else []


def _is_dated(name: str) -> bool:
    year = name.strip().isdigit() and len(name.strip()) == 4 and YEARS[0] <= int(name) <= YEARS[1]
    return year or looks_like_time(name.strip())


def _hold_numbers(frame: pl.DataFrame, columns: list[str]) -> bool:
    """Whether most of the columns hold numbers, or nothing."""
    return 2 * sum(is_number(frame[name]) or is_empty(frame[name]) for name in columns) > len(columns)


def turn(table: Table, columns: list[str]) -> Table:
    """One row for each series and time: the other columns repeated, a column of times and one of values.

    Times are the names of the columns, or their numbers where the names are V1, V2, … .
    """
    frame, count = table.frame, len(table.frame)
    dated = _is_dated(columns[0])
    times = pl.Series([name.strip() if dated else re.sub(r"\D", "", name) for name in columns])
    kept = [column for column in frame.columns if column not in columns]
    rows, which = np.tile(np.arange(count), len(columns)), np.repeat(np.arange(len(columns)), count)
    values = pl.concat([frame[name].cast(pl.String) for name in columns])
    long = frame.select(pl.col(kept).gather(rows)) if kept else pl.DataFrame()
    long = long.hstack([times.gather(which).alias(TIME), values.alias(VALUE)])
    origin = np.arange(count) if table.rows is None else table.rows
    return replace(table, frame=long, rows=origin[rows], cells=(tuple(columns), which))
