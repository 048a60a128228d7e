"""What the columns of a file mean to the forecaster, and how they become numbers."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict

from recurra.data import values
from recurra.data.frequency import Array, Frequency
from recurra.data.stamps import write_times
from recurra.tasks.forecast.shape import Shape

# Categories with a column of their own; the rest share "other".
MOST_CATEGORIES = 32


class Column(BaseModel):
    """A covariate and its encoding: (x - mean) / scale, or a column per category and one for others."""

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


class Schema(BaseModel):
    """All that is needed to read another file the same way."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    series_in_rows: bool = False  # a row for each series, a column for each time
    time: str | None  # None: rows are in order, and the step number is the time
    time_parts: tuple[str, ...] = ()  # columns that complete the time: a clock, or month, day and hour
    time_form: str = "step"  # how times are written; see recurra.data.times
    ids: tuple[str, ...] = ()  # id columns of a long table; () for a wide one, or one series
    targets: tuple[str, ...]
    frequency: Frequency
    seasons: tuple[int, ...] = ()
    horizon: int
    length: int  # median steps of the training parts
    network: Shape
    learnt: dict[str, int] = {}  # grid index of each series' first step that was not learnt from
    past: tuple[Column, ...] = ()
    future: tuple[Column, ...] = ()
    static: tuple[Column, ...] = ()

    @property
    def past_features(self) -> tuple[str, ...]:
        """Names of the columns of `Panel.past`."""
        return tuple(name for column in self.past for name in column.features)

    @property
    def future_features(self) -> tuple[str, ...]:
        """Names of the columns of `Panel.future`."""
        return tuple(name for column in self.future for name in column.features)

    @property
    def static_features(self) -> tuple[str, ...]:
        """Names of the columns of `Panel.static`."""
        return tuple(name for column in self.static for name in column.features)

    def write_times(self, index: Array) -> pl.Series:
        """Times of grid indices as the user's file has them: dates, date-times, years, quarters, numbers."""
        return write_times(
            self.frequency.to_value(np.asarray(index, dtype=np.int64)), self.time_form, self.zone
        )

    @property
    def zone(self) -> str | None:
        """Time zone of `Frequency.to_time`; None where that is the wall clock."""
        return None if self.frequency.wall else self.frequency.zone

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that must be there."""
        covariates = (column.name for column in (*self.past, *self.future, *self.static))
        return (*([self.time] if self.time else []), *self.time_parts, *self.ids, *self.targets, *covariates)


def fit_column(name: str, cells: pl.Series, value: Array | None, train: Array) -> Column:
    """The encoding of a covariate, from its training rows alone.

    cells: (R,) as read.  value: (R,) float64 if numeric, None if categorical.  train: (R,) bool.
    """
    if value is None:
        known = text_of(cells).filter(pl.Series(train)).drop_nulls()
        counts = known.value_counts(sort=True, name="rows").sort(
            ["rows", known.name], descending=[True, False]
        )
        return Column(
            name=name,
            kind="categorical",
            categories=tuple(sorted(counts[known.name].head(MOST_CATEGORIES).to_list())),
        )
    known_value = value[train & ~np.isnan(value)]
    if not len(known_value):
        return Column(name=name, kind="numeric")
    top = float(np.abs(known_value).max()) or 1.0  # 1e308 squared would be too much
    mean, scale = float(np.mean(known_value / top)) * top, float(np.std(known_value / top)) * top
    return Column(name=name, kind="numeric", mean=mean, scale=scale if scale > 1e-12 * top else 1.0)


def encode(column: Column, cells: pl.Series, value: Array | None) -> Array:
    """A covariate's (R, F) float32 features, NaN where it is missing."""
    if column.kind == "numeric":
        assert value is not None
        top = max(abs(column.mean), column.scale, 1.0)
        with np.errstate(over="ignore"):
            scaled = (value / top - column.mean / top) / (column.scale / top)
        return np.asarray(np.clip(scaled, -1e30, 1e30), dtype=np.float32)[:, None]
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


def text_of(cells: pl.Series) -> pl.Series:
    """Categories as text, null where missing."""
    if cells.dtype != pl.String:
        return cells.cast(pl.String)
    stripped = cells.str.strip_chars()
    gone: Any = values.missing(cells, values.NO_CATEGORY)
    return pl.select(pl.when(~gone).then(stripped).alias(cells.name)).to_series()
