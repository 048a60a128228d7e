"""Series on one grid of time, ready for the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recurra.data import calendar
from recurra.data.columns import Column, encode
from recurra.data.frequency import DAY, Array
from recurra.data.stamps import WRITTEN, show
from recurra.data.tables import Table
from recurra.errors import DataError
from recurra.tasks.forecast.layout import Layout
from recurra.tasks.forecast.schema import Schema


@dataclass(frozen=True, slots=True)
class Panel:
    """N series on one grid of time.

    start: (N,) int64, grid index of each first step.
    target: N x (T_n,) float64, NaN where missing; begins and ends with a known value.
    past: N x (T_n, P) float32.  static: (N, S) float32.
    future: N x (T_n + K_n, F) float32, K_n >= 0 steps known beyond the last target.
    Covariates are encoded, NaN where missing.
    """

    schema: Schema
    ids: list[str]
    start: Array
    target: list[Array]
    past: list[Array]
    future: list[Array]
    static: Array

    def times(self, n: int, first: int, count: int) -> Array:
        """Times of steps first … first + count of series n: (count,) datetime64[us], int64 for mere steps."""
        return self.schema.frequency.to_time(self.start[n] + first + np.arange(count))

    def calendar(self, n: int, first: int, count: int) -> Array:
        """Sine and cosine of where those steps lie in day, week and year: (count, C) float32."""
        return calendar.features(self.schema.frequency, self.start[n] + first + np.arange(count))

    def require_future(self, horizon: int) -> None:
        """Raises DataError unless the future-known columns reach `horizon` steps beyond every target."""
        names = self.schema.future_features
        for n, (target, future) in enumerate(zip(self.target, self.future, strict=True)):
            absent = np.ones((horizon, len(names)), dtype=bool)
            ahead = future[len(target) : len(target) + horizon]
            absent[: len(ahead)] = np.isnan(ahead)
            if absent.any():
                step = int(np.argmax(absent.any(axis=1)))
                feature = names[int(np.argmax(absent[step]))]
                column = next(one.name for one in self.schema.future if feature in one.features)
                when = self.schema.write_times(self.start[n : n + 1] + len(target) + step)[0]
                raise DataError(
                    f"expected {column!r} for {horizon} steps after the last target of series "
                    f"{self.ids[n]!r}, got none at {when}. Add rows that hold it, with the target left empty."
                )


@dataclass(frozen=True, slots=True)
class Targets:
    """Targets of all series, cut to their known stretch.

    value: N x (T_n,) float64.  group: (N,) int64, group of rows of each.  first: (N,) int64, place of the
    first step in the flat grid.  empty: names of series without a value.
    """

    ids: list[str]
    value: list[Array]
    group: Array
    first: Array
    empty: list[str]


def cut_targets(table: Table, layout: Layout, columns: tuple[str, ...], long: bool) -> Targets:
    """Each target column of each group as a series. Raises DataError at a cell that is no number."""
    flats = [layout.spread(table.numbers(column)) for column in columns]
    ids: list[str] = []
    empty: list[str] = []
    value: list[Array] = []
    place: list[tuple[int, int]] = []
    for group, name in enumerate(layout.names):
        low, high = int(layout.edge[group]), int(layout.edge[group + 1])
        for column, flat in zip(columns, flats, strict=True):
            label = column if not long else name if len(columns) == 1 else f"{name}/{column}"
            known = ~np.isnan(flat[low:high])
            if not known.any():
                empty.append(label)
                continue
            first, last = low + int(known.argmax()), high - int(known[::-1].argmax())
            ids.append(label)
            value.append(flat[first:last])
            place.append((group, first))
    where = np.array(place, dtype=np.int64).reshape(-1, 2)
    return Targets(ids, value, where[:, 0], where[:, 1], empty)


def build_panel(table: Table, layout: Layout, schema: Schema, targets: Targets) -> Panel:
    """The targets with their covariates. Raises DataError where a covariate does not fit the schema."""
    past = layout.spread(_encoded(table, schema.past))
    future = layout.spread(_encoded(table, schema.future))
    known_until = _known_until(layout, future)[targets.group]
    end = targets.first + np.array([len(one) for one in targets.value], dtype=np.int64)
    first_to_end = list(zip(targets.first, end, strict=True))
    until = np.maximum(end, known_until)
    return Panel(
        schema=schema,
        ids=targets.ids,
        start=layout.low[targets.group] + targets.first - layout.edge[targets.group],
        target=targets.value,
        past=[past[a:b] for a, b in first_to_end],
        future=[future[a:b] for (a, _), b in zip(first_to_end, until, strict=True)],
        static=_static(table, layout, schema)[targets.group],
    )


def _encoded(table: Table, columns: tuple[Column, ...]) -> Array:
    """(R, F) float32 features of the rows."""
    parts = [np.empty((len(table.frame), 0), dtype=np.float32)]
    for column in columns:
        number = table.numbers(column.name) if column.kind == "numeric" else None
        parts.append(encode(column, table.frame[column.name], number))
    return np.concatenate(parts, axis=1)


def _known_until(layout: Layout, future: Array) -> Array:
    """The place after the last step of each group with any future-known value, (G,) int64."""
    known = np.flatnonzero(~np.isnan(future).all(axis=1)) if future.shape[1] else np.empty(0, dtype=np.int64)
    until = np.zeros(len(layout.names), dtype=np.int64)
    group = np.searchsorted(layout.edge, known, side="right") - 1
    until[group] = known + 1  # ascending, so the last one stays
    return until


def _static(table: Table, layout: Layout, schema: Schema) -> Array:
    """(G, S) float32, the value that all rows of a group share. Raises DataError where they differ."""
    rows = _encoded(table, schema.static)
    out = np.full((len(layout.names), rows.shape[1]), np.nan, dtype=np.float32)
    at = 0
    for column in schema.static:
        part = rows[:, at : at + len(column.features)]
        known = np.flatnonzero(~np.isnan(part).any(axis=1))
        group = layout.group[known]
        mine = out[:, at : at + len(column.features)]
        mine[group[::-1]] = part[known[::-1]]  # the first row of each group is written last
        differs = (part[known] != mine[group]).any(axis=1)
        if differs.any():
            row = int(known[np.argmax(differs)])
            raise table.error(
                "expected one value per series in a static column, "
                f"got {str(table.frame[column.name][row])!r} after another one. "
                "Name the column as past or future instead.",
                row,
                column.name,
            )
        at += len(column.features)
    return out


def span(panel: Panel) -> tuple[str, str]:
    """First and last time of any target, in words."""
    schema, last = panel.schema, panel.start + np.array([len(one) - 1 for one in panel.target])
    index = np.array([panel.start.min(), last.max()])
    if schema.time_form == "step" or schema.time_form in WRITTEN:
        first, end = schema.write_times(index)
        return str(first), str(end)
    value = schema.frequency.to_value(index)
    if schema.zone is not None:
        value = calendar.to_wall(value, schema.zone)
    hours = bool(schema.frequency.length % DAY)
    return show(value, 0, hours=hours), show(value, 1, hours=hours)
