"""Putting rows on the grid of time, one stretch of it for each group of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recurra.data.frequency import DAY, Array, Frequency
from recurra.data.stamps import Stamps
from recurra.data.tables import Table
from recurra.tasks.forecast.steps import clocks_went_back

# A grid this many times larger than its rows is a mistake in a time stamp rather than gaps.
SPARSEST, SMALLEST = 200, 1_000_000


@dataclass(frozen=True, slots=True)
class Rows:
    """What is known of the rows before they are placed.

    names: (G,) names of the groups.  group: (R,) int64, of each row.  index: (R,) int64, step of each row.
    """

    table: Table
    time: str | None
    stamps: Stamps | None
    frequency: Frequency
    names: list[str]
    group: Array
    index: Array


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each row goes.

    names: (G,) name of each group of rows, "" for the only one.  low: (G,) int64, its first grid index.
    edge: (G + 1,) int64, where its stretch begins in the flat grid.  group: (R,) int64, group of each row.
    place: (R,) int64, place in the flat grid, -1 for a row that says the same as an earlier one.
    repeated: number of such rows.  unsorted: whether rows came out of the order of time.
    """

    names: list[str]
    low: Array
    edge: Array
    group: Array
    place: Array
    repeated: int
    unsorted: bool

    def spread(self, value: Array) -> Array:
        """Values of the rows, (R, …), on the flat grid, NaN where there is no row."""
        flat = np.full((int(self.edge[-1]), *value.shape[1:]), np.nan, dtype=value.dtype)
        if self.repeated:
            keep = self.place >= 0
            flat[self.place[keep]] = value[keep]
        else:
            flat[self.place] = value
        return flat


def lay_out(rows: Rows, used: tuple[str, ...]) -> Layout:
    """Place rows on the grid. Raises DataError for two rows of one step that differ in a used column."""
    count = len(rows.names)
    low = np.full(count, np.iinfo(np.int64).max)
    high = np.full(count, np.iinfo(np.int64).min)
    np.minimum.at(low, rows.group, rows.index)
    np.maximum.at(high, rows.group, rows.index)
    size = high - low + 1
    _refuse_huge(rows, size)
    edge = np.concatenate([[0], np.cumsum(size)])
    place = edge[rows.group] + rows.index - low[rows.group]
    unsorted = bool(((np.diff(rows.index) < 0) & (np.diff(rows.group) == 0)).any())
    seen = np.bincount(place, minlength=int(edge[-1]))
    repeated = 0
    if seen.max() > 1:
        place, repeated = _merge_repeats(rows, place, seen, used)
    return Layout(rows.names, low, edge, rows.group, place, repeated, unsorted)


def _refuse_huge(rows: Rows, size: Array) -> None:
    bad = size > np.maximum(SPARSEST * np.bincount(rows.group), SMALLEST)
    if not bad.any() or rows.stamps is None:
        return
    mine = np.flatnonzero(rows.group == int(np.argmax(bad)))
    order = mine[np.argsort(rows.index[mine], kind="stable")]
    gap = np.diff(rows.index[order])
    widest = int(np.argmax(gap))
    # The lonelier side of the widest gap is the mistake.
    row = int(order[widest + 1] if widest >= len(gap) / 2 else order[widest])
    raise rows.table.error(
        f"expected times near one another, got {rows.stamps.show(row)}, {int(gap[widest]):,} steps from the "
        "next. Correct the time stamp.",
        row,
        rows.time,
    )


def _merge_repeats(rows: Rows, place: Array, seen: Array, used: tuple[str, ...]) -> tuple[Array, int]:
    """Keep the first of rows that are alike; refuse those that are not."""
    doubled = np.flatnonzero(seen[place] > 1)
    order = doubled[np.argsort(place[doubled], kind="stable")]
    again = np.concatenate([[False], np.diff(place[order]) == 0])
    same = np.ones(len(order), dtype=bool)
    if rows.stamps is not None:
        same[1:] = np.diff(rows.stamps.value[order]) == 0
    for column in rows.table.frame.select(used).get_columns():
        cells = column.gather(order)
        same[1:] &= cells.eq_missing(cells.shift(1)).to_numpy()[1:]
    wrong = np.flatnonzero(again & ~same)
    if len(wrong):
        raise _conflict(rows, int(order[wrong[0] - 1]), int(order[wrong[0]]), order[again])
    place = place.copy()
    place[order[again]] = -1
    return place, int(again.sum())


def _conflict(rows: Rows, one: int, other: int, again: Array) -> Exception:
    first, stamps = rows.table.spot(one, beside=other), rows.stamps
    assert stamps is not None  # rows without a time are counted up, never twice
    if stamps.value[one] != stamps.value[other]:
        wanted, got = (
            f"one row for a step, {rows.frequency}",
            f"{stamps.show(other)} after {stamps.show(one)}",
        )
        action = "Give one row per step, or a shorter frequency"
    else:
        wanted, got = "each time once per series", f"{stamps.show(other)} again with other values"
        action = "Remove one of the rows, or name the id columns that tell the series apart"
        if 0 < rows.frequency.length < DAY and not stamps.steps and clocks_went_back(stamps, again):
            action += "; if clocks went back here, write times with their offset from UTC"
    return rows.table.error(f"expected {wanted}, got {got} (first in {first}). {action}.", other, rows.time)
