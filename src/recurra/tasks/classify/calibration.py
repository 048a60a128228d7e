"""Temperature: one number that makes a trained network's probabilities mean what they say.

Guo, Pleiss, Sun & Weinberger (2017), "On Calibration of Modern Neural Networks": logits are divided by the
temperature that gives the lowest log loss on examples that training has not seen. It changes no answer, only
how sure it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra.tasks.classify.metrics import LEAST

Array = np.ndarray[Any, np.dtype[Any]]

# Beyond these a temperature says more about how few examples there were than about the network.
COLDEST, HOTTEST = 0.1, 20.0
# Golden sections of the interval between the two, in the logarithm: to about 1e-7.
SECTIONS = 40


def fit_temperature(logits: Array, y: Array) -> float:
    """The temperature of the lowest log loss; 1 where there is none.

    logits: (N, K). y: (N,) class numbers, below 0 where not known, or (N, K) of 0 and 1, NaN where not known.
    There is none without known labels, and none if every answer is right: then the colder, the better.
    """
    z = np.asarray(logits, dtype=np.float64)
    y = np.asarray(y)
    several = y.ndim > 1
    use = np.isfinite(z).all(1) & (np.isfinite(y).any(1) if several else y >= 0)
    z, y = z[use], y[use]
    if len(z) == 0 or _all_right(z, y):
        return 1.0
    loss = _several if several else _one
    # The loss is convex in 1 / T, hence has one valley in log T as well.
    low, high = np.log(COLDEST), np.log(HOTTEST)
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(SECTIONS):
        left, right = high - golden * (high - low), low + golden * (high - low)
        if loss(z / np.exp(left), y) <= loss(z / np.exp(right), y):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def _all_right(z: Array, y: Array) -> bool:
    if y.ndim == 1:
        own = z[np.arange(len(z)), y]
        return bool(((z >= own[:, None]).sum(1) == 1).all())
    known = np.isfinite(y)
    return bool((((z > 0) == (y == 1)) & (z != 0))[known].all())


def _one(z: Array, y: Array) -> float:
    top = z.max(1)
    total = top + np.log(np.exp(z - top[:, None]).sum(1))
    return float((total - z[np.arange(len(z)), y]).mean())


def _several(z: Array, y: Array) -> float:
    known = np.isfinite(y)
    # -log sigmoid(z) where y is 1, -log sigmoid(-z) where it is 0
    return float(np.logaddexp(0, np.where(y == 1, -z, z))[known].mean())


def retempered(found: Array, temperature: float, *, several: bool) -> Array:
    """Probabilities (N, K) that `temperature` made, at temperature 1: those of the logits as they were."""
    p = np.clip(np.asarray(found, dtype=np.float64), LEAST, 1.0)
    z = temperature * np.log(p)
    if several:
        other = temperature * np.log(np.clip(1 - found, LEAST, 1.0))
        return np.asarray(np.exp(z - np.logaddexp(z, other)))
    powers = np.exp(z - z.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))
