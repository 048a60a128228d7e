import numpy as np
import pytest
from panels import panel

from recurra.tasks.forecast.windows import spread, stride, truths, windows


def test_origins_roll_from_first_to_the_last_full_horizon():
    both = panel(np.arange(10.0), np.arange(6.0), horizon=3)
    found = windows(both, np.array([4, 0]), np.array([10, 6]), 3, 2)
    assert list(zip(found.series.tolist(), found.origin.tolist(), strict=True)) == [
        (0, 4), (0, 6), (1, 2),
    ]  # fmt: skip  # an origin of 0 would see nothing


def test_a_series_shorter_than_the_horizon_has_no_window():
    found = windows(panel([1.0, 2.0]), np.array([1]), np.array([2]), 3, 1)
    assert len(found) == 0
    assert truths(panel([1.0, 2.0]), found, 3).shape == (0, 3)


def test_thinning_is_even_and_always_the_same():
    many = panel(*[np.arange(200.0)] * 5)
    first, last = np.full(5, 50), np.full(5, 200)
    found = windows(many, first, last, 3, 1, limit=50)
    again = windows(many, first, last, 3, 1, limit=50)
    np.testing.assert_array_equal(found.origin, again.origin)
    assert np.bincount(found.series).tolist() == pytest.approx([10] * 5, abs=1)
    assert len(windows(many, first, last, 3, 1, limit=10_000)) == 5 * 148


def test_spread_draws_one_of_each_part():
    found = spread(1000, 10, seed=3)
    assert (found // 100).tolist() == list(range(10))
    assert len(set((found % 100).tolist())) > 3
    assert spread(4, 10).tolist() == [0, 1, 2, 3]


def test_origins_fall_on_every_season():
    assert stride(48, (24, 168)) == 13
    assert stride(14, (7,)) == 3
    assert stride(18, (12,)) == 5
    assert stride(2, ()) == 1
    assert len({origin % 24 for origin in range(0, 24 * stride(24, (24,)), stride(24, (24,)))}) == 24


def test_truths_beyond_the_end_are_missing():
    one = panel([1.0, np.nan, 3.0, 4.0])
    found = truths(one, windows(one, np.array([1]), np.array([6]), 3, 1), 3)
    np.testing.assert_array_equal(found, [[np.nan, 3, 4], [3, 4, np.nan], [4, np.nan, np.nan]])
