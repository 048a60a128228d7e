"""What was found in the files, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from recurra.data.frequency import Array
from recurra.data.stamps import Stamps
from recurra.data.tables import listed
from recurra.tasks.forecast.layout import Layout
from recurra.tasks.forecast.panel import Panel, Targets, span
from recurra.tasks.forecast.roles import Roles
from recurra.tasks.forecast.split import Split
from recurra.tasks.forecast.steps import count_between

if TYPE_CHECKING:
    from recurra.tasks.forecast.config import ForecastConfig


def describe(
    config: ForecastConfig, roles: Roles, panel: Panel, targets: Targets, *, layout: Layout, split: Split
) -> list[str]:
    """One line for each thing that the user may want to check."""
    return [
        *_time(panel, roles.time, roles.stamps, layout),
        _series(panel),
        *_covariates(panel),
        _horizon(panel, config),
        _season(panel, config),
        *_values(panel, layout),
        *_left_out(targets, panel, split, config),
    ]


def _time(panel: Panel, time: str | None, stamps: Stamps | None, layout: Layout) -> list[str]:
    if time is None or stamps is None:
        return ["time: no such column, rows are steps in order"]
    frequency = panel.schema.frequency
    first, last = span(panel)
    zone = f" ({frequency.zone})" if frequency.zone else ""
    name = " + ".join((time, *panel.schema.time_parts))
    if panel.schema.series_in_rows:
        name = "a column for each"
    lines = [f"time: {name}, {frequency}, {first} to {last}{zone}", *stamps.notes]
    between = count_between(stamps, frequency)
    if between:
        lines.append(f"between steps: {between:,} of {len(stamps.value):,} rows, counted as the nearest step")
    if layout.unsorted:
        lines.append("order: rows were not in the order of time, sorted")
    return lines


def _series(panel: Panel) -> str:
    schema, lengths = panel.schema, [len(one) for one in panel.target]
    short, long = min(lengths), max(lengths)
    steps = f"{long:,} steps" if short == long else f"{short:,} to {long:,} steps"
    if schema.ids:
        what = f"{', '.join(schema.targets)} of {_count(len(panel.ids), 'series', 'series')}"
        return f"series: {what} told apart by {', '.join(schema.ids)}, {steps}"
    return f"series: {_count(len(panel.ids), 'column', 'columns')} {listed(panel.ids)}, {steps}"


def _count(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"


def _covariates(panel: Panel) -> list[str]:
    schema = panel.schema
    lines = []
    for role, columns in (("past", schema.past), ("future", schema.future), ("static", schema.static)):
        if columns:
            words = [
                f"{column.name} ({len(column.categories)} categories)" if column.categories else column.name
                for column in columns
            ]
            lines.append(f"{role}: {listed(words)}")
    return lines


def _horizon(panel: Panel, config: ForecastConfig) -> str:
    chosen = "" if config.horizon else " (chosen for the frequency and length)"
    return f"horizon: {_count(panel.schema.horizon, 'step', 'steps')}{chosen}"


def _season(panel: Panel, config: ForecastConfig) -> str:
    how = "named" if config.season is not None else "found by autocorrelation"
    seasons = panel.schema.seasons
    unit = panel.schema.frequency.unit
    name = f"{unit}s" if panel.schema.frequency.multiple == 1 else "steps"
    return f"season: {', '.join(map(str, seasons))} {name} ({how})" if seasons else f"season: none ({how})"


def _values(panel: Panel, layout: Layout) -> list[str]:
    lines = []
    total, gone = sum(map(len, panel.target)), [int(np.isnan(one).sum()) for one in panel.target]
    if sum(gone):
        where = f", in {sum(map(bool, gone)):,} of {len(gone):,} series" if len(gone) > 1 else ""
        lines.append(f"missing: {sum(gone):,} of {total:,} values ({sum(gone) / total:.1%}){where}")
    constant = [name for name, one in zip(panel.ids, panel.target, strict=True) if _is_constant(one)]
    if constant:
        lines.append(f"constant: {listed(constant)}")
    large = [name for name, one in zip(panel.ids, panel.target, strict=True) if _is_beyond_floats(one)]
    if large:
        lines.append(f"large: {listed(large)} (whole numbers beyond 2^53, read to the nearest 64-bit float)")
    if layout.repeated:
        lines.append(f"repeated: {_count(layout.repeated, 'row', 'rows')} like an earlier one, read once")
    return lines


def _is_constant(one: Array) -> bool:
    return bool(np.nanmin(one) == np.nanmax(one))


def _is_beyond_floats(one: Array) -> bool:
    """Whether these are whole numbers of which not all can be told apart."""
    known = one[~np.isnan(one)]
    return bool(
        (np.abs(known) > 2.0**53).any() and (np.abs(known) < 2.0**64).all() and (known % 1 == 0).all()
    )


def _left_out(targets: Targets, panel: Panel, split: Split, config: ForecastConfig) -> list[str]:
    lines = []
    if targets.empty:
        lines.append(f"left out: {listed(targets.empty)} (no values)")

    def named(which: Sequence[int]) -> str:
        return listed([panel.ids[n] for n in which])

    whole = np.flatnonzero(split.valid == split.end).tolist()
    if whole and config.test != 0:
        lines.append(f"too short for a test part: {named(whole)}, used for training alone")
    untested = np.flatnonzero((split.train == split.valid) & (split.valid < split.end)).tolist()
    if untested and config.valid != 0:
        lines.append(f"too short for a validation part: {named(untested)}")
    return lines
