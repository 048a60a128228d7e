"""Cells as numbers."""

from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.data import values


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_survive_as_text(numbers):
    read, bad = values.parse(pl.Series([repr(number) for number in numbers]))
    np.testing.assert_array_equal(read, numbers)
    assert not len(bad)


@pytest.mark.parametrize(
    "cell", ["", " ", "NA", "n/a", "NaN", "null", "None", "-", "--", ".", "?", "#N/A", "NULL "]
)
def test_words_for_no_value(cell):
    read, bad = values.parse(pl.Series(["1", cell, " 2.5 "]))
    assert not len(bad)
    np.testing.assert_array_equal(read, [1, np.nan, 2.5])


@pytest.mark.parametrize("cell", ["broken", "1_0", "0x10", "12%", "inf", "-inf", "1e400", "1 2", "true"])
def test_other_cells_are_no_numbers(cell):
    assert values.parse(pl.Series(["1", cell, "2"]))[1].tolist() == [1]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pl.Series([True, None, False]), [1, np.nan, 0]),
        (pl.Series([Decimal("1.25"), None]), [1.25, np.nan]),
        (pl.Series([2**53 + 1, 2**60], dtype=pl.Int64), [2.0**53, 2.0**60]),
        (pl.Series([2**64 - 1], dtype=pl.UInt64), [2.0**64]),
        (pl.Series([None, None]), [np.nan, np.nan]),
        (pl.Series([1e308, -1e308]), [1e308, -1e308]),
    ],
)
def test_typed_columns(column, expected):
    read, bad = values.parse(column)
    np.testing.assert_array_equal(read, expected)
    assert not len(bad)


def test_dates_are_no_numbers():
    assert values.parse(pl.Series(["2020-01-01"]).str.to_date())[1].tolist() == [0]


def test_a_column_of_numbers_with_a_mistake_is_one():
    assert values.is_number(pl.Series(["1", "2", "x", "NA"]))
    assert not values.is_number(pl.Series(["1", "x", "y", "NA"]))
    assert not values.is_number(pl.Series(["NA", None]))
    assert values.is_empty(pl.Series(["NA", None, " "]))
    assert not values.is_empty(pl.Series([None] * 5000 + ["1"]))
