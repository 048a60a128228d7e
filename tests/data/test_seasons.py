"""Seasons by autocorrelation."""

import numpy as np
import pytest

from recurra.data.seasons import autocorrelation, discover_seasons, find_seasons

RNG = np.random.default_rng(7)


def waves(length, *periods, noise=0.3, trend=0.0):
    at = np.arange(length)
    clean = sum((np.sin(2 * np.pi * at / period) for period in periods), np.zeros(length))
    return clean + noise * RNG.normal(size=length) + trend * at


def week_of_hours(length):
    at = np.arange(length)
    day = np.sin(2 * np.pi * at / 24)
    return day * np.where(at // 24 % 7 < 5, 2.0, 0.5) + 0.2 * RNG.normal(size=length)


def walks(count, length):
    return list(RNG.normal(size=(count, length)).cumsum(axis=1))


def test_a_day_alone_is_no_week():
    assert find_seasons([np.arange(2000.0) % 24], (24, 168)) == (24,)
    assert find_seasons([waves(3000, 24)], (24, 168)) == (24,)
    assert find_seasons([week_of_hours(3000)], (24, 168)) == (24, 168)


@pytest.mark.parametrize("period", [4, 7, 12, 52])
def test_trends_and_walks_have_no_season(period):
    assert find_seasons(walks(30, 400), (period,)) == ()
    assert find_seasons([np.arange(400.0)], (period,)) == ()
    assert find_seasons([np.full(400, 3.0)], (period,)) == ()
    assert find_seasons([np.full(400, np.nan)], (period,)) == ()
    assert find_seasons([waves(60 * period, period, trend=0.2)], (period,)) == (period,)


def test_few_seasonal_series_among_many_are_enough():
    noise = walks(30, 120)
    seasonal = [waves(120, 12) for _ in range(15)]
    assert find_seasons(noise, (12,)) == ()
    assert find_seasons([*noise, *seasonal], (12,)) == (12,)


def test_thousands_of_series_are_sampled():
    assert find_seasons([waves(60, 12)] * 3000, (12,)) == (12,)


def test_short_series_have_no_say():
    assert find_seasons([waves(29, 12, noise=0.01)], (12,)) == ()
    assert find_seasons([waves(60, 12, noise=0.01)], (12,)) == (12,)


def test_the_year_of_days():
    years = waves(5 * 365, 365) + 0.5 * waves(5 * 365, 7)
    assert find_seasons([years], (7, 365)) == (7, 365)
    slow = np.sin(2 * np.pi * np.arange(60 * 365) / (11 * 365)) + 0.1 * RNG.normal(size=60 * 365)
    assert find_seasons([slow], (7, 365)) == ()


def test_missing_and_huge_values_do_not_hide_it():
    one = waves(2000, 24)
    one[RNG.random(2000) < 0.3] = np.nan
    assert find_seasons([one], (24,)) == (24,)
    assert find_seasons([one * 1e307], (24,)) == (24,)
    one[100] = 1e6
    assert find_seasons([one], (24,)) == (24,)


def test_where_nothing_suggests_one():
    assert discover_seasons([waves(3000, 24)]) == (24,)
    assert discover_seasons([week_of_hours(3000)]) == (24, 168)
    assert discover_seasons([waves(500, 11)]) == (11,)
    assert discover_seasons(walks(20, 500)) == ()
    assert discover_seasons([np.arange(3.0)]) == ()


def test_autocorrelation_is_the_textbook_one():
    one = RNG.normal(size=200).cumsum()
    centred = one - one.mean()
    expected = [float(centred[: 200 - lag] @ centred[lag:]) / float(centred @ centred) for lag in range(20)]
    np.testing.assert_allclose(autocorrelation(one, 19), expected, atol=1e-12)
