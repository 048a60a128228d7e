"""From files or frames to a panel of series on a grid of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.data import calendar, values
from recurra.data.frequency import Array, Frequency, parse_frequency, place
from recurra.data.grids import find_frequency, natural_horizon, natural_seasons
from recurra.data.seasons import discover_seasons, find_seasons
from recurra.data.tables import Table, read_table
from recurra.data.times import Stamps, parse_times
from recurra.errors import ConfigError, DataError
from recurra.tasks.forecast.layout import Layout, clock_of, group_rows, lay_out, off_grid, to_index
from recurra.tasks.forecast.roles import Roles, find_roles, listed, need_column
from recurra.tasks.forecast.schema import Column, Schema, encode, fit_column
from recurra.tasks.forecast.split import Split, split_lengths

if TYPE_CHECKING:
    from recurra.tasks.forecast.config import ForecastConfig

__all__ = ["Dataset", "Panel", "Schema", "Split", "read_panel", "read_panel_with"]


@dataclass(frozen=True, slots=True)
class Panel:
    """N series on one grid of time.

    start: (N,) int64, grid index of each first step.  target: N x (T_n,) float64, NaN where missing; begins
    and ends with a known value.  past: N x (T_n, P) float32.  future: N x (T_n + K_n, F) float32, K_n >= 0
    steps known beyond the last target.  static: (N, S) float32.  Covariates are encoded, NaN where missing.
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
        """Raises DataError unless every future-known column is there for `horizon` steps beyond the target."""
        names = self.schema.future_features
        for n, (target, future) in enumerate(zip(self.target, self.future, strict=True)):
            ahead = future[len(target) : len(target) + horizon]
            absent = np.isnan(ahead)
            if names and (len(ahead) < horizon or absent.any()):
                step = int(np.argmax(absent.any(axis=1))) if absent.any() else len(ahead)
                column = names[int(np.argmax(absent[step]))] if absent.any() else names[0]
                when = self.times(n, len(target) + step, 1)[0]
                raise DataError(
                    f"expected {column!r} for {horizon} steps after the last target of series "
                    f"{self.ids[n]!r}, got none at {when}. Add rows that hold it, with the target left empty."
                )


@dataclass(frozen=True, slots=True)
class Dataset:
    """What `read_panel` returns.  found: one line for each thing that was found rather than named."""

    panel: Panel
    schema: Schema
    split: Split
    found: tuple[str, ...]
    sha256: str


def read_panel(config: ForecastConfig, source: Any) -> Dataset:
    """Read files or a frame, find what the user does not name, and split. Raises DataError, ConfigError."""
    table = read_table(source)
    roles = find_roles(table, config)
    names, group = group_rows(table, roles.ids)
    frequency = _frequency(table, roles, group, config)
    used = [column for column in (*roles.targets, *roles.covariates)]
    layout = lay_out(
        table, names, group, to_index(table, roles.time, roles.stamps, group, frequency), roles.time, used
    )
    series = _targets(table, layout, roles.targets, bool(roles.ids))
    if not series.target:
        raise DataError("expected values in some series, got none. Check the target.", file=table.name)
    lengths = [len(one) for one in series.target]
    horizon = config.horizon or natural_horizon(frequency, int(np.median(lengths)))
    split, whole = split_lengths(lengths, horizon, config.valid, config.test)
    train = _train_rows(layout, series, split)
    columns = {
        role: tuple(_fit(table, name, train) for name in getattr(roles, role))
        for role in ("past", "future", "static")
    }
    schema = Schema(
        time=roles.time,
        time_form=roles.stamps.form if roles.stamps else "step",
        ids=roles.ids,
        targets=roles.targets,
        frequency=frequency,
        seasons=_seasons(config, frequency, series, split),
        horizon=horizon,
        **columns,
    )
    panel = _panel(table, layout, schema, series)
    found = _found(table, roles, config, panel, series, whole, layout)
    return Dataset(panel, schema, split, found, table.sha256)


def read_panel_with(schema: Schema, source: Any) -> Panel:
    """Read a later file as the schema says. Raises DataError where a column is missing or a row does not fit."""
    table = read_table(source)
    for column in schema.columns:
        need_column(table, column)
    stamps = None
    if schema.time is not None:
        stamps = parse_times(table.frame[schema.time], table.problem(schema.time), schema.time_form)
    names, group = group_rows(table, schema.ids)
    used = [column for column in schema.columns if column not in (schema.time, *schema.ids)]
    index = to_index(table, schema.time, stamps, group, schema.frequency)
    layout = lay_out(table, names, group, index, schema.time, used)
    series = _targets(table, layout, schema.targets, bool(schema.ids))
    if series.empty:
        raise DataError(
            f"expected at least one known value in every series, got none in {listed(series.empty)}. "
            "Remove what is empty.",
            file=table.name,
        )
    return _panel(table, layout, schema, series)


