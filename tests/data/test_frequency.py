"""Steps of time."""

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.data import calendar
from recurra.data.frequency import Frequency, parse_frequency, place
from recurra.data.grids import find_frequency, natural_horizon, natural_seasons
from recurra.errors import ConfigError

# pandas' name, ours, and the place of the grid by way of the first time.
KINDS = [
    ("s", "every second"), ("15min", "every 15 minutes"), ("h", "every hour"), ("6h", "every 6 hours"),
    ("D", "every day"), ("10D", "every 10 days"), ("B", "every business day"), ("W-SUN", "every week"),
    ("W-WED", "every week"), ("2W", "every 2 weeks"), ("MS", "every month"), ("ME", "every month"),
    ("BME", "every month"), ("QS", "every quarter"), ("QE-NOV", "every quarter"), ("2MS", "every 2 months"),
    ("YS", "every year"), ("YE", "every year"), ("5YS", "every 5 years"), ("40ms", "every 40 milliseconds"),
]  # fmt: skip


def micro(times):
    return times.to_numpy().astype("datetime64[us]").astype(np.int64)


def found(value, code=None, steps=False):
    code = np.zeros(len(value), dtype=np.int64) if code is None else code
    return find_frequency(code, value, steps=steps)


@pytest.mark.parametrize(("name", "words"), KINDS)
@pytest.mark.parametrize("start", ["2019-12-30 06:00", "1955-03-01"])
def test_each_kind_is_found_with_gaps_and_goes_there_and_back(name, words, start):
    times = pd.date_range(pd.Timestamp(start).as_unit("us"), periods=60, freq=name, unit="us")
    value = micro(times)
    keep = np.ones(60, dtype=bool)
    keep[[3, 17, 18, 40]] = False
    frequency, off = found(value[keep])
    assert str(frequency) == words
    assert not off.any()
    index, exact = frequency.to_index(value)
    assert exact.all()
    assert (np.diff(index) == 1).all()
    if name != "BME":  # the last business day is told as the last day
        np.testing.assert_array_equal(frequency.to_value(index), value)
    assert Frequency.model_validate_json(frequency.model_dump_json()) == frequency


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([name for name, _ in KINDS if name != "BME"]),
    st.datetimes(dt.datetime(1800, 1, 1), dt.datetime(2200, 1, 1)),
    st.integers(1, 40),
)
def test_index_and_time_are_inverse(name, start, count):
    times = pd.date_range(
        pd.Timestamp(start.replace(microsecond=0)).as_unit("us"), periods=count, freq=name, unit="us"
    )
    unit, multiple = parse_frequency(name)
    frequency = place(unit, multiple, micro(times))
    index, exact = frequency.to_index(micro(times))
    assert exact.all()
    np.testing.assert_array_equal(index - index[0], np.arange(count))
    np.testing.assert_array_equal(frequency.to_time(index), times.to_numpy().astype("datetime64[us]"))


def test_months_end_on_their_own_day():
    times = pd.to_datetime(["2020-01-30", "2020-02-29", "2020-03-30", "2020-04-30"])
    frequency, _ = found(micro(times))
    assert (frequency.unit, frequency.day) == ("month", 30)
    np.testing.assert_array_equal(frequency.to_value(frequency.to_index(micro(times))[0]), micro(times))


def test_four_weeks_are_no_month():
    assert str(found(micro(pd.date_range("2020-01-01", periods=20, freq="28D")))[0]) == "every 4 weeks"


def test_daily_with_weekends_is_daily():
    times = pd.date_range("2020-01-03", periods=30, freq="D")
    assert str(found(micro(times))[0]) == "every day"
    assert str(found(micro(times[times.dayofweek < 6]))[0]) == "every day"
    assert str(found(micro(times[times.dayofweek < 5]))[0]) == "every business day"
    one_saturday = times[(times.dayofweek < 5) | (times == "2020-01-04")]
    assert str(found(micro(one_saturday))[0]) == "every day"


def test_a_shorter_step_counts_when_common():
    value = np.cumsum([0, 2, 2, 1, 2, 1, 2, 2, 1, 1]) * 900_000_000
    assert str(found(value)[0]) == "every 15 minutes"
    hours = micro(pd.date_range("2020-01-01", periods=48, freq="h"))
    hours[7] += 600_000_000
    frequency, off = found(hours)
    assert str(frequency) == "every hour"
    assert np.flatnonzero(off).tolist() == [7]


def test_sparse_months_and_steps():
    months = pd.to_datetime(
        ["2020-01-01", "2020-05-01", "2020-07-01", "2020-11-01", "2021-01-01", "2021-03-01"]
    )
    assert str(found(micro(months))[0]) == "every 2 months"
    quarters = pd.to_datetime(["2020-01-01", "2020-07-01", "2021-01-01", "2021-04-01", "2021-10-01"])
    assert str(found(micro(quarters))[0]) == "every quarter"
    twice = pd.to_datetime(["2020-01-01", "2020-02-01", "2020-03-01", "2020-04-01", "2020-04-15"])
    frequency, off = found(micro(twice))
    assert str(frequency) == "every 31 days"
    assert off.any()
    assert str(found(np.array([0, 4, 8, 10, 14, 16, 20]), steps=True)[0]) == "every 2 steps"


