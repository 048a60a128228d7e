"""Times written as numbers."""

from __future__ import annotations

import numpy as np
import polars as pl

from recurra.data.frequency import DAY, Array
from recurra.data.stamps import EPOCH_RANGE, EPOCHS, YEARS, Problem, Stamps, to_days

FIGURE_FORMS = ("step", "year", "decimal year", "yearmonth", "yearmonthday", *EPOCHS)
# 1949.0833 is February 1949, as R writes it; figures are rounded there, so this much of a month may be off.
MONTH_SLACK = 0.02


def parse_figures(column: pl.Series, problem: Problem, form: str | None) -> Stamps:
    """Numbers: 20200131, 202001, years, seconds since 1970 or steps."""
    number = column.cast(pl.Float64).to_numpy()
    if not np.isfinite(number).all():
        row = int(np.argmin(np.isfinite(number)))
        raise problem(f"expected a finite time, got {column[row]}. Correct the cell.", row)
    exact = column.cast(pl.Int64, strict=False)
    whole = bool((number == np.floor(number)).all())
    value = exact.to_numpy() if whole and exact.null_count() == 0 else np.round(number).astype(np.int64)
    form = form or figure_form(value, number, whole)
    if form in EPOCHS:
        scale = EPOCHS[form]
        micro = value * (10**6 // scale) if scale <= 10**6 else value // (scale // 10**6)
        return Stamps(micro if whole else np.round(number * (1e6 / scale)).astype(np.int64), form, "UTC")
    if form == "decimal year":
        month = np.round((number - 1970) * 12).astype(np.int64)
        return Stamps(month.astype("datetime64[M]").astype("datetime64[us]").astype(np.int64), form)
    if not whole:
        row = int(np.argmax(number != np.floor(number)))
        raise problem(f"expected a time or a whole number, got {number[row]}. Name another time column.", row)
    if form == "year":
        return Stamps((value - 1970).astype("datetime64[Y]").astype("datetime64[us]").astype(np.int64), form)
    if form in ("yearmonthday", "yearmonth"):
        padded = value * 100 + 1 if form == "yearmonth" else value
        days = to_days(padded // 10_000, padded // 100 % 100, padded % 100, problem, column)
        return Stamps(days * DAY, form)
    return Stamps(value, "step")


def figure_form(value: Array, number: Array, whole: bool) -> str:
    """What kind of time numbers are, by their size.  value, number: (R,) int64 and float64."""
    low, high = int(value.min()), int(value.max())
    for form, scale in EPOCHS.items():
        if EPOCH_RANGE[0] * scale <= low and high <= EPOCH_RANGE[1] * scale:
            return form
    if YEARS[0] <= low and high <= YEARS[1]:
        months = (number % 1) * 12
        if whole:
            return "year"
        return "decimal year" if (np.abs(months - np.round(months)) < MONTH_SLACK).all() else "step"
    last, middle = value % 100, value // 100 % 100
    if whole and YEARS[0] * 10_000 <= low and high <= YEARS[1] * 10_000:
        fits = (middle >= 1) & (middle <= 12) & (last >= 1) & (last <= 31)
        return "yearmonthday" if fits.all() else "step"
    if whole and YEARS[0] * 100 <= low and high <= YEARS[1] * 100:
        return "yearmonth" if ((last >= 1) & (last <= 12)).all() else "step"
    return "step"
