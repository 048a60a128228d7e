"""From a user's file to a panel: roles found, values read, later files."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from files import DAYS, HOURS, csv, daily, read, refused, waves

from recurra.errors import DataError
from recurra.tasks.forecast.data import read_panel_with

# What is found


def test_a_wide_file(tmp_path):
    frame = pl.DataFrame({"date": HOURS, "a": waves(120), "b": waves(120, 1)})
    path = tmp_path / "load.csv"
    frame.write_csv(path)
    data = read(path)
    assert data.found == (
        "time: date, every hour, 2020-01-01 00:00 to 2020-01-05 23:00",
        "series: 2 columns a, b, 120 steps",
        "horizon: 24 steps (chosen for the frequency and length)",
        "season: 24 hours (found by autocorrelation)",
    )
    assert data.panel.ids == ["a", "b"]
    np.testing.assert_array_equal(data.panel.target[1], waves(120, 1))
    assert data.panel.times(0, 119, 2).tolist() == [dt.datetime(2020, 1, 5, 23), dt.datetime(2020, 1, 6)]
    assert data.panel.calendar(0, 0, 5).shape == (5, 6)
    assert len(data.sha256) == 64
    assert data.schema is data.panel.schema


def test_a_long_file_with_two_ids():
    frame = pl.DataFrame(
        {
            "store": np.repeat([1, 1, 2, 2], 30),
            "item": np.repeat(["x", "y", "x", "y"], 30),
            "day": pl.concat([DAYS[:30]] * 4),
            "sales": np.arange(120.0),
        }
    )
    data = read(frame.sample(fraction=1, shuffle=True, seed=1))
    assert set(data.panel.ids) == {"1/x", "1/y", "2/x", "2/y"}
    np.testing.assert_array_equal(data.panel.target[data.panel.ids.index("2/x")], np.arange(60.0, 90))
    assert "order: rows were not in the order of time, sorted" in data.found
    assert "series: sales of 4 series told apart by store, item, 30 steps" in data.found


def test_ids_are_told_from_values_and_remarks():
    codes = pl.DataFrame(
        {"code": np.repeat([7, 9], 30), "day": pl.concat([DAYS[:30]] * 2), "load": waves(60)}
    )
    assert read(codes).panel.ids == ["7", "9"]
    remark = pl.DataFrame({"day": [*DAYS[:30], DAYS[3]], "load": waves(31), "note": ["a"] * 30 + ["b"]})
    assert "expected each time once per series, got 2020-01-04 again" in refused(remark)
    apart = pl.DataFrame(
        {"shop": ["a"] * 30 + ["b"] * 30, "day": [*DAYS[:30], *DAYS[29:59]], "load": waves(60)}
    )
    assert read(apart).panel.ids == ["a", "b"]


def test_several_targets_of_a_long_table():
    frame = pl.DataFrame({"id": np.repeat(["p", "q"], 30), "t": list(range(30)) * 2, "u": 1.0, "v": 2.0})
    data = read(frame, target=("u", "v"))
    assert data.panel.ids == ["p/u", "p/v", "q/u", "q/v"]
    assert data.schema.targets == ("u", "v")


def test_a_telling_name_is_the_target_and_the_rest_is_left_out():
    frame = pl.DataFrame({"ds": DAYS, "y": np.arange(90.0), "wind": 1.0, "note": "n", "gone": [None] * 90})
    data = read(frame)
    assert data.panel.ids == ["y"]
    assert data.found[-2:] == (
        "left out: gone (no values)",
        "left out: wind, note (to use: name as past, future or static)",
    )


@pytest.mark.parametrize(
    ("header", "cell", "found"),
    [
        ("year,x", lambda n: 1900 + n, "year, every year, 1900 to 1939"),
        ("quarter,x", lambda n: f"{1990 + n // 4}Q{n % 4 + 1}", "quarter, every quarter, 1990Q1 to 1999Q4"),
        ("m,x", lambda n: f"{1990 + n // 12}-{n % 12 + 1:02}", "m, every month, 1990-01 to 1993-04"),
        ("t,x", lambda n: 10 * n, "t, every 10 steps, 0 to 390"),
        ("timestamp,x", lambda n: 1577836800 + 60 * n,
         "timestamp, every minute, 2020-01-01 00:00 to 2020-01-01 00:39 (UTC)"),
        (",x", lambda n: n, "column_1, every step, 0 to 39"),
        ("date;x", lambda n: f"{n % 28 + 1:02}.{n // 28 + 1:02}.2021",
         "date, every day, 2021-01-01 to 2021-02-12"),
        ("date,x", lambda n: f"2021-01-01 {n // 6:02}:{n % 6}0",
         "date, every 10 minutes, 2021-01-01 00:00 to 2021-01-01 06:30"),
    ],
)  # fmt: skip
def test_times_of_all_kinds(tmp_path, header, cell, found):
    mark = ";" if ";" in header else ","
    text = "\n".join([header, *(f"{cell(n)}{mark}{n % 7}" for n in range(40))])
    assert read(csv(tmp_path, text)).found[0] == f"time: {found}"


def test_a_date_and_a_clock_are_one_time(tmp_path):
    rows = [f"{16 + n // 24}/12/2006;{n % 24:02}:00:00;{n % 5}" for n in range(96)]
    data = read(csv(tmp_path, "\n".join(["Date;Time;Power", *rows])))
    assert data.found[0] == "time: Date + Time, every hour, 2006-12-16 00:00 to 2006-12-19 23:00"
    assert data.panel.ids == ["Power"]
    later = read_panel_with(
        data.schema, csv(tmp_path, "\n".join(["Date;Time;Power", "01/02/2007;05:00:00;3"]))
    )
    assert later.times(0, 0, 1).tolist() == [dt.datetime(2007, 2, 1, 5)]


def test_year_month_and_day_are_one_time():
    frame = pl.DataFrame(
        {"year": DAYS.dt.year(), "month": DAYS.dt.month(), "day": DAYS.dt.day(), "spots": np.arange(90.0)}
    )
    data = read(frame)
    assert data.found[0] == "time: year + month + day, every day, 2020-01-01 to 2020-03-30"
    assert data.panel.ids == ["spots"]
    assert (
        read(frame.drop("day").unique(["year", "month"]), horizon=1, test=0, valid=0)
        .found[0]
        .startswith("time: year + month, every month, 2020-01")
    )


def test_a_row_for_each_series(tmp_path):
    text = "Country,Code,Lat,1990,1991,1992,1993,1994,1995\nA,AA,1.5,1,2,3,4,5,6\nB,BB,2.5,7,8,9,10,11,\n"
    data = read(csv(tmp_path, text), horizon=1)
    assert data.found[0] == "time: a column for each, every year, 1990 to 1995"
    assert data.panel.ids == ["A", "B"]
    assert [one.tolist() for one in data.panel.target] == [[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11]]
    later = read_panel_with(data.schema, csv(tmp_path, "Country,2001,2002,2003\nA,1,2,3\n"))
    assert later.times(0, 0, 1).astype("datetime64[Y]").astype(str).tolist() == ["2001"]
    assert refused(csv(tmp_path, text.replace("9,10", "9,x")), horizon=1) == (
        "load.csv, line 3, column '1993': expected a finite number, got 'x'. "
        "Correct the cell, or leave it empty if the value is missing."
    )
    numbered = "\n".join(["id," + ",".join(f"V{n}" for n in range(2, 12)), "H1," + ",".join("1234567890")])
    assert read(csv(tmp_path, numbered)).panel.target[0].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]


def test_rows_without_time_count_up(tmp_path):
    data = read(csv(tmp_path, "x\n" + "\n".join(str(n % 7) for n in range(40)).replace("3", "", 1) + "\n\n"))
    assert data.found[0] == "time: no such column, rows are steps in order"
    assert len(data.panel.target[0]) == 40
    assert np.isnan(data.panel.target[0][3])
    assert data.panel.times(0, 38, 3).tolist() == [38, 39, 40]
    long = read(csv(tmp_path, "who,x\n" + "\n".join(f"{'AB'[n // 20]},{n}" for n in range(40))))
    assert long.panel.ids == ["A", "B"]
    assert long.panel.start.tolist() == [0, 0]


# Values


def test_values_that_are_no_numbers(tmp_path):
    assert refused(daily(tmp_path, {6: "2020-01-05,broken"})) == (
        "load.csv, line 6, column 'load': expected a finite number, got 'broken'. "
        "Correct the cell, or leave it empty if the value is missing."
    )
    assert "line 6, column 'load': expected a finite number, got '1e400'" in refused(
        daily(tmp_path, {6: "2020-01-05,1e400"})
    )
    frame = pl.DataFrame({"date": DAYS, "load": [1.0] * 89 + [float("inf")]})
    assert "frame, row 89, column 'load': expected a finite number, got 'inf'" in refused(frame)
    frame.write_parquet(tmp_path / "load.parquet")
    assert "load.parquet, row 90, column 'load'" in refused(tmp_path / "load.parquet")
    frame.with_columns(load=pl.lit("x")).write_ndjson(tmp_path / "load.ndjson")
    assert "load.ndjson, line 1, column 'load'" in refused(tmp_path / "load.ndjson", target=("load",))


def test_huge_values_are_values():
    data = read(
        pl.DataFrame({"date": DAYS, "y": [1e308, -1e308] * 45, "x": [1e308] * 90}), target=("y",), past=("x",)
    )
    assert data.panel.target[0][0] == 1e308
    assert np.isfinite(data.panel.past[0]).all()


def test_whole_numbers_beyond_floats_are_said():
    data = read(pl.DataFrame({"date": DAYS, "y": [2**53 + n for n in range(90)]}))
    assert "large: y (whole numbers beyond 2^53, read to the nearest 64-bit float)" in data.found


def test_a_clock_that_is_no_time_is_no_target_either(tmp_path):
    text = "time,x,y\n" + "\n".join(f"{n / 10},{n % 7},{n % 5}" for n in range(40))
    data = read(csv(tmp_path, text))
    assert data.panel.ids == ["y"]
    assert data.found[-1].startswith("left out: time")
    assert refused(csv(tmp_path, text), frequency="hour") == (
        "expected a time column for the frequency 'hour', got rows without one. "
        "Name the time column, or leave the frequency out."
    )


def test_too_short_for_the_horizon(tmp_path):
    assert refused(daily(tmp_path), horizon=24) == (
        "load.csv: expected at least 27 steps in some series to forecast 24, got at most 20. "
        "Give more data, or a horizon of 5."
    )
    assert refused(daily(tmp_path), horizon=5, test=10, valid=10) == (
        "load.csv: expected at least 23 steps in some series for 10 validation steps, 10 test steps and 3 to "
        "learn from, got at most 20. Ask for shorter parts."
    )


def test_what_cannot_be_found(tmp_path):
    assert refused(daily(tmp_path), target=("power",)) == (
        "load.csv: expected the column 'power', got date, load. Name one of these, or add it."
    )
    assert refused(daily(tmp_path), target=("load",), past=("load",)) == (
        "expected one role for the column 'load', got target and past. Name it once."
    )
    assert refused(csv(tmp_path, "date\n2020-01-01\n2020-01-02\n")) == (
        "load.csv: expected at least one column of numbers to forecast, got date. "
        "Name the column with target."
    )
    assert refused(csv(tmp_path, "date,y\n2020-01-01,1\n")) == (
        "load.csv, column 'date': expected at least 2 different times in some series, got 1 in each. "
        "Give more rows, or name the frequency."
    )
    assert refused(csv(tmp_path, "date,y\n2020-01-01,NA\n2020-01-02,NA\n"), target=("y",)) == (
        "load.csv: expected values in y, got none. Name another target."
    )
    rows = "\n".join(f"{'AB'[n % 2]},2020-01-{n // 2 + 1:02},{n}" for n in range(40)).replace(
        "B,2020-01-03", ",2020-01-03"
    )
    assert refused(csv(tmp_path, "id,date,y\n" + rows), id=("id",)) == (
        "load.csv, line 7, column 'id': expected an id in every row, got none. Fill it in or remove the row."
    )


# Later files


def test_later_times_of_another_kind():
    zoned = read(pl.DataFrame({"date": HOURS.dt.replace_time_zone("UTC"), "y": waves(120)})).schema
    for frame, text in [
        (pl.DataFrame({"date": HOURS, "y": waves(120)}),
         "expected times with an offset from UTC as in the training data, got them without one."),
        (pl.DataFrame({"date": range(120), "y": waves(120)}),
         "expected times as in the training data, got step numbers such as 0."),
    ]:  # fmt: skip
        with pytest.raises(DataError) as caught:
            read_panel_with(zoned, frame)
        assert text + " Write them in the same form." in str(caught.value)
    plain = read(pl.DataFrame({"date": HOURS, "y": waves(120)})).schema
    half = pl.DataFrame({"date": HOURS.dt.offset_by("30m"), "y": waves(120)})
    with pytest.raises(
        DataError,
        match=r"row 0, column 'date': expected times on an even grid, every hour, got 2020-01-01 00:30",
    ):
        read_panel_with(plain, half)


def test_times_are_written_as_the_file_has_them(tmp_path):
    quarters = csv(tmp_path, "q,y\n" + "\n".join(f"{1990 + n // 4}Q{n % 4 + 1},{n}" for n in range(40)))
    data = read(quarters)
    assert data.schema.write_times(data.panel.start[0] + np.array([39, 40])).to_list() == ["1999Q4", "2000Q1"]
    local = read(pl.DataFrame({"date": HOURS.dt.replace_time_zone("Europe/Berlin"), "y": waves(120)}))
    assert local.schema.write_times(local.panel.start)[0].isoformat() == "2020-01-01T00:00:00+01:00"
