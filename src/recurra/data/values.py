"""Cells as values: numbers as people write them, and what stands for no value."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np
import polars as pl

from recurra.data.frequency import Array

# What stands for "no value", in lower case. An empty cell does too.
MISSING = (
    "", "na", "n/a", "#n/a", "#na", "<na>", "nan", "null", "none", "nil", "nat", "missing",
    "-", "--", ".", "..", "...", "?", "#value!", "#div/0!", "#null!",
)  # fmt: skip

# Of these, the ones that are no category either, as "none" and "-" may be.
NO_CATEGORY = ("", "na", "n/a", "#n/a", "#na", "<na>", "nan", "null")

Style = Literal["plain", "decimal comma", "thousands comma"]

# 1,234 or 1,234,567.8 · 1.234.567,8 or 1,5 · the spaces and apostrophes that group thousands elsewhere
PLAIN = r"^[+-]?\d+(\.\d*)?([eE][+-]?\d+)?$"
THOUSANDS_COMMA = r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$"
DECIMAL_COMMA = r"^[+-]?([1-9]\d{0,2}([. '\u00a0\u202f]\d{3})+|\d*)(,\d*)?([eE][+-]?\d+)?$"
# Only one reading is possible: grouped twice or with a decimal point · a fraction not of three digits, or 0,…
SURELY_THOUSANDS = r"^[+-]?\d{1,3}(,\d{3})+(,\d{3}|\.\d*)$"
SURELY_DECIMAL = r"^[+-]?(0?,\d+|\d+,(\d{1,2}|\d{4,})|\d{4,},\d+|\d{1,3}(\.\d{3})+,\d*)$"
# Share of a text column's cells that must be numbers for the others to be mistakes rather than words.
MOSTLY = 0.5
SAMPLE = 300


def missing(column: pl.Series, words: tuple[str, ...] = MISSING) -> pl.Series:
    """Which cells of a text column hold no value, (R,) bool."""
    return column.is_null() | column.str.strip_chars().str.to_lowercase().is_in(list(words))


def is_number(column: pl.Series) -> bool:
    """Whether a column holds numbers, a few mistaken cells aside."""
    if column.dtype != pl.String:
        return column.dtype.is_numeric() or column.dtype == pl.Boolean
    sample = _sample(column)
    return sum(map(_is_figure, sample)) > MOSTLY * len(sample)


def _sample(column: pl.Series) -> list[str]:
    """Some of the cells that have a value, from the whole height of the column, stripped."""
    known = column if column.null_count() == 0 else column.drop_nulls()
    cells = [cell.strip() for cell in known.gather_every(max(1, len(known) // SAMPLE)).to_list()]
    return [cell for cell in cells if cell.lower() not in MISSING]


def _is_figure(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def is_empty(column: pl.Series) -> bool:
    """Whether no cell of the column has a value."""
    if column.null_count() == len(column):
        return True
    return column.dtype == pl.String and len(_sample(column)) == 0 and bool(missing(column).all())


def parse(column: pl.Series) -> tuple[Array, Array]:
    """A column as float64 with NaN where there is no value, and the rows whose cell is not a finite number.

    Booleans are 0 and 1.  Returns (R,) float64, (B,) int64.
    """
    bad = np.zeros(len(column), dtype=bool)
    if column.dtype == pl.String:
        value = column.cast(pl.Float64, strict=False)
        if value.null_count() > column.null_count():
            odd = (column.is_not_null() & value.is_null()).arg_true()
            cells = column.gather(odd)
            again = cells.str.strip_chars().cast(pl.Float64, strict=False)
            value = value.scatter(odd, again)
            bad[odd.to_numpy()] = (again.is_null() & ~missing(cells)).to_numpy()
    elif is_number(column):
        value = column.cast(pl.Float64)
    else:
        value = pl.repeat(None, len(column), dtype=pl.Float64, eager=True)
        bad = column.is_not_null().to_numpy()
    number = value.fill_null(np.nan).to_numpy().astype(np.float64)
    return number, np.flatnonzero(bad | np.isinf(number))


def find_style(columns: list[pl.Series], separator: str) -> tuple[Style, bool]:
    """How a text file writes its numbers, from all its columns, and whether that is sure.

    "1,234" alone may be either: it is taken for thousands where commas separate the columns, and for a
    decimal comma elsewhere.
    """
    maybe = False
    for column in columns:
        if not column.str.contains(",", literal=True).any():
            continue
        text = column.str.strip_chars()
        if text.str.contains(SURELY_DECIMAL).any() and _mostly(text, DECIMAL_COMMA):
            return "decimal comma", True
        if text.str.contains(SURELY_THOUSANDS).any() and _mostly(text, f"{THOUSANDS_COMMA}|{PLAIN}"):
            return "thousands comma", True
        maybe = maybe or _mostly(text, THOUSANDS_COMMA + r"|^[+-]?\d{1,3}$")
    if maybe:
        return ("thousands comma" if separator == "," else "decimal comma"), False
    return "plain", True


def _mostly(text: pl.Series, pattern: str) -> bool:
    known = _sample(text)
    return sum(bool(re.match(pattern, cell)) for cell in known) > MOSTLY * len(known)


def plain(column: pl.Series, style: Style) -> pl.Series:
    """A text column with its numbers rewritten as 1234.5; other cells stay as they are."""
    text = column.str.strip_chars()
    if style == "thousands comma":
        rewritten, pattern = text.str.replace_all(",", "", literal=True), THOUSANDS_COMMA
    else:
        rewritten = text.str.replace_all(r"[. '\u00a0\u202f]", "").str.replace(",", ".", literal=True)
        pattern = DECIMAL_COMMA
    fits = text.str.contains(pattern)
    if not fits.any() or not _mostly(text, f"{pattern}|{PLAIN}"):
        return column
    if not text.str.contains(",", literal=True).any() and (text.str.contains(PLAIN) & ~fits).any():
        return column  # 0.5 beside 1.234 shows that these dots are decimal points
    return pl.select(pl.when(fits).then(rewritten).otherwise(column).alias(column.name)).to_series()
