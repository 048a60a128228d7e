"""What the columns of a file mean to the forecaster."""

from __future__ import annotations

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict

from recurra.data.columns import Column
from recurra.data.frequency import Array, Frequency
from recurra.data.stamps import write_times
from recurra.tasks.forecast.shape import Shape


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
