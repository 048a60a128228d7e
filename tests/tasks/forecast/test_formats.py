"""The same table from every kind of file and frame gives the same panel."""

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recurra.errors import DataError
from recurra.tasks.forecast.config import ForecastConfig
from recurra.tasks.forecast.data import read_panel

NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.none()


@st.composite
def frames(draw):
    """Wide or long tables of a few series with missing values, in any order of rows."""
    count = draw(st.integers(12, 20))
    every = draw(st.sampled_from(["1h", "1d", "1w", "1mo", "1q", "1y", "15m"]))
    start = draw(st.datetimes(dt.datetime(1950, 1, 1), dt.datetime(2050, 1, 1))).replace(
        day=1, minute=0, second=0, microsecond=0
    )
    stamps = pl.Series("date", [start]).dt.offset_by("0s")
    stamps = pl.concat(
        [
            stamps.dt.offset_by(f"{n * int(every.rstrip('hdwmoqy'))}{every.lstrip('0123456789')}")
            for n in range(count)
        ]
    )
    names = draw(
        st.lists(
            st.text("abcxyz é", min_size=1).map(str.strip).filter(bool), min_size=2, max_size=4, unique=True
        )
    )
    names = [f"series {name}" for name in names]
    values = [draw(st.lists(NUMBERS, min_size=count, max_size=count)) for _ in names]
    for column in values:
        column[0] = column[-1] = 1.5
    if draw(st.booleans()):
        return pl.DataFrame(
            {
                "date": stamps,
                **{n: pl.Series(v, dtype=pl.Float64) for n, v in zip(names, values, strict=True)},
            }
        )
    parts = [
        pl.DataFrame({"who": name, "date": stamps, "y": pl.Series(value, dtype=pl.Float64)})
        for name, value in zip(names, values, strict=True)
    ]
    return pl.concat(parts).sample(fraction=1, shuffle=True, seed=draw(st.integers(0, 99)))


def read(source):
    return read_panel(ForecastConfig(horizon=2), source)


