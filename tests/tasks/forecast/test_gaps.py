"""Gaps, missing values, repeats and uneven times: nothing is filled, dropped or moved unsaid."""

import datetime as dt

import numpy as np
import polars as pl
from files import DAYS, HOURS, csv, daily, read, refused


def test_gaps_and_missing_values_stay_missing(tmp_path):
    data = read(daily(tmp_path, {5: None, 9: "2020-01-08,NA", 2: "2020-01-01,", 21: "2020-01-20,-"}))
    expected = np.arange(2.0, 20)
    expected[[2, 6]] = np.nan
    np.testing.assert_array_equal(data.panel.target[0], expected)
    assert data.panel.times(0, 0, 1).tolist() == [dt.datetime(2020, 1, 2)]
    assert "missing: 2 of 18 values (11.1%)" in data.found


def test_series_of_different_lengths_and_an_empty_one():
    frame = pl.DataFrame(
        {"date": DAYS, "a": np.arange(90.0), "b": [None] * 40 + [1.0] * 50, "c": [None] * 90}
    )
    data = read(frame.with_columns(pl.col("c").cast(pl.Float64)))
    assert data.panel.ids == ["a", "b"]
    assert [len(one) for one in data.panel.target] == [90, 50]
    assert data.panel.start[1] - data.panel.start[0] == 40
    assert "left out: c (no values)" in data.found
    assert "constant: b" in data.found
    assert "series: 2 columns a, b, 50 to 90 steps" in data.found


def test_blank_lines_are_nothing_where_rows_bear_a_time(tmp_path):
    data = read(daily(tmp_path, {5: "2020-01-04,4\n\n"}, {21: "2020-01-20,20\n\n\n"}))
    assert not np.isnan(data.panel.target[0]).any()
    text = refused(daily(tmp_path, {5: "2020-01-04,4\n\n"}, {9: "2020-01-08,oops"}))
    assert text.startswith("load.csv, line 11, column 'load': expected a finite number, got 'oops'.")


def test_rows_that_repeat(tmp_path):
    data = read(daily(tmp_path, {21: "2020-01-20,20\n2020-01-20,20"}))
    assert "repeated: 1 row like an earlier one, read once" in data.found
    assert len(data.panel.target[0]) == 20
    assert refused(daily(tmp_path, {7: "2020-01-05,6"})) == (
        "load.csv, line 7, column 'date': expected each time once per series, got 2020-01-05 again with "
        "other values (first in line 6). Remove one of the rows, or name the id columns that tell the "
        "series apart."
    )
    first, second = (
        daily(tmp_path, name="a.csv"),
        csv(tmp_path, "date,load\n2020-01-20,20\n2020-01-21,21\n", "b.csv"),
    )
    assert len(read([first, second]).panel.target[0]) == 21
    second.write_text("date,load\n2020-01-20,99\n")
    assert "b.csv, line 2, column 'date': " in refused([first, second])
    assert "(first in line 21 of a.csv)" in refused([first, second])


def test_an_hour_that_summer_time_repeats(tmp_path):
    local = pl.datetime_range(
        dt.datetime(2020, 10, 24), dt.datetime(2020, 10, 26), "1h", time_zone="Europe/Berlin", eager=True
    )
    frame = pl.DataFrame({"date": local.dt.strftime("%Y-%m-%d %H:%M"), "y": np.arange(len(local))})
    assert refused(frame).endswith(
        "got 2020-10-25 02:00 again with other values (first in row 26). Remove one of the rows, or name the "
        "id columns that tell the series apart; if clocks went back here, write times with their offset from "
        "UTC."
    )
    with_offset = read(frame.with_columns(date=local.dt.strftime("%Y-%m-%d %H:%M%z")))
    assert not np.isnan(with_offset.panel.target[0]).any()
    assert with_offset.found[0] == "time: date, every hour, 2020-10-23 22:00 to 2020-10-25 23:00 (UTC)"
    zoned = read(pl.DataFrame({"date": local, "y": np.arange(len(local))}))
    assert zoned.found[0] == "time: date, every hour, 2020-10-24 00:00 to 2020-10-26 00:00 (Europe/Berlin)"
    days = read(
        pl.DataFrame({"date": local.filter(local.dt.hour() == 0), "y": [1.0, 2.0, 3.0]}),
        horizon=1,
        test=0,
        valid=0,
    )
    assert days.found[0].startswith("time: date, every day, 2020-10-24 to 2020-10-26")


def test_uneven_times(tmp_path):
    path = csv(
        tmp_path,
        "date,y\n"
        + "\n".join(f"{one:%Y-%m-%d %H:%M},{n}" for n, one in enumerate(HOURS)).replace(
            "01 05:00", "01 05:07"
        ),
    )
    assert refused(path) == (
        "load.csv, line 7, column 'date': expected times on an even grid, every hour, got 2020-01-01 05:07 "
        "(1 of 120 rows are off it). Bring the rows to even steps first (a mean or last value per step), or "
        "name the frequency to count each row as its nearest step."
    )
    data = read(path, frequency="hour")
    assert "between steps: 1 of 120 rows, counted as the nearest step" in data.found
    np.testing.assert_array_equal(data.panel.target[0], np.arange(120))
    assert refused(path, frequency="day") == (
        "load.csv, line 3, column 'date': expected one row for a step, every day, got 2020-01-01 01:00 "
        "after 2020-01-01 00:00 (first in line 2). Give one row per step, or a shorter frequency."
    )
    assert refused(path, frequency="step") == (
        "expected a frequency that suits the times in 'date', got 'step'. "
        "Leave it out, or name another time column."
    )
    weekend = pl.DataFrame({"d": [dt.date(2020, 1, 3), dt.date(2020, 1, 4)], "y": [1, 2]})
    assert refused(weekend, frequency="business day").endswith(
        "expected times on an even grid, every business day, got 2020-01-04 (1 of 2 rows are off it). "
        "Bring the rows to even steps first (a mean or last value per step)."
    )


def test_a_time_far_away(tmp_path):
    text = "date,y\n" + "\n".join(f"{one:%Y-%m-%d %H:%M},{n}" for n, one in enumerate(HOURS))
    assert refused(csv(tmp_path, text.replace("2020-01-02 00:00", "9020-01-02 00:00"))) == (
        "load.csv, line 26, column 'date': expected times near one another, got 9020-01-02 00:00, 61,360,633 "
        "steps from the next. Correct the time stamp."
    )
