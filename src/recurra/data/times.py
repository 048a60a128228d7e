"""Reading a column of times, however they are written."""

from __future__ import annotations

import polars as pl

from recurra.data.stamps import Problem, Stamps
from recurra.data.timefigures import FIGURE_FORMS, parse_figures
from recurra.data.timetext import is_time, parse_text
from recurra.data.values import missing
from recurra.errors import DataError

__all__ = ["Stamps", "is_time", "parse_times"]


def parse_times(column: pl.Series, problem: Problem, form: str | None = None) -> Stamps:
    """Read a column of times. Raises the DataErrors that `problem` makes.

    form: how they were written before, which settles what the cells leave open.
    """
    if column.null_count():
        raise _absent(problem, column.is_null())
    if column.dtype in (pl.Date, pl.Datetime):
        return _typed(column, problem)
    if column.dtype != pl.String:
        return parse_figures(column, problem, form if form in FIGURE_FORMS else None)
    column = column.str.strip_chars()
    figures = column[:100].cast(pl.Float64, strict=False).null_count() == 0
    if figures and column.cast(pl.Float64, strict=False).null_count() == 0:
        return parse_figures(column, problem, form if form in FIGURE_FORMS else None)
    unique = column.unique(maintain_order=True)
    if missing(unique).any():
        raise _absent(problem, missing(column))
    return parse_text(column, unique, problem, form)


def _absent(problem: Problem, mask: pl.Series) -> DataError:
    row = int(mask.arg_true()[0])
    return problem("expected a time in every row, got none. Fill it in or remove the row.", row)


def _typed(column: pl.Series, problem: Problem) -> Stamps:
    if column.dtype == pl.Date:
        return Stamps(column.cast(pl.Datetime("us")).to_physical().to_numpy(), "date")
    assert isinstance(column.dtype, pl.Datetime)
    if column.dtype.time_unit == "ns":
        fine = (column.to_physical() % 1000 != 0).arg_true()
        if len(fine):
            raise problem("expected times of whole microseconds, got finer ones. Round them.", int(fine[0]))
    zone, column = column.dtype.time_zone, column.dt.cast_time_unit("us")
    value = column.to_physical().to_numpy()
    if zone is None:
        return Stamps(value, "datetime")
    return Stamps(value, "datetime", zone, column.dt.replace_time_zone(None).to_physical().to_numpy())
