"""Times as people write them."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.data.stamps import write_times
from recurra.data.times import parse_times
from recurra.data.timetext import is_time, looks_like_time
from recurra.errors import DataError

SOON = "expected a time such as '2020-01-01', got 'soon'. Correct the cell."
ABSENT = "expected a time in every row, got none. Fill it in or remove the row."


def problem(message, row):
    return DataError(message, file="f.csv", row=row, column="t")


def read(cells, form=None, **kind):
    return parse_times(pl.Series("t", cells, **kind), problem, form)


def seen(stamps):
    return [str(one) for one in stamps.value.astype("datetime64[us]").astype("datetime64[s]")]


def refused(cells, **kind):
    with pytest.raises(DataError) as caught:
        read(cells, **kind)
    return str(caught.value)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2020-02-29", "2020-02-29T00:00:00"),
        ("2020-2-9", "2020-02-09T00:00:00"),
        ("2020/02/29 5:07", "2020-02-29T05:07:00"),
        ("2020-02-29T05:07:09.123456789", "2020-02-29T05:07:09"),
        ("2020-02-29 24:00", "2020-03-01T00:00:00"),
        ("2020-02-29 05:07Z", "2020-02-29T05:07:00"),
        ("2020-02-29T05:07:00+05:30", "2020-02-28T23:37:00"),
        ("2020-02-29 05:07:00-0800", "2020-02-29T13:07:00"),
        ("20200229T0507", "2020-02-29T05:07:00"),
        ("29.02.2020", "2020-02-29T00:00:00"),
        ("29/02/20 17:30", "2020-02-29T17:30:00"),
        ("02/29/2020 12:30 AM", "2020-02-29T00:30:00"),
        ("02/29/2020 1:30 pm", "2020-02-29T13:30:00"),
        ("29 Feb 2020", "2020-02-29T00:00:00"),
        ("Sat, 29 February 2020 10:00", "2020-02-29T10:00:00"),
        ("Feb 29, 2020", "2020-02-29T00:00:00"),
        ("Feb-99", "1999-02-01T00:00:00"),
        ("Feb 2020", "2020-02-01T00:00:00"),
        ("2020 February", "2020-02-01T00:00:00"),
        ("2020-02", "2020-02-01T00:00:00"),
        ("2020M02", "2020-02-01T00:00:00"),
        ("02/2020", "2020-02-01T00:00:00"),
        ("2020Q2", "2020-04-01T00:00:00"),
        ("Q4 2020", "2020-10-01T00:00:00"),
        ("2020-W53", "2020-12-28T00:00:00"),
        ("2021-W01-3", "2021-01-06T00:00:00"),
        ("1821", "1821-01-01T00:00:00"),
        ("1949.0833", "1949-02-01T00:00:00"),
        ("20200229", "2020-02-29T00:00:00"),
        ("202002", "2020-02-01T00:00:00"),
        ("1582934820", "2020-02-29T00:07:00"),
        ("1582934820.5", "2020-02-29T00:07:00"),
        ("1582934820000", "2020-02-29T00:07:00"),
        ("1582934820000000", "2020-02-29T00:07:00"),
        ("1582934820000000000", "2020-02-29T00:07:00"),
    ],
)
def test_forms(cell, expected):
    assert seen(read([cell, f" {cell} "])) == [expected] * 2
    if not cell.replace(".", "").isdigit():
        assert looks_like_time(cell)


@settings(deadline=None)
@given(st.lists(st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)), min_size=1, max_size=8))
def test_text_and_typed_times_agree(times):
    cells = pl.Series("t", times, dtype=pl.Datetime("us"))
    for unit in ("us", "ms", "ns"):
        typed = parse_times(cells.dt.cast_time_unit(unit), problem)
        text = parse_times(cells.dt.cast_time_unit(unit).dt.strftime("%Y-%m-%dT%H:%M:%S%.6f"), problem)
        np.testing.assert_array_equal(typed.value, text.value)
    day_first = parse_times(cells.dt.strftime("%d/%m/%Y %H:%M:%S%.6f"), problem, "day/month/year")
    np.testing.assert_array_equal(day_first.value, cells.to_physical().to_numpy())


@pytest.mark.parametrize(
    "cells",
    [["1990", "1991"], ["1990Q1", "1990Q2"], ["1990-01", "1990-02"], ["2020-01-01", "2020-01-02"],
     ["1582934820", "1582934880"], ["1582934820000", "1582934880000"], ["5", "6"]],
)  # fmt: skip
def test_times_are_written_as_they_were(cells):
    stamps = read(cells)
    assert write_times(stamps.value, stamps.form, stamps.zone).cast(pl.String).to_list() == cells


def test_zones_are_kept():
    local = pl.datetime_range(
        dt.datetime(2020, 3, 28), dt.datetime(2020, 3, 30), "1h", time_zone="Europe/Berlin", eager=True
    )
    stamps = parse_times(local, problem)
    assert (np.diff(stamps.value) == 3_600_000_000).all()
    assert stamps.zone == "Europe/Berlin"
    assert write_times(stamps.value, stamps.form, stamps.zone).to_list() == local.to_list()
    offsets = read(["2020-03-29T01:00+01:00", "2020-03-29T03:00+02:00"])
    assert offsets.zone == "UTC"
    assert np.diff(offsets.value) == 3_600_000_000
    assert np.diff(offsets.wall) == 7_200_000_000


def test_day_or_month():
    months = [f"01/{month:02}/{year}" for year in (2020, 2021) for month in range(1, 13)]
    stamps = read(months)
    assert seen(stamps)[1] == "2020-02-01T00:00:00"
    assert stamps.notes == ("dates: read as day/month/year, which gives even steps",)
    assert seen(read(["01/02/2020", "13/02/2020"]))[0] == "2020-02-01T00:00:00"
    assert seen(read(["01/02/2020", "02/13/2020"]))[0] == "2020-01-02T00:00:00"
    assert seen(read(["01.02.2020", "02.02.2020"]))[1] == "2020-02-02T00:00:00"
    assert seen(read(["01/02/2020"], "month/day/year")) == ["2020-01-02T00:00:00"]
    assert refused(["01/01/2020", "01/02/2020", "01/03/2020"]) == (
        "f.csv, line 0, column 't': expected dates that show which figure is the day, got '01/01/2020' and "
        "the like. Write them as 2020-01-31."
    )
    assert refused(["25/12/2020", "01/01/2021", "01/13/2021"]) == (
        "f.csv, line 2, column 't': expected day and month in the same order as in '25/12/2020', got "
        "'01/13/2021'. Write dates as 2020-01-31."
    )


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        (["2020-01-01", "soon"], "line 1, column 't': " + SOON),
        (["2020-01-01", None], "line 1, column 't': " + ABSENT),
        (["2020-01-01", "NA"], "line 1, column 't': " + ABSENT),
        (["2020-02-30"], "expected a day that exists, got '2020-02-30'. Correct the cell."),
        (["2020-13-01"], "expected a day that exists, got '2020-13-01'. Correct the cell."),
        (["20200230"], "expected a day that exists, got '20200230'. Correct the cell."),
        (["2021-W53"], "expected a week that exists, got '2021-W53'. Correct the cell."),
        (["2020-01-01 25:00"], "a time of day up to 24:00, got '2020-01-01 25:00'. Correct the cell."),
        (["1 Okt 2020"], "expected an English name of a month, got '1 Okt 2020'. Correct the cell."),
        (["1.5", "2"], "expected a time or a whole number, got 1.5. Name another time column."),
        (["inf", "2"], "expected a finite time, got inf. Correct the cell."),
        (
            ["2020-01-01 00:00+01:00", "2020-01-01 01:00"],
            "line 1, column 't': expected an offset from UTC as in '2020-01-01 00:00+01:00', got "
            "'2020-01-01 01:00' without one. Write all times with an offset or all without.",
        ),
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused(cells, text):
    assert refused(cells).endswith(text)


def test_finer_than_a_microsecond():
    cells = pl.Series("t", [1, 1000]).cast(pl.Datetime("ns"))
    with pytest.raises(
        DataError, match=r"expected times of whole microseconds, got finer ones\. Round them\."
    ):
        parse_times(cells, problem)


def test_numbers_are_not_taken_for_times():
    for cell in ("12345678", "1089.2", "12.1990", "1,5", "201.0", "1e10", "hello", "A1-02-2020x"):
        assert not looks_like_time(cell)
    assert not is_time(pl.Series(["35398.1", "1089.2"]))
    assert is_time(pl.Series(["2020-01-01", "NA", "2020-01-02"]))
