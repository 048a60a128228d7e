"""The temperature: what it finds, where there is none, and how it is taken away again."""

import numpy as np
import pytest

from recurra.tasks.classify.calibration import COLDEST, HOTTEST, fit_temperature, retempered


def drawn(many, classes, temperature, seed=0):
    """Labels drawn from softmax(logits / temperature)."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 3, (many, classes))
    p = np.exp(z / temperature)
    p /= p.sum(1, keepdims=True)
    return z, (p.cumsum(1) < rng.random((many, 1))).sum(1)


def loss(z, y, temperature):
    z = z / temperature
    return (np.log(np.exp(z).sum(1)) - z[np.arange(len(z)), y]).mean()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
@pytest.mark.parametrize("classes", [2, 10])
def test_the_temperature_that_labels_were_drawn_with_is_found(temperature, classes):
    z, y = drawn(8000, classes, temperature)
    found = fit_temperature(z, y)
    assert found == pytest.approx(temperature, rel=0.08)
    for other in (found * 0.99, found * 1.01):
        assert loss(z, y, found) < loss(z, y, other)


def test_several_labels_share_one():
    rng = np.random.default_rng(0)
    z = rng.normal(0, 4, (4000, 3))
    y = (rng.random(z.shape) < 1 / (1 + np.exp(-z / 2))).astype(float)
    y[rng.random(y.shape) < 0.2] = np.nan
    assert fit_temperature(z, y) == pytest.approx(2, rel=0.08)


def test_where_there_is_none_it_is_one():
    z = np.array([[2.0, 0.0], [0.0, 3.0]])
    assert fit_temperature(np.zeros((0, 2)), np.zeros(0, dtype=int)) == 1
    assert fit_temperature(z, np.array([-1, -1])) == 1
    assert fit_temperature(z, np.array([0, 1])) == 1  # all right
    assert fit_temperature(np.full((2, 2), np.inf), np.array([0, 1])) == 1
    assert fit_temperature(z - 1, np.array([[1.0, 0.0], [0.0, 1.0]])) == 1
    assert fit_temperature(z, np.full((2, 2), np.nan)) == 1


def test_it_stays_within_bounds():
    z = np.array([[2.0, 0.0]] * 4)
    assert fit_temperature(z, np.array([1, 1, 1, 0])) == pytest.approx(HOTTEST, rel=1e-3)
    z = np.concatenate([np.full((9999, 2), [1e-3, 0]), [[0, 1e-9]]])
    assert fit_temperature(z, np.zeros(10000, dtype=int)) == pytest.approx(COLDEST, rel=1e-3)


@pytest.mark.parametrize("several", [False, True])
def test_probabilities_without_the_temperature_are_those_of_the_logits(several):
    z = np.random.default_rng(0).normal(0, 2, (20, 3))

    def probabilities(z):
        if several:
            return 1 / (1 + np.exp(-z))
        p = np.exp(z)
        return p / p.sum(1, keepdims=True)

    back = retempered(probabilities(z / 1.7), 1.7, several=several)
    np.testing.assert_allclose(back, probabilities(z), rtol=1e-9)