def test_several_series_share_one_grid():
    code = np.repeat([0, 1], 30)
    value = np.concatenate(
        [micro(pd.date_range("2020-01-01", periods=30)), micro(pd.date_range("1999-05-05", periods=30))]
    )
    frequency, off = found(value, code)
    assert str(frequency) == "every day"
    assert not off.any()
    assert found(value[[0, 30]], code[[0, 30]])[0] is None


def test_step_numbers():
    frequency, off = found(np.array([5, 15, 25, 45]), steps=True)
    assert (frequency.multiple, frequency.offset) == (10, 5)
    assert not off.any()
    assert frequency.to_time(np.array([0, 1])).tolist() == [5, 15]
    assert frequency.to_time(np.array([0])).dtype == np.int64


def test_nearest_step():
    frequency = Frequency(unit="hour", nearest=True)
    value = np.array([-5, 5, 29, 31]) * 60_000_000
    index, on = frequency.to_index(value)
    assert index.tolist() == [0, 0, 0, 1]
    assert on.all()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 hour", ("hour", 1)), ("15 minutes", ("minute", 15)), ("15min", ("minute", 15)),
        ("24h", ("day", 1)),
        ("M", ("month", 1)), ("m", ("minute", 1)), ("3 months", ("quarter", 1)), ("W-SUN", ("week", 1)),
        ("7 days", ("week", 1)), ("every 2 business days", ("business day", 2)), ("Daily", ("day", 1)),
        ("1mo", ("month", 1)), ("90 s", ("second", 90)), ("QE-DEC", ("quarter", 1)), ("step", ("step", 1)),
    ],
)  # fmt: skip
def test_names(text, expected):
    assert parse_frequency(text) == expected


@pytest.mark.parametrize("text", ["fortnight", "", "0 hours", "-1 h", "hour 2"])
def test_unknown_names_are_refused(text):
    with pytest.raises(ConfigError) as caught:
        parse_frequency(text)
    assert str(caught.value) == (
        'expected a frequency such as "1 hour", "15 minutes", "business day" or "month", '
        f"got {text!r}. Write a number and a unit."
    )


@pytest.mark.parametrize(
    ("unit", "multiple", "seasons", "horizon", "circles"),
    [
        ("minute", 1, (60, 1440, 10080), 96, ("hour", "day", "week", "year")),
        ("minute", 15, (4, 96, 672), 96, ("hour", "day", "week", "year")),
        ("hour", 1, (24, 168), 48, ("day", "week", "year")),
        ("day", 1, (7, 365), 14, ("week", "year")),
        ("business day", 1, (5,), 10, ("week", "year")),
        ("week", 1, (52,), 13, ("year",)),
        ("month", 1, (12,), 18, ("year",)),
        ("quarter", 1, (4,), 8, ("year",)),
        ("year", 1, (), 6, ()),
        ("step", 1, (), 12, ()),
    ],
)
def test_what_a_frequency_suggests(unit, multiple, seasons, horizon, circles):
    frequency = Frequency(unit=unit, multiple=multiple)
    assert natural_seasons(frequency) == seasons
    assert natural_horizon(frequency, 10_000) == horizon
    assert natural_horizon(frequency, 12) == min(2, horizon)
    assert calendar.circles(frequency) == circles
    features = calendar.features(frequency, np.arange(50))
    assert features.shape == (50, 2 * len(circles))
    assert features.dtype == np.float32


def test_calendar_is_that_of_the_place():
    berlin = Frequency(unit="hour", zone="Europe/Berlin")
    times = pd.date_range("2020-03-28", "2020-03-31", freq="h", tz="Europe/Berlin")
    features = calendar.features(berlin, berlin.to_index(micro(times.tz_convert("UTC").tz_localize(None)))[0])
    day = np.arctan2(features[:, 0], features[:, 3]) % (2 * np.pi) / (2 * np.pi) * 24
    np.testing.assert_allclose(np.round(day) % 24, times.hour, atol=1e-4)


def test_calendar_goes_round():
    days = calendar.features(Frequency(unit="day"), np.arange(400))
    np.testing.assert_allclose(days[0, [0, 2]], days[7, [0, 2]], atol=1e-6)  # the same weekday
    np.testing.assert_allclose(days[0, [1, 3]], days[365, [1, 3]], atol=0.02)  # the same day of the year
    # 1970-01-05 is a Monday, where the week begins.
    np.testing.assert_allclose(days[4, [0, 2]], [0, 1], atol=1e-6)


def test_many_rows_are_fast_enough_to_sample():
    value = np.tile(np.arange(30_000) * 3_600_000_000, 50)
    frequency, off = found(value, np.repeat(np.arange(50), 30_000))
    assert str(frequency) == "every hour"
    assert not off.any()
    assert pl.Series(value).len() == 1_500_000
