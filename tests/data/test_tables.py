"""Tables from several files and unusual frames."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from recurra.data.tables import read_table
from recurra.data.timeparts import find_parts, join_parts
from recurra.errors import DataError, row_word


def refused(source):
    with pytest.raises(DataError) as caught:
        read_table(source)
    return str(caught.value)


def test_rows_know_their_file(tmp_path):
    for name, rows in (("a.csv", 3), ("b.csv", 2)):
        (tmp_path / name).write_text("x,y\n" + "1,2\n" * rows)
    table = read_table([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert [table.where(row) for row in (0, 2, 3, 4)] == [
        ("a.csv", 2),
        ("a.csv", 4),
        ("b.csv", 2),
        ("b.csv", 3),
    ]
    assert table.spot(0, beside=4) == "line 2 of a.csv"
    assert table.spot(0, beside=1) == "line 2"
    with pytest.raises(IndexError):
        table.where(5)


def test_blank_rows_go_and_the_others_keep_their_numbers():
    table = read_table(
        pl.DataFrame({"x": [None, 1, None, 2], "y": [None, None, None, 3]})
    ).without_blank_rows()
    assert table.frame["x"].to_list() == [1, 2]
    assert [table.where(row)[1] for row in (0, 1)] == [1, 3]
    assert table.without_blank_rows().frame.equals(table.frame)


def test_objects_become_what_they_are():
    frame = pl.DataFrame({"t": pl.Series([dt.date(2020, 1, 1), dt.date(2020, 1, 2)], dtype=pl.Object)})
    assert read_table(frame).frame["t"].dtype == pl.Date


def test_files_that_do_not_go_together(tmp_path):
    pl.DataFrame({"x": [1]}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"x": [[1]]}).write_parquet(tmp_path / "b.parquet")
    text = refused([tmp_path / "a.parquet", tmp_path / "b.parquet"])
    assert text.startswith("expected files whose columns have the same types, got ")
    assert text.endswith(". Save them in one form.")
    pl.DataFrame({"x": []}).write_parquet(tmp_path / "c.parquet")
    assert refused(tmp_path / "c.parquet") == "c.parquet: expected rows, got none. Give a file with rows."
    (tmp_path / "d.ndjson").write_text('{"x": 1}\n{"x": {"y": 2}}\n')
    text = refused(tmp_path / "d.ndjson")
    assert text.startswith("d.ndjson: expected JSON objects of the same fields, one a line, got ")
    assert text.endswith(". Write them anew.")


def test_places_are_called_by_their_names():
    assert [row_word(name) for name in ("a.csv", "a.ndjson", "a.parquet", "frame", None)] == [
        "line", "line", "row", "row", "row",
    ]  # fmt: skip
    error = DataError("wrong.", file="a.csv", row=3, column="x")
    assert (str(error), error.file, error.row, error.column) == (
        "a.csv, line 3, column 'x': wrong.",
        "a.csv",
        3,
        "x",
    )
    assert str(DataError("wrong.")) == "wrong."


@pytest.mark.parametrize(
    ("clock", "text"),
    [
        (["00:30", "1:00", "23:59"], "2020-01-31 1:00"),
        (pl.Series([dt.time(0), dt.time(1), dt.time(2)]), "2020-01-31 01:00:00"),
        ([0, 1, 23], "2020-01-31 1:00"),
    ],
)
def test_dates_and_clocks(clock, text):
    for days in (["2020-01-31"] * 3, pl.Series([dt.date(2020, 1, 31)] * 3)):
        frame = pl.DataFrame({"date": days, "time": clock, "y": [1.0, 2.0, 3.0]})
        assert find_parts(frame, "date", ["time", "y"]) == ("date", ("time",))
        assert join_parts(frame, "date", ("time",))[1] == text


def test_parts_of_a_time_that_are_none():
    days = pl.DataFrame({"date": ["2020-01-31", "2020-02-01"], "time": ["06:30", "07:30"]})
    assert find_parts(days, "date", ["time"]) is None  # one row a day: the clock is a value
    stamps = pl.DataFrame({"date": ["2020-01-31 10:00"] * 2, "time": ["06:30", "07:30"]})
    assert find_parts(stamps, "date", ["time"]) is None
    for month in ([1, 13], [True, False], ["x", "y"], [1.5, 2]):
        frame = pl.DataFrame({"year": [2020, 2020], "month": month})
        assert find_parts(frame, None, ["year", "month"]) is None
    gap = pl.DataFrame({"year": [2020, 2020], "month": [1, None], "day": [1, 2]})
    assert join_parts(gap, "year", ("month", "day")).to_list() == ["2020-01-01", None]
    hours = pl.DataFrame({"year": ["2020"], "month": ["1"], "day": ["2"], "hour": ["3"]})
    assert find_parts(hours, None, hours.columns) == ("year", ("month", "day", "hour"))
    assert join_parts(hours, "year", ("month", "day", "hour")).to_list() == ["2020-01-02 03:00"]


def test_numbers_of_a_column_say_where():
    table = read_table(pl.DataFrame({"x": ["1", "2", "three", "4"]}))
    with pytest.raises(DataError, match=r"frame, row 2, column 'x': expected a finite number, got 'three'\."):
        table.numbers("x")
    np.testing.assert_array_equal(read_table(pl.DataFrame({"x": ["1", "NA"]})).numbers("x"), [1, np.nan])