@dataclass(frozen=True, slots=True)
class _Series:
    """Targets cut to their known stretch.  group: (N,) of each.  first: (N,) place in the flat grid."""

    ids: list[str]
    target: list[Array]
    group: Array
    first: Array
    empty: list[str]


def _targets(table: Table, layout: Layout, targets: tuple[str, ...], long: bool) -> _Series:
    ids, values, groups, firsts, empty = [], [], [], [], []
    flats = [layout.spread(table.numbers(column)) for column in targets]
    for group, name in enumerate(layout.names):
        low, high = layout.edge[group], layout.edge[group + 1]
        for column, flat in zip(targets, flats, strict=True):
            known = np.flatnonzero(~np.isnan(flat[low:high]))
            label = column if not long else name if len(targets) == 1 else f"{name}/{column}"
            if not len(known):
                empty.append(label)
                continue
            ids.append(label)
            groups.append(group)
            firsts.append(low + known[0])
            values.append(flat[low + known[0] : low + known[-1] + 1])
    return _Series(ids, values, np.array(groups, dtype=np.int64), np.array(firsts, dtype=np.int64), empty)


def _frequency(table: Table, roles: Roles, group: Array, config: ForecastConfig) -> Frequency:
    stamps = roles.stamps
    if stamps is None:
        return Frequency(unit="step")
    assert roles.time is not None
    if config.frequency is not None:
        unit, multiple = parse_frequency(config.frequency)
        if (unit == "step") != stamps.steps:
            what = "step numbers" if stamps.steps else "times"
            raise ConfigError(
                f"expected a frequency for the {what} in {roles.time!r}, got {config.frequency!r}. "
                "Leave it out, or name another time column."
            )
        bare = Frequency(unit=unit, multiple=multiple)
        found = place(unit, multiple, clock_of(stamps, bare))
        return found.model_copy(update={"zone": stamps.zone})
    found, zone = _found_frequency(stamps, group), stamps.zone
    if found is None:
        raise table.error(
            "expected at least 2 different times in some series, got 1. Give more rows, or name the frequency.",
            column=roles.time,
        )
    frequency, off = found
    if off.any():
        row = int(np.argmax(off))
        raise off_grid(table, roles.time, row, frequency, f"{int(off.sum()):,} of {len(off):,} rows are not")
    return frequency.model_copy(update={"zone": zone})


def _found_frequency(stamps: Stamps, group: Array) -> tuple[Frequency, Array] | None:
    """In UTC, unless the wall clock keeps even steps of a day or longer."""
    frequency, off = find_frequency(group, stamps.value, steps=stamps.steps)
    if stamps.wall is not None and (stamps.wall != stamps.value).any():
        wall, wall_off = find_frequency(group, stamps.wall, steps=False)
        if wall is not None and wall.wall and (not wall_off.any() or off.any()):
            frequency, off = wall, wall_off
    return None if frequency is None else (frequency, off)


def _train_rows(layout: Layout, series: _Series, split: Split) -> Array:
    """Rows of the training part of every series of their group, (R,) bool."""
    end = np.full(len(layout.names), np.iinfo(np.int64).max)
    np.minimum.at(end, series.group, series.first + split.train)
    return np.asarray((layout.place >= 0) & (layout.place < end[layout.group]))


def _fit(table: Table, name: str, train: Array) -> Column:
    cells = table.frame[name]
    return fit_column(name, cells, table.numbers(name) if values.is_number(cells) else None, train)


def _encoded(table: Table, columns: tuple[Column, ...]) -> Array:
    """(R, F) float32 features of the rows."""
    parts = [
        encode(
            column, table.frame[column.name], table.numbers(column.name) if column.kind == "numeric" else None
        )
        for column in columns
    ]
    return np.concatenate([np.empty((len(table.frame), 0), dtype=np.float32), *parts], axis=1)


