"""Whether the difference between two forecasters on the same windows could be chance."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra.report.methods import Difference

Array = np.ndarray[Any, np.dtype[Any]]

# Resamples of the bootstrap; the ends of a 95 % interval then rest on 50 resamples each.
RESAMPLES = 2000
# With fewer series than this, a bootstrap over series says little, so origins are resampled instead.
FEW_SERIES = 10


def paired_difference(
    gap: Array, weight: Array, series: Array, time: Array, *, reach: int, seed: int
) -> Difference:
    """Difference of two weighted means over the same windows, with a 95 % bootstrap interval.

    gap, weight: (W,) their error less ours, summed over each window, and what it is divided by. Whole series
    are resampled (a cluster bootstrap) where there are at least FEW_SERIES; otherwise blocks of neighbouring
    origins `time` (W,), as long as windows overlap, `reach` steps (moving blocks: Künsch 1989), all series
    together. The same seed gives the same interval.
    """
    total = weight.sum()
    if total == 0:
        return Difference(float("nan"), float("nan"), float("nan"))
    estimate = float(gap.sum() / total)
    _, cluster = np.unique(series, return_inverse=True)
    block = 1
    if cluster.max() + 1 < FEW_SERIES:
        origins, cluster = np.unique(time, return_inverse=True)
        step = float(np.median(np.diff(origins))) if len(origins) > 1 else 1.0
        block = max(1, int(np.ceil(reach / step)))
    clusters = int(cluster.max()) + 1
    # Fewer than three independent pieces cannot show how much they vary.
    if clusters < 3 * block:
        return Difference(estimate, float("nan"), float("nan"))
    sums = np.bincount(cluster, gap, clusters), np.bincount(cluster, weight, clusters)
    means = _resample(*sums, block, seed)
    means = means[np.isfinite(means)]
    if not len(means):  # errors near 1e308 have no finite sum
        return Difference(estimate, float("nan"), float("nan"))
    low, high = np.quantile(means, [0.025, 0.975])
    return Difference(estimate, float(low), float(high))


def _resample(gap: Array, many: Array, block: int, seed: int) -> Array:
    """Weighted means of RESAMPLES draws of whole blocks, with return, from a circle of clusters."""
    rng = np.random.default_rng(seed)
    clusters = len(gap)
    turn = (np.arange(clusters)[:, None] + np.arange(block)) % clusters
    gap, many = gap[turn].sum(1), many[turn].sum(1)
    draws = int(np.ceil(clusters / block))
    means = np.empty(RESAMPLES)
    for i in range(RESAMPLES):
        chosen = rng.integers(0, clusters, draws)
        weight = many[chosen].sum()
        means[i] = gap[chosen].sum() / weight if weight > 0 else np.nan
    return means
