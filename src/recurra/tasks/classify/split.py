"""Which examples train, validate and test."""

from __future__ import annotations

import numpy as np

from recurra.data.frequency import Array

# Of examples that nobody split: the share kept for the test.
TEST_SHARE = 0.2


def stratified(strata: Array, share: float, rng: np.random.Generator) -> Array:
    """Places of a share of the examples, drawn from each stratum in proportion, sorted.

    At least one of each stratum is drawn where it has two or more, and at least one is left.
    strata: (N,) int64.
    """
    kinds, counts = np.unique(strata, return_counts=True)
    exact = counts * share
    most = counts - 1
    take = np.minimum(np.maximum(np.floor(exact).astype(np.int64), 1 if share > 0 else 0), most)
    # What rounding down has left goes to the strata that lost most.
    spare = round(len(strata) * share) - int(take.sum())
    for at in np.argsort(take - exact, kind="stable")[: max(spare, 0)]:
        take[at] = min(take[at] + 1, most[at])
    drawn = [rng.permutation(np.flatnonzero(strata == kind))[:n] for kind, n in zip(kinds, take, strict=True)]
    return np.sort(np.concatenate(drawn)) if drawn else np.zeros(0, dtype=np.int64)


def fold_parts(strata: Array, folds: int, rng: np.random.Generator) -> list[Array]:
    """Places of the examples in `folds` parts of the same size, each stratum spread evenly over them."""
    shuffled = rng.permutation(len(strata))
    order = shuffled[np.argsort(strata[shuffled], kind="stable")]
    return [np.sort(order[at::folds]) for at in range(folds)]


def strata_of(y: Array) -> Array:
    """A number for each class, or for each combination of several, (N,) int64."""
    if y.ndim == 1:
        return y
    return np.asarray(np.unique(np.nan_to_num(y, nan=-1.0), axis=0, return_inverse=True)[1]).reshape(-1)
