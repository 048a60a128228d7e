"""Putting rows on the grid of time, one stretch of it for each group of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from recurra.data.frequency import Array, Frequency
from recurra.data.tables import Table
from recurra.data.times import Stamps

# A grid this many times larger than its rows is a mistake in a time stamp rather than gaps.
SPARSEST, SMALLEST = 200, 1_000_000


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each row goes.

    names: (G,) name of each group of rows, "" for the only one.  low: (G,) int64, grid index of its first row.
    edge: (G + 1,) int64, where its stretch begins in the flat grid.  group, place: (R,) int64, group of each
    row and its place in the flat grid, -1 for rows that say the same as an earlier one.
    """

    names: list[str]
    low: Array
    edge: Array
    group: Array
    place: Array
    repeated: int

    def spread(self, value: Array) -> Array:
        """Values of the rows, (R, …), on the flat grid, NaN where there is no row."""
        flat = np.full((int(self.edge[-1]), *value.shape[1:]), np.nan, dtype=value.dtype)
        if self.repeated:
            keep = self.place >= 0
            flat[self.place[keep]] = value[keep]
        else:
            flat[self.place] = value
        return flat


def group_rows(table: Table, ids: tuple[str, ...]) -> tuple[list[str], Array]:
    """Names of the groups in order of appearance, and the group of each row."""
    if not ids:
        return [""], np.zeros(len(table.frame), dtype=np.int64)
    keys = table.frame.select(pl.col(column).cast(pl.String).str.strip_chars() for column in ids)
    for column in ids:
        if keys[column].null_count():
            row = int(keys[column].is_null().arg_true()[0])
            raise table.error(
                "expected an id in every row, got none. Fill it in or remove the row.", row, column
            )
    unique = keys.unique(maintain_order=True)
    numbered = unique.with_columns(pl.Series("\0group", np.arange(len(unique))))
    group = keys.join(numbered, on=list(ids), how="left", maintain_order="left")["\0group"].to_numpy()
    return ["/".join(key) for key in unique.rows()], group


def to_index(
    table: Table, column: str | None, stamps: Stamps | None, group: Array, frequency: Frequency
) -> Array:
    """Grid index of each row, (R,) int64. Raises DataError at the first row off the grid."""
    if stamps is None or column is None:
        return _count_up(group)
    if not frequency.wall and frequency.unit != "step" and (stamps.zone is None) != (frequency.zone is None):
        have, want = ("with", "without") if stamps.zone else ("without", "with")
        raise table.error(
            f"expected times {want} an offset from UTC as in the training data, got them {have}. "
            f"Write them {want} one.", 0, column,
        )  # fmt: skip
    index, exact = frequency.to_index(clock_of(stamps, frequency))
    if not exact.all():
        row = int(np.argmin(exact))
        raise off_grid(
            table, column, row, frequency, f"{int((~exact).sum()):,} of {len(exact):,} rows are not"
        )
    return index


def clock_of(stamps: Stamps, frequency: Frequency) -> Array:
    """The times that the grid counts: the wall clock for a day and longer, UTC for shorter steps."""
    return stamps.wall if frequency.wall and stamps.wall is not None else stamps.value


def off_grid(table: Table, column: str, row: int, frequency: Frequency, count: str) -> Exception:
    """The error for a time between two steps."""
    return table.error(
        f"expected times on an even grid, {frequency}, got {table.frame[column][row]} ({count}). "
        "Correct the row, or bring the rows to even steps first (by mean or last value per step).",
        row,
        column,
    )


def _count_up(group: Array) -> Array:
    """0, 1, 2, … within each group."""
    order = np.argsort(group, kind="stable")
    size = np.bincount(group)
    start = np.cumsum(size) - size
    index = np.empty(len(group), dtype=np.int64)
    index[order] = np.arange(len(group)) - start[group[order]]
    return index


def lay_out(
    table: Table, names: list[str], group: Array, index: Array, time: str | None, used: list[str]
) -> Layout:
    """Place rows on the grid. Raises DataError for two rows of one step that differ in a used column."""
    count = len(names)
    low = np.full(count, np.iinfo(np.int64).max)
    high = np.full(count, np.iinfo(np.int64).min)
    np.minimum.at(low, group, index)
    np.maximum.at(high, group, index)
    size = high - low + 1
    _refuse_huge(table, group, index, low, size, time)
    edge = np.concatenate([[0], np.cumsum(size)])
    place = edge[group] + index - low[group]
    times_seen = np.bincount(place, minlength=int(edge[-1]))
    repeated = 0
    if (times_seen > 1).any():
        place, repeated = _merge_repeats(table, place, times_seen, time, used)
    return Layout(names, low, edge, group, place, repeated)


def _refuse_huge(table: Table, group: Array, index: Array, low: Array, size: Array, time: str | None) -> None:
    rows = np.bincount(group)
    bad = size > np.maximum(SPARSEST * rows, SMALLEST)
    if not bad.any() or time is None:
        return
    which = int(np.argmax(bad))
    mine = np.flatnonzero(group == which)
    order = mine[np.argsort(index[mine], kind="stable")]
    after = order[int(np.argmax(np.diff(index[order]))) + 1]
    raise table.error(
        f"expected times near one another, got {table.frame[time][int(after)]} after a gap of "
        f"{int(np.diff(index[order]).max()):,} steps. Correct the time stamp.",
        int(after),
        time,
    )


def _merge_repeats(
    table: Table, place: Array, seen: Array, time: str | None, used: list[str]
) -> tuple[Array, int]:
    """Keep the first of rows that are alike; refuse those that are not."""
    doubled = np.flatnonzero(seen[place] > 1)
    order = doubled[np.argsort(place[doubled], kind="stable")]
    again = np.concatenate([[False], place[order][1:] == place[order][:-1]])
    rows = table.frame[order.tolist()].select(used)
    same = np.ones(len(order), dtype=bool)
    for column in rows.get_columns():
        same[1:] &= column.eq_missing(column.shift(1)).to_numpy()[1:]
    wrong = again & ~same
    if wrong.any():
        at = int(np.argmax(wrong))
        first, second = table.where(int(order[at - 1])), table.where(int(order[at]))
        other = f"row {first[1]}" if first[0] == second[0] else f"row {first[1]} of {first[0]}"
        stamp = table.frame[time][int(order[at])] if time else ""
        raise table.error(
            f"expected each time once per series, got {stamp} again with other values (first in {other}). "
            "Remove one of the rows, or name the id columns that tell the series apart.",
            int(order[at]),
            time,
        )
    place = place.copy()
    place[order[again]] = -1
    return place, int(again.sum())
