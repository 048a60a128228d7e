"""Columns as numbers for a network: figures standardised, words as categories."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict

from recurra.data import values
from recurra.data.frequency import Array

# Categories with a column of their own; the rest share "other".
MOST_CATEGORIES = 32


class Column(BaseModel):
    """A column and its encoding: (x - mean) / scale, or a column per category and one for others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    kind: Literal["numeric", "categorical"]
    mean: float = 0.0
    scale: float = 1.0
    categories: tuple[str, ...] = ()

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the encoded columns."""
        if self.kind == "numeric":
            return (self.name,)
        return (*(f"{self.name}={category}" for category in self.categories), f"{self.name}=(other)")


def fit_column(
    name: str, cells: pl.Series, value: Array | None, train: Array, most: int = MOST_CATEGORIES
) -> Column:
    """The encoding of a column, from its training rows alone.

    cells: (R,) as read.  value: (R,) float64 if numeric, None if categorical.  train: (R,) bool.
    most: categories that get a column of their own.
    """
    if value is None:
        known = text_of(cells).filter(pl.Series(train)).drop_nulls()
        counts = known.value_counts(sort=True, name="rows").sort(
            ["rows", known.name], descending=[True, False]
        )
        return Column(
            name=name,
            kind="categorical",
            categories=tuple(sorted(counts[known.name].head(most).to_list())),
        )
    known_value = value[train & ~np.isnan(value)]
    if not len(known_value):
        return Column(name=name, kind="numeric")
    top = float(np.abs(known_value).max()) or 1.0  # 1e308 squared would be too much
    mean, scale = float(np.mean(known_value / top)) * top, float(np.std(known_value / top)) * top
    return Column(name=name, kind="numeric", mean=mean, scale=scale if scale > 1e-12 * top else 1.0)


def encode(column: Column, cells: pl.Series, value: Array | None) -> Array:
    """A column's (R, F) float32 features, NaN where it is missing."""
    if column.kind == "numeric":
        assert value is not None
        return scaled(value, column.mean, column.scale)[:, None]
    text = text_of(cells)
    place = {category: at for at, category in enumerate(column.categories)}
    unique = text.drop_nulls().unique()
    other = len(place)
    code = text.replace_strict(
        unique, [place.get(one, other) for one in unique.to_list()], default=None, return_dtype=pl.Int64
    )
    hot = np.zeros((len(cells), other + 1), dtype=np.float32)
    known = code.is_not_null().to_numpy()
    hot[np.flatnonzero(known), code.drop_nulls().to_numpy()] = 1.0
    hot[~known] = np.nan
    return hot


def scaled(value: Array, mean: float | Array, scale: float | Array) -> Array:
    """(value - mean) / scale as float32, of float64 that may be large."""
    top = np.maximum(np.maximum(np.abs(mean), scale), 1.0)
    with np.errstate(over="ignore"):
        found = (value / top - mean / top) / (scale / top)
    return np.asarray(np.clip(found, -1e30, 1e30), dtype=np.float32)


def text_of(cells: pl.Series) -> pl.Series:
    """Categories as text, null where missing."""
    if cells.dtype != pl.String:
        return cells.cast(pl.String)
    stripped = cells.str.strip_chars()
    gone: Any = values.missing(cells, values.NO_CATEGORY)
    return pl.select(pl.when(~gone).then(stripped).alias(cells.name)).to_series()