def _panel(table: Table, layout: Layout, schema: Schema, series: _Series) -> Panel:
    past = layout.spread(_encoded(table, schema.past))
    future = layout.spread(_encoded(table, schema.future))
    known = ~np.isnan(future).all(axis=1) if schema.future else np.zeros(len(future), dtype=bool)
    last = [
        int(np.flatnonzero(known[a:b])[-1] + a + 1) if known[a:b].any() else 0
        for a, b in zip(layout.edge[:-1], layout.edge[1:], strict=True)
    ]
    ends = series.first + [len(one) for one in series.target]
    return Panel(
        schema=schema,
        ids=series.ids,
        start=layout.low[series.group] + series.first - layout.edge[series.group],
        target=series.target,
        past=[past[a:b] for a, b in zip(series.first, ends, strict=True)],
        future=[
            future[a : max(b, last[g])] for a, b, g in zip(series.first, ends, series.group, strict=True)
        ],
        static=_static(table, layout, schema)[series.group],
    )


def _static(table: Table, layout: Layout, schema: Schema) -> Array:
    """(G, S) float32: the first known value of each group. Raises DataError where it changes."""
    rows = _encoded(table, schema.static)
    out = np.full((len(layout.names), rows.shape[1]), np.nan, dtype=np.float32)
    known = ~np.isnan(rows).any(axis=1)
    at = np.flatnonzero(known)[::-1]
    out[layout.group[at]] = rows[at]
    differs = known & (rows != out[layout.group]).any(axis=1)
    if differs.any():
        row = int(np.argmax(differs))
        wrong = (rows[row] != out[layout.group[row]]).argmax()
        column = next(c.name for c in schema.static if schema.static_features[wrong] in c.features)
        raise table.error(
            f"expected one value per series in a static column, got {table.frame[column][row]!r} after another. "
            "Name the column as past or future instead.",
            row,
            column,
        )
    return out


def _seasons(config: ForecastConfig, frequency: Frequency, series: _Series, split: Split) -> tuple[int, ...]:
    if config.season is not None:
        return tuple(sorted({period for period in config.season if period > 1}))
    train = [one[:end] for one, end in zip(series.target, split.train, strict=True)]
    if frequency.unit == "step":
        return discover_seasons(train)
    return find_seasons(train, natural_seasons(frequency))


def _found(
    table: Table,
    roles: Roles,
    config: ForecastConfig,
    panel: Panel,
    series: _Series,
    whole: tuple[int, ...],
    layout: Layout,
) -> tuple[str, ...]:
    """Everything that was found, one line each."""
    schema, lines = panel.schema, list(table.notes)
    if schema.time is None:
        lines.append("time: no such column, rows are steps in order")
    else:
        last = [int(start) + len(one) - 1 for start, one in zip(panel.start, panel.target, strict=True)]
        span = schema.frequency.to_time(np.array([panel.start.min(), max(last)]))
        first, end = (
            str(one).replace("T", " ").removesuffix(":00").removesuffix(" 00:00")
            for one in span.astype("datetime64[s]" if schema.frequency.unit != "step" else np.int64)
        )
        lines.append(f"time: {schema.time}, {schema.frequency}, {first} to {end}")
        if roles.stamps is not None:
            lines.extend(roles.stamps.notes)
    total, lengths = sum(map(len, panel.target)), [len(one) for one in panel.target]
    steps = (
        f"{min(lengths):,} steps"
        if min(lengths) == max(lengths)
        else f"{min(lengths):,} to {max(lengths):,} steps"
    )
    by = f" by {', '.join(schema.ids)}" if schema.ids else ""
    lines.append(
        f"series: {len(panel.ids):,}{by}, {listed(panel.ids) if not schema.ids else ', '.join(schema.targets)}, {steps}"
    )
    lines.append(
        f"horizon: {schema.horizon} steps" + ("" if config.horizon else " (chosen for the frequency)")
    )
    how = "named" if config.season is not None else "found by autocorrelation"
    lines.append(
        f"season: {', '.join(map(str, schema.seasons))} steps ({how})" if schema.seasons else "season: none"
    )
    gone = [int(np.isnan(one).sum()) for one in panel.target]
    if sum(gone):
        where = f", in {sum(map(bool, gone)):,} of {len(gone):,} series" if len(gone) > 1 else ""
        lines.append(f"missing: {sum(gone):,} of {total:,} values ({sum(gone) / total:.1%}){where}")
    if layout.repeated:
        lines.append(f"repeated: {layout.repeated:,} rows say the same as an earlier one, read once")
    if series.empty:
        lines.append(f"left out: {listed(series.empty)} (no values)")
    if whole and config.test != 0:
        lines.append(f"too short to test: {listed([panel.ids[n] for n in whole])} (used for training alone)")
    return (*lines, *roles.notes)
