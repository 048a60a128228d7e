"""Conformal factors: what intervals hold after them."""

import numpy as np
import pytest
from scipy.stats import norm

from recurra.tasks.forecast.calibration import LEAST, MOST, NARROWER, WIDER, factors

LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)


def normal(windows, horizon, wrong, seed=0):
    """Truths of a normal distribution, and its quantiles with their distances multiplied by `wrong`."""
    rng = np.random.default_rng(seed)
    width = np.exp(rng.normal(size=(windows, 1, 1)))
    truth = rng.normal(size=(windows, horizon)) * width[..., 0]
    return truth, norm.ppf(LEVELS) * width * wrong * np.ones((windows, horizon, 1))


@pytest.mark.parametrize("wrong", [0.3, 0.5, 2.0, 3.0])
def test_what_is_far_off_is_corrected_up_to_a_drift(wrong):
    truth, quantiles = normal(4000, 6, wrong)
    found = factors(truth, quantiles, LEVELS, 3)
    assert found.shape == (3, 5)
    expected = -np.log(wrong) - (WIDER if wrong < 1 else -NARROWER)
    np.testing.assert_allclose(np.log(found[:, [0, 1, 3, 4]]), expected, atol=0.1)
    fresh, quantiles = normal(4000, 6, wrong, seed=1)
    mended = quantiles * np.repeat(found, 2, 0)
    held = ((mended[..., 1] <= fresh) & (fresh <= mended[..., 3])).mean()
    assert abs(held - 0.8) < (0.1 if wrong < 1 else 0.06)


def test_a_little_too_narrow_is_left_to_the_period():
    truth, quantiles = normal(4000, 6, 0.9)
    np.testing.assert_allclose(factors(truth, quantiles, LEVELS, 1), 1.0, atol=0.01)


def test_parts_of_the_horizon_have_their_own():
    truth, quantiles = normal(3000, 4, 1.0)
    truth[:, 2:] *= 3
    found = factors(truth, quantiles, LEVELS, 2)
    np.testing.assert_allclose(found[:, 3], [1, 3 * np.exp(-WIDER)], rtol=0.12)


def test_nothing_known_changes_nothing():
    truth, quantiles = normal(10, 4, 1.0)
    assert (factors(np.full_like(truth, np.nan), quantiles, LEVELS, 2) == 1).all()


def test_few_values_say_little():
    truth, quantiles = normal(2, 1, 0.2)
    few = factors(truth, quantiles, LEVELS, 1)
    assert (np.abs(np.log(few)) < 0.15).all()


def test_factors_stay_within_bounds():
    truth, quantiles = normal(2000, 1, 1e-6)
    found = factors(truth, quantiles, LEVELS, 1)
    assert (found <= MOST).all()
    assert (found >= LEAST).all()
