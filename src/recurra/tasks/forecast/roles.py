"""Which column is the time, which say whose row it is, and which are to be forecast."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from recurra.data import values
from recurra.data.frequency import Array
from recurra.data.tables import Table, listed, need_column
from recurra.data.timeparts import find_parts, join_parts
from recurra.data.times import Stamps, is_time, parse_times
from recurra.errors import DataError

if TYPE_CHECKING:
    from recurra.tasks.forecast.config import ForecastConfig

# Names that people give to these columns, likeliest first.
TIME_NAMES = (
    "timestamp", "datetime", "date_time", "date", "time", "ds", "period", "year", "month", "quarter", "week",
    "day", "epoch", "unixtime", "t", "step", "index", "column_1",
)  # fmt: skip
STEP_NAMES = ("t", "step", "index", "time", "ds", "period", "timestamp", "tick", "column_1")
ID_NAMES = (
    "unique_id", "series_id", "item_id", "series", "id", "item", "sku", "store", "product", "shop", "ticker",
    "symbol", "sensor", "station", "meter", "device", "region", "state", "country", "name", "family",
)  # fmt: skip
SURE_ID_NAMES = ID_NAMES[:5]
TARGET_NAMES = ("y", "target", "value")
ROW_NUMBER_NAMES = ("column_1", "index", "unnamed: 0", "level_0", "row", "rownames")
# More columns than these are not combined in search of an id.
MOST_ID_CANDIDATES, MOST_IDS = 8, 3
# Rows per time above which there must be several series.
CROWDED = 1.5
# Times whose rows are looked at in search of an id, and the column that holds them meanwhile.
ID_TIMES, TIME = 200, "\0time"


@dataclass(slots=True)
class Roles:
    """The part that each column plays.  notes: what was found, one line each."""

    time: str | None
    time_parts: tuple[str, ...]
    stamps: Stamps | None
    ids: tuple[str, ...]
    targets: tuple[str, ...]
    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)

    @property
    def covariates(self) -> tuple[str, ...]:
        """Every column that helps to forecast."""
        return (*self.past, *self.future, *self.static)


def find_roles(table: Table, config: ForecastConfig) -> Roles:
    """The roles that the user names, and those of the other columns by name and content. Raises DataError."""
    covariates = (*(config.past or ()), *(config.future or ()), *(config.static or ()))
    named = (*(config.target or ()), *(config.id or ()), *covariates)
    for column in (*named, *([config.time] if config.time else [])):
        need_column(table, column)
    _refuse_two_roles(config)
    time, parts, stamps = _find_time(table, config, named)
    taken = {*named, time, *parts}
    ids = config.id if config.id is not None else _find_ids(table, stamps, taken)
    targets = _find_targets(table, config, {*taken, *ids})
    roles = Roles(
        time, parts, stamps, tuple(ids), targets, config.past or (), config.future or (), config.static or ()
    )
    used = {time, *parts, *ids, *targets, *covariates}
    left = [column for column in table.frame.columns if column not in used]
    empty = [column for column in left if values.is_empty(table.frame[column])]
    full = [column for column in left if column not in empty]
    if empty:
        roles.notes.append(f"left out: {listed(empty)} (no values)")
    if full:
        roles.notes.append(f"left out: {listed(full)} (to use: name as past, future or static)")
    return roles


def _refuse_two_roles(config: ForecastConfig) -> None:
    seen: dict[str, str] = {}
    named = {
        "target": config.target, "time": (config.time,) if config.time else (), "id": config.id,
        "past": config.past, "future": config.future, "static": config.static,
    }  # fmt: skip
    for role, columns in named.items():
        for column in columns or ():
            if column in seen:
                raise DataError(
                    f"expected one role for the column {column!r}, got {seen[column]} and {role}. "
                    "Name it once."
                )
            seen[column] = role


def _find_time(
    table: Table, config: ForecastConfig, named: tuple[str, ...]
) -> tuple[str | None, tuple[str, ...], Stamps | None]:
    """The time column, those that complete it, and the times."""
    frame = table.frame
    free = [column for column in frame.columns if column not in named]
    time = config.time
    if time is None:
        certain = [column for column in free if is_time(frame[column])]
        time = min(certain, key=lambda column: (_rank(column, TIME_NAMES), free.index(column)), default=None)
    found = find_parts(frame, time, free)
    if found is not None:
        cells = join_parts(frame, *found)
        return *found, parse_times(cells, table.problem(found[0]))
    if time is not None:
        return time, (), parse_times(frame[time], table.problem(time))
    figures = [column for column in frame.columns if values.is_number(frame[column])]
    for column in sorted(free, key=lambda column: _rank(column, TIME_NAMES)):
        if figures == [column]:
            break  # nothing would be left to forecast
        stamps = _figures_as_time(table, column, first=column == frame.columns[0])
        if stamps is not None:
            return column, (), stamps
    return None, (), None


def _figures_as_time(table: Table, column: str, first: bool) -> Stamps | None:
    """Years, epochs and step numbers, where the name or an even rise says that they are a time."""
    hinted = _rank(column, TIME_NAMES) < len(TIME_NAMES)
    cells = table.frame[column]
    if not (hinted or first) or not values.is_number(cells) or cells.dtype == pl.Boolean:
        return None
    value, bad = values.parse(cells)
    if len(bad) or np.isnan(value).any():
        return None
    gap = np.diff(value)
    even = len(gap) > 0 and bool(gap[0] > 0) and bool((gap == gap[0]).all())
    rises = len(gap) > 0 and bool(np.mean(gap > 0) > 0.5)
    try:
        stamps = parse_times(cells, table.problem(column))
    except DataError:
        return None
    if stamps.steps:
        return stamps if even or (rises and _rank(column, STEP_NAMES) < len(STEP_NAMES)) else None
    return stamps if even or (hinted and rises) else None


def _rank(column: str, names: tuple[str, ...]) -> int:
    """Place of the column's name among these, their number if it is not there."""
    lower = column.strip().lower()
    return names.index(lower) if lower in names else len(names)


