"""Intervals of scores, and whether the difference between two methods could be chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from recurra.report.methods import Difference, Interval
from recurra.tasks.classify.metrics import LOWER_IS_BETTER, Outcome, measure

Array = np.ndarray[Any, np.dtype[Any]]

# Resamples of the bootstrap; the ends of a 95 % interval then rest on 50 resamples each.
RESAMPLES = 2000
# Fewer examples cannot show how much they vary.
FEWEST = 10
ENDS = (0.025, 0.975)
NORMAL = 1.959964  # of the standard normal distribution, 95 % lie within
UNBOUNDED = frozenset({"log_loss", "brier"})
# Numbers that the weights of a piece of the resamples may fill.
CHUNK = 2_000_000


def resampled(outcomes: Sequence[Outcome], seed: int, resamples: int = RESAMPLES) -> list[dict[str, Array]]:
    """Each method's metrics, (resamples,) each, on examples drawn with return, the same for every method."""
    examples = len(outcomes[0])
    rng = np.random.default_rng(seed)
    size = max(1, CHUNK // max(1, examples))
    parts: list[list[dict[str, Array]]] = [[] for _ in outcomes]
    for start in range(0, resamples, size):
        rows = min(size, resamples - start)
        drawn = rng.integers(0, examples, (rows, examples)) + examples * np.arange(rows)[:, None]
        weight = np.bincount(drawn.ravel(), minlength=rows * examples).reshape(rows, examples)
        for part, outcome in zip(parts, outcomes, strict=True):
            part.append(measure(outcome, weight.astype(np.float64)))
    return [{name: np.concatenate([found[name] for found in part]) for name in part[0]} for part in parts]


def interval(name: str, value: float, draws: Array, examples: int) -> Interval:
    """The 95 % interval of a metric whose value is this, from its resamples.

    Where everything was right, or wrong, resamples do not differ; Wilson's interval (1927) stands there.
    """
    if examples < FEWEST or not np.isfinite(draws).any():
        return Interval(float("nan"), float("nan"))
    if name.endswith("accuracy") and value in (0.0, 1.0):
        reach = NORMAL**2 / (examples + NORMAL**2)
        return Interval(1 - reach, 1.0) if value == 1 else Interval(0.0, reach)
    low, high = _ends(draws, value)
    most = float("inf") if name in UNBOUNDED else 1.0
    return Interval(max(low, 0.0), min(high, most))


def difference(name: str, ours: float, theirs: float, draws: Array, examples: int) -> Difference:
    """The model's gain over a method in one metric; draws: resamples of ours less theirs."""
    sign = -1 if name in LOWER_IS_BETTER else 1
    estimate = sign * (ours - theirs)
    if examples < FEWEST or not np.isfinite(draws).any():
        return Difference(estimate, float("nan"), float("nan"))
    return Difference(estimate, *_ends(sign * draws, estimate))


def _ends(draws: Array, value: float) -> tuple[float, float]:
    # A resample may hold nothing that a metric is defined for.
    draws = draws[np.isfinite(draws)]
    # Resamples miss rare classes, and so are off on average where classes weigh alike: macro F1 with many.
    low, high = np.quantile(draws, ENDS) - (draws.mean() - value)
    return float(low), float(high)
