"""Intervals that hold what they promise: conformal factors from validation windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

# One period is wilder than another by about this much (as a logarithm) for no reason that lasts: only what
# the validation part shows beyond it is corrected. Intervals that are too wide are partly the model's own
# doing (networks averaged, dropout in training), so there less is put down to the period.
WIDER, NARROWER = 0.2, 0.1
# Factors are drawn towards 1 as if this many known values had been right as they were.
PRIOR = 50.0
LEAST, MOST = 0.25, 10.0


def factors(truth: Array, quantiles: Array, levels: Sequence[float], groups: int) -> Array:
    """Factors (groups, Q) for the distances of quantiles (W, H, Q) from their median, by part of the horizon.

    After conformalised quantile regression (Romano et al., 2019), with a ratio as the score, so that one
    factor serves windows of any width: each level's factor is the quantile of (y - median) / (q - median)
    over validation windows at which the level holds. truth: (W, H), NaN where unknown.
    """
    middle = list(levels).index(0.5)
    horizon = truth.shape[1]
    group = np.arange(horizon) * groups // horizon
    found = np.ones((groups, len(levels)))
    for g in range(groups):
        y, q = truth[:, group == g], quantiles[:, group == g]
        known = np.isfinite(y) & np.isfinite(q).all(-1)
        y, q = y[known], q[known]
        for k, level in enumerate(levels):
            if k == middle or not len(y):
                continue
            apart = q[:, k] - q[:, middle]
            ratio = (y - q[:, middle]) / np.where(apart == 0, np.sign(k - middle) * 1e-12, apart)
            # Below the median a value under the quantile has a ratio above the factor.
            exact = np.quantile(ratio, max(level, 1 - level), method="higher")
            share = len(y) / (len(y) + PRIOR)
            wanted = share * np.log(np.clip(exact, LEAST, MOST))
            found[g, k] = np.exp(max(wanted - WIDER, min(wanted + NARROWER, 0.0)))
    return found
