"""The step of time: found or named, and each row's place on its grid."""

from __future__ import annotations

import numpy as np

from recurra.data.frequency import DAY, Array, Frequency, parse_frequency, place
from recurra.data.grids import find_frequency
from recurra.data.stamps import Problem, Stamps
from recurra.data.tables import Table
from recurra.errors import ConfigError, DataError


def choose_frequency(
    table: Table, column: str | None, stamps: Stamps | None, group: Array, named: str | None
) -> Frequency:
    """The user's frequency, or the one that all rows keep. Raises DataError at a row that does not."""
    if stamps is None or column is None:
        if named is not None:
            raise ConfigError(
                f"expected a time column for the frequency {named!r}, got rows without one. "
                "Name the time column, or leave the frequency out."
            )
        return Frequency(unit="step")
    if named is not None:
        return _named(column, stamps, named)
    frequency, off = find_frequency(group, stamps.value, steps=stamps.steps)
    if stamps.wall is not None and (stamps.wall != stamps.value).any():
        wall, wall_off = find_frequency(group, stamps.wall, steps=False)
        if wall is not None and wall.wall and (off.any() or not wall_off.any()):
            frequency, off = wall, wall_off
    if frequency is None:
        raise table.error(
            "expected at least 2 different times in some series, got 1 in each. "
            "Give more rows, or name the frequency.",
            column=column,
        )
    if off.any():
        raise _off_grid(table, column, stamps, ~off, frequency)
    return frequency.model_copy(update={"zone": _zone(stamps, frequency)})


def _zone(stamps: Stamps, frequency: Frequency) -> str | None:
    """The zone of the steps; offsets in text name none for steps that the wall clock counts."""
    return None if frequency.wall and stamps.wall is not None and stamps.zone == "UTC" else stamps.zone


def _named(column: str, stamps: Stamps, named: str) -> Frequency:
    unit, multiple = parse_frequency(named)
    if (unit == "step") != stamps.steps:
        what = "step numbers" if stamps.steps else "times"
        raise ConfigError(
            f"expected a frequency that suits the {what} in {column!r}, got {named!r}. "
            "Leave it out, or name another time column."
        )
    bare = Frequency(unit=unit, multiple=multiple)
    return place(unit, multiple, _counted(stamps, bare)).model_copy(
        update={"zone": _zone(stamps, bare), "nearest": True}
    )


def _counted(stamps: Stamps, frequency: Frequency) -> Array:
    """The times that the grid counts: the wall clock for a day and longer, UTC for shorter steps."""
    return stamps.wall if frequency.wall and stamps.wall is not None else stamps.value


def to_index(
    table: Table, column: str | None, stamps: Stamps | None, group: Array, frequency: Frequency
) -> Array:
    """Grid index of each row, (R,) int64. Raises DataError at the first row off the grid."""
    if stamps is None or column is None:
        return _count_up(group)
    index, exact = grid_index(stamps, frequency, table.problem(column))
    if not exact.all():
        raise _off_grid(table, column, stamps, exact, frequency)
    return index


def grid_index(stamps: Stamps, frequency: Frequency, problem: Problem) -> tuple[Array, Array]:
    """Grid index of each time, (R,) int64, and whether it lies on the grid, (R,) bool.

    Raises the DataErrors that `problem` makes of times that are not like those of the training data.
    """
    if stamps.steps != (frequency.unit == "step"):
        have, want = ("step numbers", "times") if stamps.steps else ("times", "step numbers")
        raise problem(
            f"expected {want} as in the training data, got {have} such as {stamps.show(0)}. "
            "Write them in the same form.",
            0,
        )
    if not frequency.wall and (stamps.zone is None) != (frequency.zone is None):
        have, want = ("with", "without") if stamps.zone else ("without", "with")
        raise problem(
            f"expected times {want} an offset from UTC as in the training data, got them {have} one. "
            "Write them in the same form.",
            0,
        )
    return frequency.to_index(_counted(stamps, frequency))


def count_between(stamps: Stamps, frequency: Frequency) -> int:
    """How many times lie between two steps and count as the nearer one."""
    if not frequency.nearest or frequency.months:
        return 0
    strict = frequency.model_copy(update={"nearest": False})
    return int((~strict.to_index(_counted(stamps, frequency))[1]).sum())


def _off_grid(table: Table, column: str, stamps: Stamps, exact: Array, frequency: Frequency) -> DataError:
    row = int(np.argmin(exact))
    way = "" if frequency.unit == "step" or frequency.nearest else (
        ", or name the frequency to count each row as its nearest step"
    )  # fmt: skip
    return table.error(
        f"expected times on an even grid, {frequency}, got {stamps.show(row)} "
        f"({int((~exact).sum()):,} of {len(exact):,} rows are off it). "
        f"Bring the rows to even steps first (a mean or last value per step){way}.",
        row,
        column,
    )


def _count_up(group: Array) -> Array:
    """0, 1, 2, … within each group, (R,) int64."""
    order = np.argsort(group, kind="stable")
    size = np.bincount(group)
    start = np.cumsum(size) - size
    index = np.empty(len(group), dtype=np.int64)
    index[order] = np.arange(len(group)) - start[group[order]]
    return index


# Clocks go back in these months, in the small hours.
CHANGE_MONTHS, CHANGE_HOURS = (3, 4, 9, 10, 11), (0, 1, 2, 3)


def clocks_went_back(stamps: Stamps, rows: Array) -> bool:
    """Whether times that occur twice can be an hour that summer time repeats."""
    value = stamps.value[rows]
    month = value.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    hour = value % DAY // (DAY // 24)
    return stamps.zone is None and bool((np.isin(month, CHANGE_MONTHS) & np.isin(hour, CHANGE_HOURS)).all())
