"""From files or frames to a panel of series, split in time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.data import values
from recurra.data.columns import Column, fit_column
from recurra.data.frequency import Array, Frequency
from recurra.data.grids import natural_horizon, natural_seasons
from recurra.data.groups import group_rows
from recurra.data.seasons import discover_seasons, find_seasons
from recurra.data.tables import Table, listed, need_column, read_table
from recurra.data.timeparts import join_parts
from recurra.data.times import Stamps, parse_times
from recurra.data.turned import TIME, VALUE, time_columns, turn
from recurra.errors import ConfigError, DataError
from recurra.tasks.forecast.found import describe
from recurra.tasks.forecast.layout import Layout, Rows, lay_out
from recurra.tasks.forecast.panel import Panel, Targets, build_panel, cut_targets
from recurra.tasks.forecast.roles import Roles, find_roles
from recurra.tasks.forecast.schema import Schema
from recurra.tasks.forecast.shape import choose_shape
from recurra.tasks.forecast.split import Split, split_lengths
from recurra.tasks.forecast.steps import choose_frequency, to_index

if TYPE_CHECKING:
    from recurra.tasks.forecast.config import ForecastConfig

__all__ = ["Dataset", "Panel", "Schema", "Split", "read_later", "read_panel", "read_panel_with"]


@dataclass(frozen=True, slots=True)
class Dataset:
    """What `read_panel` returns.

    found: one line for each thing that was found rather than named.  sha256: of the content that was read.
    """

    panel: Panel
    schema: Schema
    split: Split
    found: tuple[str, ...]
    sha256: str


def read_panel(config: ForecastConfig, source: Any) -> Dataset:
    """Read files or a frame, find what the user does not name, and split. Raises DataError, ConfigError."""
    whole = read_table(source)
    table = whole.without_blank_rows()
    turned = _time_columns(config, table)
    if turned:
        whole = table = turn(table, turned)
        config = config.model_copy(update={"time": TIME, "target": (VALUE,)})
    roles = find_roles(table, config)
    table = _rows_that_count(whole, table, roles.time, roles.ids)
    names, group = group_rows(table, roles.ids)
    frequency = choose_frequency(table, roles.time, roles.stamps, group, config.frequency)
    used = (*roles.targets, *roles.covariates)
    layout = _lay_out(table, roles.time, roles.stamps, frequency=frequency, groups=(names, group), used=used)
    targets = cut_targets(table, layout, roles.targets, bool(roles.ids))
    if not targets.value:
        raise DataError(
            f"expected values in {listed(roles.targets)}, got none. Name another target.", file=table.name
        )
    lengths = [len(one) for one in targets.value]
    horizon = config.horizon or natural_horizon(frequency, int(np.median(lengths)))
    split = split_lengths(lengths, horizon, config.valid, config.test, table.name)
    past, future, static = _fit(table, roles, _train_rows(layout, targets, split))
    seasons = _seasons(config, frequency, targets, split)
    length = int(np.median(split.train))
    schema = Schema(
        series_in_rows=bool(turned),
        time=roles.time,
        time_parts=roles.time_parts,
        time_form=roles.stamps.form if roles.stamps else "step",
        ids=roles.ids,
        targets=roles.targets,
        frequency=frequency,
        seasons=seasons,
        horizon=horizon,
        length=length,
        network=choose_shape(seasons, horizon, length),
        past=past,
        future=future,
        static=static,
    )
    panel = build_panel(table, layout, schema, targets)
    learnt = dict(zip(panel.ids, (panel.start + split.valid).tolist(), strict=True))
    schema = schema.model_copy(update={"learnt": learnt})
    panel = replace(panel, schema=schema)
    found = (*table.notes, *describe(config, roles, panel, targets, layout=layout, split=split), *roles.notes)
    return Dataset(panel, schema, split, found, table.sha256)


def read_panel_with(schema: Schema, source: Any) -> Panel:
    """Read a later file as the schema says. Raises DataError where a column or row does not fit."""
    return _read_known(schema, source)[0]


def read_later(schema: Schema, source: Any) -> Dataset:
    """A later file as test data, but for what the network reads first and what the model learnt from."""
    panel, table = _read_known(schema, source)
    end = np.array([len(y) for y in panel.target], dtype=np.int64)
    first = np.maximum(np.minimum(schema.network.look_back, end - schema.horizon), 1)
    if schema.time is not None:  # else nothing says where the rows of the two files lie in time
        learnt = [schema.learnt.get(name, start) for name, start in zip(panel.ids, panel.start, strict=True)]
        first = np.minimum(np.maximum(first, np.array(learnt) - panel.start), end)
    return Dataset(panel, schema, Split(first, first, end), tuple(table.notes), table.sha256)


def _read_known(schema: Schema, source: Any) -> tuple[Panel, Table]:
    whole = read_table(source)
    if schema.series_in_rows:
        whole = turn(whole.without_blank_rows(), time_columns(whole.frame))
    for column in schema.columns:
        need_column(whole, column)
    table = _rows_that_count(whole, whole.without_blank_rows(), schema.time, schema.ids)
    stamps = None
    if schema.time is not None:
        cells = join_parts(table.frame, schema.time, schema.time_parts)
        stamps = parse_times(cells, table.problem(schema.time), schema.time_form)
    used = tuple(column.name for column in (*schema.past, *schema.future, *schema.static))
    layout = _lay_out(
        table,
        schema.time,
        stamps,
        frequency=schema.frequency,
        groups=group_rows(table, schema.ids),
        used=(*schema.targets, *used),
    )
    targets = cut_targets(table, layout, schema.targets, bool(schema.ids))
    if targets.empty:
        raise DataError(
            f"expected at least one known value in every series, got none in {listed(targets.empty)}. "
            "Remove what is empty.",
            file=table.name,
        )
    return build_panel(table, layout, schema, targets), table


def _time_columns(config: ForecastConfig, table: Table) -> list[str]:
    """Columns that are times, where the user names none that says otherwise."""
    return [] if config.time is not None or config.target is not None else time_columns(table.frame)


def _rows_that_count(whole: Table, solid: Table, time: str | None, ids: tuple[str, ...]) -> Table:
    """Blank rows are nothing where rows bear a time or an id, and missing steps where only order counts."""
    return solid if time is not None or ids else whole


def _lay_out(
    table: Table,
    time: str | None,
    stamps: Stamps | None,
    *,
    frequency: Frequency,
    groups: tuple[list[str], Array],
    used: tuple[str, ...],
) -> Layout:
    names, group = groups
    index = to_index(table, time, stamps, group, frequency)
    return lay_out(Rows(table, time, stamps, frequency, names, group, index), used)


def _train_rows(layout: Layout, targets: Targets, split: Split) -> Array:
    """Rows in the training part of every series of their group, (R,) bool."""
    end = np.full(len(layout.names), np.iinfo(np.int64).max)
    np.minimum.at(end, targets.group, targets.first + split.train)
    return np.asarray((layout.place >= 0) & (layout.place < end[layout.group]))


def _fit(table: Table, roles: Roles, train: Array) -> list[tuple[Column, ...]]:
    """Encodings of the past, future and static columns."""

    def fit(name: str) -> Column:
        cells = table.frame[name]
        return fit_column(name, cells, table.numbers(name) if values.is_number(cells) else None, train)

    return [tuple(map(fit, names)) for names in (roles.past, roles.future, roles.static)]


def _seasons(config: ForecastConfig, frequency: Frequency, targets: Targets, split: Split) -> tuple[int, ...]:
    if config.season is not None:
        longest = max(map(len, targets.value)) // 2
        for period in config.season:
            if not 0 <= period <= longest:
                raise ConfigError(
                    f"expected seasons of 0 to {longest:,} steps, half the longest series, got {period:,}. "
                    "Name the steps after which the pattern comes again."
                )
        return tuple(sorted({period for period in config.season if period > 1}))
    train = [one[:end] for one, end in zip(targets.value, split.train, strict=True)]
    if frequency.unit == "step":
        return discover_seasons(train)
    return find_seasons(train, natural_seasons(frequency))