def _find_ids(table: Table, stamps: Stamps | None, taken: set[str | None]) -> tuple[str, ...]:
    """The fewest columns that, with the time, tell all rows apart; none where the time alone does."""
    frame = table.frame
    free = [column for column in frame.columns if column not in taken]
    times = np.unique(stamps.value) if stamps is not None else np.empty(0)
    if len(times) == len(frame):
        sure = [column for column in free if _rank(column, SURE_ID_NAMES) < len(SURE_ID_NAMES)]
        return tuple(column for column in sure[:1] if frame[column].n_unique() == 1)
    words = [column for column in free if _is_words(frame[column])]
    if stamps is None:
        return _ids_without_time(frame, words)
    hinted = [column for column in free if _id_rank(column) < len(ID_NAMES)]
    # All rows of a few times show which columns tell rows of one time apart.
    some_times = times[np.linspace(0, len(times) - 1, min(len(times), ID_TIMES)).astype(int)]
    rows = (
        frame.with_columns(pl.Series(TIME, stamps.value)).filter(np.isin(stamps.value, some_times)).unique()
    )
    found = _tell_apart(rows, sorted(hinted, key=_id_rank))
    # A few times that occur twice are a mistake, which a remark or a figure must not hide.
    if found is None and len(frame) >= CROWDED * len(times):
        found = _tell_apart(
            rows, [*sorted(hinted, key=_id_rank), *(one for one in words if one not in hinted)]
        )
        found = found or _tell_apart(rows, [column for column in free if _is_code(frame[column])])
    return tuple(sorted(found or (), key=free.index))


def _tell_apart(rows: pl.DataFrame, candidates: list[str]) -> tuple[str, ...] | None:
    """The fewest of the columns, likeliest first, that differ between rows of one time."""
    for size in range(1, MOST_IDS + 1):
        for some in combinations(candidates[:MOST_ID_CANDIDATES], size):
            if rows.select(*some, TIME).n_unique() == len(rows):
                return some
    return None


def _is_code(cells: pl.Series) -> bool:
    """Whole numbers of which each occurs often."""
    if not values.is_number(cells) or 3 * cells.n_unique() > len(cells):
        return False
    value, bad = values.parse(cells)
    return not len(bad) and bool((value % 1 == 0).all())


def _ids_without_time(frame: pl.DataFrame, words: list[str]) -> tuple[str, ...]:
    """A column of words whose equal cells lie together, several rows each."""
    for column in words:
        runs = frame[column].rle_id().max()
        distinct = frame[column].n_unique()
        if isinstance(runs, int) and runs + 1 == distinct and 2 * distinct <= len(frame):
            return (column,)
    return ()


def _is_words(cells: pl.Series) -> bool:
    return (
        cells.dtype in (pl.String, pl.Boolean) and not values.is_number(cells) and not values.is_empty(cells)
    )


def _id_rank(column: str) -> int:
    """Place among the names of ids, their number for other names."""
    lower = column.strip().lower()
    return min(
        _rank(column, ID_NAMES),
        len(ID_NAMES) - 1 if lower.endswith(("_id", " id", "_nbr")) else len(ID_NAMES),
    )


def _find_targets(table: Table, config: ForecastConfig, taken: set[str | None]) -> tuple[str, ...]:
    """The named ones, the one with a telling name, else every column of numbers that is no key."""
    frame = table.frame
    if config.target is not None:
        return config.target
    free = [
        column
        for column in frame.columns
        if column not in taken and values.is_number(frame[column]) and not _is_row_number(frame[column])
    ]
    hinted = [column for column in free if _rank(column, TARGET_NAMES) < len(TARGET_NAMES)]
    if not free:
        raise DataError(
            f"expected at least one column of numbers to forecast, got {listed(frame.columns)}. "
            "Name the column with target.",
            file=table.name,
        )
    if len(hinted) == 1:
        return (hinted[0],)
    return tuple(column for column in free if _id_rank(column) == len(ID_NAMES)) or tuple(free)


def _is_row_number(cells: pl.Series) -> bool:
    """0, 1, 2, … under a name that frames give to their index, or a rise under the name of a time."""
    names = (*ROW_NUMBER_NAMES, *TIME_NAMES)
    if _rank(cells.name, names) == len(names):
        return False
    gap: Array = np.diff(values.parse(cells)[0])
    return (
        bool((gap == 1).all()) if _rank(cells.name, TIME_NAMES) == len(TIME_NAMES) else bool((gap > 0).all())
    )
