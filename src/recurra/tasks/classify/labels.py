"""Labels: the classes that cells name, and their numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from recurra.data.columns import text_of
from recurra.data.frequency import Array
from recurra.data.tables import Table, listed
from recurra.errors import DataError
from recurra.tasks.classify.raw import Labels, Raw

if TYPE_CHECKING:
    from recurra.tasks.classify.schema import Schema

# More different fractions than these are measurements rather than classes.
MOST_FRACTIONS = 20
# Where more classes than these are there, most of them must occur more than once.
MANY = 20


def label_text(cells: pl.Series) -> pl.Series:
    """Labels as text, null where missing; 1.0 is the class 1."""
    return text_of(cells).str.replace(r"^([+-]?\d+)\.0*$", "$1")


def read_labels(table: Table, columns: tuple[str, ...], separator: str | None) -> Labels:
    """The labels of each row. Raises DataError where columns of several labels hold other than 0 and 1."""
    if len(columns) > 1:
        marks = np.stack([_marks(table, column) for column in columns], axis=1)
        sets = [_held(row, columns) for row in marks]
        return Labels(sets, several=True, columns=columns, marks=marks)
    cells = table.frame[columns[0]]
    if isinstance(cells.dtype, pl.List):
        return Labels(
            [None if one is None else _distinct(map(str, one)) for one in cells.to_list()], several=True
        )
    if separator is not None:
        known = cells.cast(pl.String).fill_null("").to_list()
        return Labels([_distinct(cell.split(separator)) for cell in known], several=True)
    return Labels([None if one is None else (one,) for one in label_text(cells).to_list()])


def _marks(table: Table, column: str) -> Array:
    value = table.numbers(column)
    odd = np.flatnonzero(~np.isnan(value) & (value != 0) & (value != 1))
    if len(odd):
        raise table.error(
            f"expected 0 or 1 in a column of several labels, got {value[odd[0]]:g}. "
            "Name one label column, or write 1 where the label holds and 0 where not.",
            int(odd[0]),
            column,
        )
    return value.astype(np.float32)


def _held(row: Array, columns: tuple[str, ...]) -> tuple[str, ...] | None:
    if np.isnan(row).all():
        return None
    return tuple(column for column, mark in zip(columns, row, strict=True) if mark == 1)


def _distinct(cells: object) -> tuple[str, ...]:
    stripped = (str(cell).strip() for cell in cells)  # type: ignore[attr-defined]
    return tuple(sorted({cell for cell in stripped if cell}))


def one_each(table: Table, labels: Labels, group: Array, names: list[str]) -> Labels:
    """Labels of groups from those of their rows, (R,). Raises DataError where two rows of a group differ."""
    first: dict[int, int] = {}
    for row, (g, said) in enumerate(zip(group.tolist(), labels.sets, strict=True)):
        if said is None:
            continue
        other = first.setdefault(g, row)
        if labels.sets[other] != said:
            before = ", ".join(labels.sets[other] or ("none",))
            raise table.error(
                f"expected one label for the id {names[g]!r}, got {', '.join(said) or 'none'!r} "
                f"after {before!r} in {table.spot(other, beside=row)}. "
                "Correct the label, or name the id columns that tell sequences apart.",
                row,
            )
    at = [first.get(g) for g in range(len(names))]
    marks = labels.marks
    if marks is not None:
        none = np.full(marks.shape[1], np.nan, dtype=np.float32)
        marks = np.stack([none if row is None else marks[row] for row in at])
    return replace(labels, sets=[None if row is None else labels.sets[row] for row in at], marks=marks)


def find_classes(raw: Raw, which: Array) -> tuple[str, ...]:
    """The classes of these examples in natural order. Raises DataError where they tell nothing apart."""
    assert raw.labels is not None
    file = raw.problem("", 0, None).file
    counts = Counter(one for n in which for one in raw.labels.sets[n] or ())
    if raw.labels.columns:
        return raw.labels.columns
    figures = [_figure(one) for one in counts]
    if None not in figures:
        fractions = sum(figure % 1 != 0 for figure in figures if figure is not None)
        if fractions > MOST_FRACTIONS:
            raise DataError(
                f"expected classes, got {len(counts):,} different numbers such as {min(counts)}. "
                "Name another label, or cut the numbers into classes; `recurra fit forecast` takes numbers.",
                file=file,
            )
    if not raw.labels.several and len(counts) > max(MANY, len(which) / 2):
        raise DataError(
            f"expected classes that occur again, got {len(counts):,} different ones in {len(which):,} "
            "examples. Name another label.",
            file=file,
        )
    if len(counts) < (1 if raw.labels.several else 2):
        what = f"only {next(iter(counts))!r}" if counts else "no label"
        raise DataError(
            f"expected at least 2 classes to tell apart, got {what}. Give examples of others.", file=file
        )
    return tuple(
        sorted(counts, key=lambda one: (0, _figure(one), one) if None not in figures else (1, 0.0, one))
    )


def _figure(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def encode_labels(schema: Schema, raw: Raw) -> tuple[Array, dict[str, int]]:
    """Class numbers (N,) int64, -1 where unknown, or marks (N, K) float32, NaN where unknown.

    The second: labels that are no class of the schema, and how often they occur.
    """
    place = {one: at for at, one in enumerate(schema.classes)}
    count = len(raw)
    sets: list[tuple[str, ...] | None] = [None] * count if raw.labels is None else raw.labels.sets
    unseen = Counter(one for said in sets for one in said or () if one not in place)
    if not schema.several:
        numbers = [-1 if said is None else place.get(said[0], -1) for said in sets]
        return np.array(numbers, dtype=np.int64), dict(unseen)
    if raw.labels is not None and raw.labels.marks is not None:
        return raw.labels.marks, dict(unseen)
    y = np.zeros((count, len(place)), dtype=np.float32)
    for n, said in enumerate(sets):
        if said is None:
            y[n] = np.nan
        else:
            y[n, [place[one] for one in said if one in place]] = 1.0
    return y, dict(unseen)


def shares(raw: Raw, which: Array, classes: tuple[str, ...]) -> str:
    """Classes with their numbers and shares, as in "no 60 (60 %), yes 40 (40 %)"."""
    assert raw.labels is not None
    counts = Counter(one for n in which for one in raw.labels.sets[n] or ())
    return listed([f"{one} {counts[one]:,} ({counts[one] / max(1, len(which)):.1%})" for one in classes])
