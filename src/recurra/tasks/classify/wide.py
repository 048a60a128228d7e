"""Tables with a row for each sequence and a column for each step."""

from __future__ import annotations

import re
from collections import defaultdict

import polars as pl

from recurra.data import values
from recurra.data.archives import ALONE


def step_columns(frame: pl.DataFrame, named: tuple[str, ...] | None, free: list[str]) -> tuple[str, ...]:
    """The columns that are steps: the named ones, else every column of numbers."""
    return named or tuple(one for one in free if values.is_number(frame[one]))


def channels_of(steps: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the channels, and the columns in the order of channels, then steps.

    Columns x_1 … x_9, y_1 … y_9 are two channels of nine steps; all others are one channel.
    """
    stems: dict[str, dict[int, str]] = defaultdict(dict)
    for column in steps:
        found = re.fullmatch(r"(.*?)[ _.\-]?(\d+)", column)
        if found is None:
            return (ALONE,), steps
        stems[found[1]][int(found[2])] = column
    figures = [sorted(of) for of in stems.values()]
    if len(stems) < 2 or len(figures[0]) < 2 or any(one != figures[0] for one in figures):
        return (ALONE,), steps
    return tuple(stems), tuple(of[at] for of in stems.values() for at in figures[0])