def assert_same(one, other):
    assert other.panel.ids == one.panel.ids
    assert other.schema.frequency == one.schema.frequency
    np.testing.assert_array_equal(other.panel.start, one.panel.start)
    for mine, theirs in zip(other.panel.target, one.panel.target, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(frame=frames())
def test_round_trips(tmp_path, frame):
    expected = read(frame)
    frame.write_csv(tmp_path / "a.csv")
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_ndjson(tmp_path / "a.ndjson")
    frame.write_csv(tmp_path / "a.tsv", separator="\t")
    half = len(frame) // 2
    frame[:half].write_csv(tmp_path / "1.csv")
    frame[half:].write_csv(tmp_path / "2.csv")
    for source in (
        tmp_path / "a.csv",
        str(tmp_path / "a.parquet"),
        tmp_path / "a.ndjson",
        tmp_path / "a.tsv",
        frame.lazy(),
        frame.to_arrow(),
        frame.to_pandas(),
        frame.to_pandas().set_index("date"),
    ):
        assert_same(expected, read(source))
    if "who" in frame.columns or frame["date"][half:].n_unique() == len(frame) - half:
        assert_same(expected, read([tmp_path / "1.csv", tmp_path / "2.csv"]))


def test_what_was_read_has_one_name(tmp_path):
    frame = pl.DataFrame(
        {"date": pl.date_range(dt.date(2020, 1, 1), dt.date(2020, 2, 1), eager=True), "y": 1.0}
    )
    frame.write_csv(tmp_path / "a.csv")
    frame.write_csv(tmp_path / "b.csv")
    assert read(tmp_path / "a.csv").sha256 == read(tmp_path / "b.csv").sha256
    assert read(frame).sha256 == read(frame.clone()).sha256
    assert read(frame).sha256 != read(frame.with_columns(y=pl.lit(2.0))).sha256
    assert read(frame).sha256 != read(frame.rename({"y": "z"})).sha256


@pytest.mark.parametrize("freq", ["ME", "QE", "B", "W-SUN", "15min", "BME"])
def test_pandas_with_a_time_index(freq):
    index = pd.date_range("2020-01-31", periods=40, freq=freq)
    data = read(pd.DataFrame({"y": np.arange(40.0)}, index=index))
    assert len(data.panel.target[0]) == 40
    assert not np.isnan(data.panel.target[0]).any()
    assert read(pd.Series(np.arange(40.0), index=index, name="y")).panel.ids == ["y"]


def test_pandas_of_other_kinds():
    periods = pd.DataFrame({"y": np.arange(40.0)}, index=pd.period_range("2020Q1", periods=40, freq="Q"))
    assert read(periods).found[0] == "time: index, every quarter, 2020-01-01 to 2029-10-01"
    two = pd.MultiIndex.from_product(
        [["a", "b"], pd.date_range("2020-01-01", periods=20)], names=["id", "day"]
    )
    assert read(pd.DataFrame({"y": np.arange(40.0)}, index=two)).panel.ids == ["a", "b"]
    category = pd.DataFrame({"id": pd.Categorical(["a"] * 20 + ["b"] * 20), "t": [*range(20)] * 2, "y": 1.0})
    assert read(category).panel.ids == ["a", "b"]
    assert read(pd.DataFrame({0: range(20), 1: np.arange(20.0)})).panel.ids == ["1"]
    plain = read(pd.DataFrame({"y": np.arange(20.0)}))
    assert plain.found[0] == "time: no such column, rows are steps in order"


def refused(source):
    with pytest.raises(DataError) as caught:
        read(source)
    return str(caught.value)


def test_frames_that_cannot_be_read():
    mixed = pd.DataFrame({"t": range(20), "y": [1.0] * 19 + ["x"]})
    assert refused(mixed).startswith("frame, row 19, column 'y': expected a finite number, got 'x'.")
    assert refused(pd.DataFrame([[1, 2]], columns=["a", "a"])) == (
        "frame, column 'a': expected different names for the columns, got this one twice. Rename one of them."
    )
    assert (
        refused(pl.DataFrame({"a": []}))
        == "frame: expected rows, got none (1 columns). Give a frame with rows."
    )
    assert refused(42).startswith("expected a path, paths or a frame (pandas, polars, pyarrow), got int (")
    assert refused(42).endswith("). Give one of these.")
    assert refused([]) == "expected at least one file, got none. Name a file."


def test_files_that_cannot_be_read(tmp_path):
    def written(name, content):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    assert refused(tmp_path / "no.csv") == (
        f"expected a file, got nothing at {str(tmp_path / 'no.csv')!r}. Check the path."
    )
    assert refused(tmp_path) == f"expected a file, got the folder {str(tmp_path)!r}. Name the files in it."
    assert refused(written("a.xlsx", b"PK\x03\x04")) == (
        "a.xlsx: expected a .csv, .parquet or .ndjson file, got '.xlsx'. Save the data as one of these."
    )
    assert refused(written("a.parquet", b"abcdef")).startswith("a.parquet: expected a Parquet file, got ")
    assert refused(written("a.parquet", b"abcdef")).endswith(". Write it anew.")
    assert refused(written("a.csv.gz", b"\x1f\x8bxx")).startswith("a.csv.gz: expected a whole file, got ")
    assert refused(written("a.ndjson", b'{"t": 1, "y": 2}\n{"t": 2, "y"\n')) == (
        'a.ndjson, line 2: expected one JSON object, got \'{"t": 2, "y"\'. Correct the line.'
    )
    assert refused(written("a.json", b'[{"t": 1}, 5]')).startswith("a.json")
    assert (
        refused(written("b.ndjson", b""))
        == "b.ndjson: expected a header and rows, got an empty file. Check the path."
    )
    one, two = written("1.csv", b"date,y\n2020-01-01,1\n"), written("2.csv", b"date,z\n2020-01-02,1\n")
    assert refused([one, two]) == (
        "2.csv: expected the same columns as in 1.csv, got a difference in y, z. "
        "Give files of the same columns."
    )


def test_json_arrays(tmp_path):
    rows = ",".join(f'{{"t": "2020-01-{day:02}", "y": {day}}}' for day in range(1, 31))
    (tmp_path / "a.json").write_text(f"[{rows}]")
    assert read(tmp_path / "a.json").panel.target[0].tolist() == [*range(1, 31)]
