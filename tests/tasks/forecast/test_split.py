"""Which steps train, validate and test; and that nothing before the split hangs on what comes after."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.errors import DataError
from recurra.tasks.forecast.config import ForecastConfig
from recurra.tasks.forecast.data import read_panel
from recurra.tasks.forecast.split import FEWEST, split_lengths


def parts(lengths, horizon, valid=None, test=None):
    split = split_lengths(lengths, horizon, valid, test)
    return [tuple(row) for row in np.stack([split.train, split.valid, split.end], axis=1).tolist()]


def test_short_and_long_series():
    assert parts([20], 6) == [(8, 14, 20)]
    assert parts([1000], 10) == [(700, 800, 1000)]
    assert parts([1005], 24) == [(717, 813, 1005)]
    assert parts([17420], 96, valid=2880, test=2880) == [(11660, 14540, 17420)]
    assert parts([50], 10, test=0) == [(40, 50, 50)]
    assert parts([50], 10, valid=0, test=0) == [(50, 50, 50)]


def test_series_too_short_for_all_parts():
    assert parts([40, 14, 8, 2], 6) == [(28, 34, 40), (8, 8, 14), (8, 8, 8), (2, 2, 2)]
    with pytest.raises(
        DataError, match="expected at least 9 steps in some series to forecast 6, got at most 8"
    ):
        split_lengths([8, 2], 6, None, None)
    with pytest.raises(
        DataError, match="expected at least 103 steps in some series for 0 validation steps, 100"
    ):
        split_lengths([80], 6, 0, 100)


def test_short_series_are_named():
    frame = pl.DataFrame(
        {"id": ["a"] * 40 + ["b"] * 14 + ["c"] * 8, "t": [*range(40), *range(14), *range(8)], "y": 1.0}
    )
    data = read_panel(ForecastConfig(horizon=6, season=(0, 7, 3)), frame)
    assert "too short for a test part: c, used for training alone" in data.found
    assert "too short for a validation part: b" in data.found
    assert "season: 3, 7 steps (named)" in data.found
    assert read_panel(ForecastConfig(horizon=6, season=(0,)), frame).schema.seasons == ()


@settings(deadline=None)
@given(st.lists(st.integers(1, 500), min_size=1, max_size=8), st.integers(1, 60))
def test_parts_are_whole_and_in_order(lengths, horizon):
    try:
        split = split_lengths(lengths, horizon, None, None)
    except DataError:
        assert max(lengths) < horizon + FEWEST
        return
    assert (split.end == lengths).all()
    assert ((split.train <= split.valid) & (split.valid <= split.end)).all()
    assert ((split.train >= FEWEST) | (split.train == split.end)).all()
    assert ((split.end - split.valid) % horizon == 0).all()
    assert ((split.valid - split.train) % horizon == 0).all()
    assert (split.end > split.valid).any()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 50), st.booleans())
def test_values_after_the_split_change_nothing_in_the_schema(seed, scale, long):
    rng = np.random.default_rng(seed)
    count, series = 240, 3
    hours = pl.datetime_range(
        dt.datetime(2020, 1, 1), interval="1h", end=dt.datetime(2020, 1, 10, 23), eager=True
    )
    value = np.sin(np.arange(count)[:, None] * 2 * np.pi / 24) + rng.normal(size=(count, series))
    value[rng.random(value.shape) < 0.05] = np.nan
    value[[0, -1]] = 0.0
    rain, kind = rng.normal(size=count), rng.choice(["a", "b", "c"], size=count)
    config = ForecastConfig(
        target=("y",) if long else ("s0", "s1", "s2"), past=("rain",), future=("kind",), horizon=6
    )

    def table(value, rain, kind):
        if not long:
            columns = {f"s{n}": value[:, n] for n in range(series)}
            return pl.DataFrame({"date": hours, **columns, "rain": rain, "kind": kind})
        frames = [
            pl.DataFrame({"id": f"s{n}", "date": hours, "y": value[:, n], "rain": rain, "kind": kind})
            for n in range(series)
        ]
        return pl.concat(frames)

    before = read_panel(config, table(value, rain, kind))
    train = int(before.split.train[0])
    shifted = value.copy()
    shifted[train:] = shifted[train:] * scale + 100
    rain, kind = rain.copy(), kind.copy()
    rain[train:] += 1000
    kind[train:] = "new"
    after = read_panel(config, table(shifted, rain, kind))
    assert after.schema == before.schema
    for n in range(series):
        np.testing.assert_array_equal(after.panel.target[n][:train], before.panel.target[n][:train])
        np.testing.assert_array_equal(after.panel.past[n][:train], before.panel.past[n][:train])
        np.testing.assert_array_equal(after.panel.future[n][:train], before.panel.future[n][:train])
