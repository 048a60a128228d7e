"""Cells of an observation as numbers: those that the same cells of a file become."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from recurra.data.columns import Column, encode, scaled
from recurra.data.frequency import Array
from recurra.errors import DataError

CATEGORIES = 10_000  # that are remembered with their encoding
FIGURE = {"type": ["number", "boolean", "null"]}
CATEGORY = {"type": ["string", "number", "boolean", "null"]}


class Row(NamedTuple):
    """Checked cells of some columns: figures, encoded categories, and which columns were there at all."""

    figures: list[float]
    others: list[Array]
    given: list[bool]


NOTHING = Row([], [], [])


class Cells:
    """Cells of columns, by their names."""

    def __init__(self, columns: tuple[Column, ...]) -> None:
        self.columns = columns
        self.width = sum(len(column.features) for column in columns)
        self._categories = {
            column.name: Remembered(partial(_encoded, column))
            for column in columns
            if column.kind == "categorical"
        }
        starts = np.cumsum([0, *(len(column.features) for column in columns)])[:-1].tolist()
        each = list(zip(columns, starts, strict=True))
        numeric = [(column, at) for column, at in each if column.kind == "numeric"]
        self._figures = np.array([at for _, at in numeric], dtype=np.int64)
        self._mean = np.array([column.mean for column, _ in numeric])
        self._scale = np.array([column.scale for column, _ in numeric])
        self._others = [
            slice(at, at + len(column.features)) for column, at in each if column.kind == "categorical"
        ]
        self._of = np.repeat(np.arange(len(columns)), [len(column.features) for column in columns])

    def checked(self, cells: Mapping[str, Any], where: str = "") -> Row:
        """The columns' cells. Raises DataError. where: what stands before a column's name in messages."""
        if not self.columns:
            return NOTHING
        row = Row([], [], [])
        for column in self.columns:
            value, name = cells.get(column.name), where + column.name
            row.given.append(column.name in cells)
            if column.kind == "numeric":
                row.figures.append(figure(value, name))
            else:
                row.others.append(self._categories[column.name](value, name))
        return row

    def encoded(self, rows: Sequence[Row]) -> Array:
        """(R, width) float32, NaN where missing."""
        found = np.empty((len(rows), self.width), dtype=np.float32)
        if len(self._figures):
            figures = np.array([row.figures for row in rows]).reshape(len(rows), -1)
            found[:, self._figures] = scaled(figures, self._mean, self._scale)
        for number, at in enumerate(self._others):
            for n, row in enumerate(rows):
                found[n, at] = row.others[number]
        return found

    def given(self, rows: Sequence[Row]) -> Array:
        """(R, width) bool, which features were there at all."""
        return np.array([row.given for row in rows], dtype=np.bool_).reshape(len(rows), -1)[:, self._of]

    def kinds(self) -> dict[str, Any]:
        """JSON schemas of the columns."""
        return {column.name: FIGURE if column.kind == "numeric" else CATEGORY for column in self.columns}

    def example(self) -> dict[str, Any]:
        """Cells that may be given."""
        return {column.name: _example(column) for column in self.columns}


class Remembered:
    """What comes of one cell of text, for a cell that comes again and again, once."""

    def __init__(self, make: Callable[[pl.Series], Any]) -> None:
        self._make = make
        self._known: dict[tuple[type, Any], Any] = {}

    def __call__(self, value: Any, name: str) -> Any:
        """Of a category, None if it is missing. Raises DataError, naming the column."""
        if value is not None and not isinstance(value, str | bool | int | float):
            raise DataError(
                f"expected a category or null, got {type(value).__name__}. Give its name.", column=name
            )
        key = type(value), value
        found = self._known.get(key)
        if found is None:
            missing = value is None or (isinstance(value, float) and math.isnan(value))
            try:
                cell = pl.Series([None], dtype=pl.String) if missing else pl.Series([value])
            except (OverflowError, UnicodeEncodeError) as error:
                raise DataError(
                    f"expected a category, got {value!a:.60}, which cannot be text. Give its name.",
                    column=name,
                ) from error
            if len(self._known) >= CATEGORIES:
                self._known.clear()
            found = self._known[key] = self._make(cell)
        return found


def figure(value: Any, name: str) -> float:
    """A number, NaN for None. Raises DataError for anything else, and for infinity."""
    if type(value) is float and not math.isinf(value):  # nearly always
        return value
    if value is None:
        return math.nan
    if isinstance(value, bool | int | float | np.number | np.bool_):
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
        if not math.isinf(found):
            return found
    shown = ascii(value) if isinstance(value, str | float) else type(value).__name__
    raise DataError(
        f"expected a finite number or null, got {shown:.60}. Give null where the value is missing.",
        column=name,
    )


def _encoded(column: Column, cell: pl.Series) -> Array:
    found: Array = encode(column, cell, None)[0]
    return found


def _example(column: Column) -> Any:
    if column.kind == "numeric":
        return float(f"{column.mean:.4g}")
    return column.categories[0] if column.categories else None
