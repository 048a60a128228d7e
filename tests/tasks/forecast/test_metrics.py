import numpy as np
import pytest
import scoringrules
from hypothesis import given
from hypothesis import strategies as st

from recurra.tasks.forecast.comparison import paired_difference
from recurra.tasks.forecast.metrics import (
    WindowScores,
    central_intervals,
    insample_scale,
    owa,
    pinball,
    smape,
)

LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)


def scores(truth, quantiles, scale=None, known=None):
    truth, quantiles = np.asarray(truth, float), np.asarray(quantiles, float)
    known = np.isfinite(truth) if known is None else known
    return WindowScores.of(truth, quantiles, LEVELS, np.ones(len(truth)) if scale is None else scale, known)


def around(point):
    """Quantiles two and four below and above a point."""
    return np.asarray(point, float)[..., None] + np.array([-4.0, -2.0, 0.0, 2.0, 4.0])


def test_scores_of_two_windows_by_hand():
    truth = [[10.0, 20.0], [-1.0, 0.0]]
    found = scores(truth, around([[11.0, 17.0], [-1.0, 5.0]]), scale=np.array([2.0, 0.5])).metrics()
    assert found["MAE"] == pytest.approx((1 + 3 + 0 + 5) / 4)
    assert found["RMSE"] == pytest.approx(np.sqrt((1 + 9 + 0 + 25) / 4))
    first, second = (200 * 1 / 21 + 200 * 3 / 37) / 2, (0 + 200 * 5 / 5) / 2
    assert found["sMAPE"] == pytest.approx((first + second) / 2)
    assert found["MASE"] == pytest.approx((2 / 2 + 2.5 / 0.5) / 2)
    # Errors of 1, -3, 0 and 5: the inner interval reaches 2, the outer 4.
    assert found["coverage_80"] == pytest.approx(2 / 4)
    assert found["coverage_95"] == pytest.approx(3 / 4)


def test_weighted_quantile_loss_is_that_of_scoringrules():
    rng = np.random.default_rng(0)
    truth, quantiles = rng.normal(size=(4, 6)), np.sort(rng.normal(size=(4, 6, len(LEVELS))))
    theirs = np.stack(
        [scoringrules.quantile_score(truth, quantiles[..., i], level) for i, level in enumerate(LEVELS)], -1
    )
    np.testing.assert_allclose(pinball(truth, quantiles, LEVELS), theirs, rtol=1e-15)
    wanted = 2 * theirs.mean(-1).sum() / np.abs(truth).sum()
    assert scores(truth, quantiles).metrics()["WQL"] == pytest.approx(wanted)


def test_what_is_missing_counts_for_nothing():
    truth = np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, np.nan]])
    quantiles = around([[2.0, 9.0, 3.0], [5.0, 5.0, 5.0]])
    quantiles[0, 1] = np.nan
    found = scores(truth, quantiles)
    alone = scores([[1.0, 3.0]], around([[2.0, 3.0]]))
    assert found.metrics() == pytest.approx(alone.metrics())
    np.testing.assert_allclose(found.step_error(), [1.0, np.nan, 0.0])


def test_scores_of_parts_join_to_scores_of_the_whole():
    rng = np.random.default_rng(1)
    truth, quantiles = rng.normal(size=(5, 3)), around(rng.normal(size=(5, 3)))
    whole = scores(truth, quantiles)
    joined = WindowScores.join([scores(truth[:2], quantiles[:2]), scores(truth[2:], quantiles[2:])])
    assert joined.metrics() == whole.metrics()
    assert whole.take(np.array([1, 4])).metrics() == scores(truth[[1, 4]], quantiles[[1, 4]]).metrics()


def test_a_perfect_forecast_of_zeros_has_no_smape_and_an_undefined_wql():
    found = scores(np.zeros((1, 2)), np.zeros((1, 2, 5))).metrics()
    assert found["sMAPE"] == 0
    assert np.isnan(found["WQL"])


@pytest.mark.parametrize(
    ("history", "period", "wanted"),
    [
        ([1, 2, 4, 7], 1, 2.0),
        ([1, 5, 2, 9], 2, 2.5),
        ([1, np.nan, 4, 6], 1, 2.0),
        ([3, 3, 3], 1, np.nan),
        ([1, 2], 2, np.nan),
        ([], 1, np.nan),
        ([np.nan, np.nan, np.nan], 1, np.nan),
    ],
)
def test_scale_of_mase(history, period, wanted):
    assert insample_scale(np.array(history, float), period) == pytest.approx(wanted, nan_ok=True)


def test_owa_of_the_reference_is_one():
    assert owa(18.383, 2.395, 18.383, 2.395) == 1.0
    assert owa(9.1915, 2.395, 18.383, 2.395) == pytest.approx(0.75)


def test_intervals_are_pairs_of_levels():
    assert central_intervals(LEVELS) == {0.8: (1, 3), 0.95: (0, 4)}
    assert central_intervals((0.1, 0.5)) == {}


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=20))
def test_smape_lies_between_0_and_200_and_is_symmetric(pairs):
    truth, point = np.array(pairs).T
    found = smape(truth, point)
    assert ((found >= 0) & (found <= 200 + 1e-9)).all()
    np.testing.assert_array_equal(found, smape(point, truth))


def difference(gap, series, time, *, weight=None, reach=1, seed=0):
    gap = np.asarray(gap, float)
    weight = np.ones(len(gap)) if weight is None else weight
    return paired_difference(gap, weight, np.asarray(series), np.asarray(time), reach=reach, seed=seed)


def test_difference_over_series_has_the_width_of_the_normal_interval():
    rng = np.random.default_rng(2)
    gap = rng.normal(1.0, 2.0, size=400)
    found = difference(gap, np.arange(400), np.zeros(400))
    half = 1.96 * gap.std() / np.sqrt(400)
    assert found.estimate == pytest.approx(gap.mean())
    assert found.high - found.low == pytest.approx(2 * half, rel=0.1)
    assert found.certain


def test_windows_of_one_series_are_not_taken_for_independent():
    gap = np.repeat(np.random.default_rng(3).normal(size=20), 10)
    together = difference(gap, np.repeat(np.arange(20), 10), np.zeros(200))
    apart = difference(gap, np.arange(200), np.zeros(200))
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_overlapping_windows_of_one_series_are_resampled_in_blocks():
    change = np.random.default_rng(4).normal(size=1000)
    gap = np.convolve(change, np.ones(20), "valid")
    time, series = np.arange(len(gap)), np.zeros(len(gap), int)
    blocks, single = difference(gap, series, time, reach=20), difference(gap, series, time, reach=1)
    assert blocks.high - blocks.low > 2 * (single.high - single.low)


def test_the_same_seed_gives_the_same_interval_and_few_windows_give_none():
    gap = np.arange(12.0)
    first, again = (difference(gap, np.arange(12), np.zeros(12), seed=5) for _ in range(2))
    assert first == again
    few = difference([1.0, 3.0], [0, 1], [0, 0])
    assert few.estimate == 2.0
    assert np.isnan(few.low)
    assert not few.certain
    assert np.isnan(difference([1.0], [0], [0], weight=np.zeros(1)).estimate)
