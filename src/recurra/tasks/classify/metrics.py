"""How right class probabilities are.

Accuracy, macro F1, balanced accuracy and log loss are scikit-learn's; a label that training did not have is a
class of its own there, one that nothing can find. The expected calibration error is that of Naeini, Cooper &
Hauskrecht (2015), over bins of equal mass (`ece`) and, as Guo et al. (2017) take it, of equal width
(`ece_width`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

# Probabilities are held so far away from 0, so that one sure mistake does not make the log loss infinite.
LEAST = 1e-15
BINS = 15
THRESHOLD = 0.5

NAMES = {
    "accuracy": "Accuracy",
    "subset_accuracy": "All labels right",
    "micro_f1": "Micro F1",
    "macro_f1": "Macro F1",
    "balanced_accuracy": "Balanced accuracy",
    "log_loss": "Log loss",
    "brier": "Brier score",
    "ece": "Calibration error",
    "ece_width": "Calibration error (equal width)",
}
LOWER_IS_BETTER = frozenset({"log_loss", "brier", "ece", "ece_width"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What each of N examples adds to the metrics of one method.

    truth, chosen, hits: (N, K + 1) float32 of 0 and 1, classes that are so, that were said, and both; the
    last column is the labels that training did not have (zero throughout if several labels may hold).
    right: (N,) 1 where the whole answer is right. loss, squares: (N,) sums over `known` (N,) answers.
    confidence, correct: (M,) how sure each answer was, and whether it was right.
    """

    several: bool
    truth: Array
    chosen: Array
    hits: Array
    right: Array
    loss: Array
    squares: Array
    known: Array
    confidence: Array
    correct: Array

    def __len__(self) -> int:
        return len(self.right)

    @staticmethod
    def of(truth: Array, found: Array, *, several: bool) -> Outcome:
        """truth: (N,) class numbers, below 0 if unseen; or (N, K) of 0, 1, NaN. found: (N, K), chances."""
        return _several(truth, found) if several else _one(truth, found)


def _one(y: Array, found: Array) -> Outcome:
    n, k = found.shape
    rows, seen = np.arange(n), y >= 0
    chosen = found.argmax(1)
    right = chosen == y
    column = np.where(seen, y, k)
    given = np.where(seen, found[rows, np.where(seen, y, 0)], 1.0)
    truth, said = np.zeros((2, n, k + 1), dtype=np.float32)
    truth[rows, column] = 1
    said[rows, chosen] = 1
    # Only the class that is right differs between the sum of squares and that of the probabilities' own.
    squares = np.where(seen, (found**2).sum(1) - 2 * given + 1, 0.0)
    return Outcome(
        several=False,
        truth=truth,
        chosen=said,
        hits=truth * said,
        right=right.astype(np.float64),
        loss=-np.log(np.clip(given, LEAST, 1.0)),
        squares=squares,
        known=seen.astype(np.float64),
        confidence=found[rows, chosen],
        correct=right.astype(np.float64),
    )


def _several(y: Array, found: Array) -> Outcome:
    known = np.isfinite(y)
    is_so = (y == 1) & known
    said = (found >= THRESHOLD) & known
    right = ((is_so == said) | ~known).all(1)
    p = np.clip(found, LEAST, 1 - LEAST)
    loss = -np.where(is_so, np.log(p), np.log1p(-p)) * known
    unseen = np.zeros((len(y), 1), dtype=np.float32)
    wide = [np.concatenate([side, unseen], 1) for side in (is_so, said, is_so & said)]
    return Outcome(
        several=True,
        truth=wide[0],
        chosen=wide[1],
        hits=wide[2],
        right=right.astype(np.float64),
        loss=loss.sum(1),
        squares=(((found - is_so) ** 2) * known).sum(1),
        known=known.sum(1).astype(np.float64),
        confidence=found[known],
        correct=is_so[known].astype(np.float64),
    )


def measure(outcome: Outcome, weight: Array) -> dict[str, Array]:
    """The metrics that are means over examples, once for each row of weights (R, N)."""
    counts = weight.astype(np.float32)
    truth, chosen, hits = (counts @ side for side in (outcome.truth, outcome.chosen, outcome.hits))
    f1 = _mean(_share(2 * hits, truth + chosen))
    right = weight @ outcome.right / weight.sum(1)
    known = weight @ outcome.known
    loss = {
        "log_loss": _share(weight @ outcome.loss, known),
        "brier": _share(weight @ outcome.squares, known),
    }
    if outcome.several:
        micro = _share(2 * hits.sum(1), truth.sum(1) + chosen.sum(1))
        return {"subset_accuracy": right, "micro_f1": micro, "macro_f1": f1} | loss
    balanced = _mean(_share(hits, truth))
    return {"accuracy": right, "macro_f1": f1, "balanced_accuracy": balanced} | loss


def metrics(outcome: Outcome) -> dict[str, float]:
    """Every metric of all examples; NaN where it is not defined."""
    found = {name: float(value[0]) for name, value in measure(outcome, np.ones((1, len(outcome)))).items()}
    for name, equal_mass in (("ece", True), ("ece_width", False)):
        found[name] = reliability(outcome.confidence, outcome.correct, equal_mass=equal_mass).error
    return found


def _share(part: Array, whole: Array) -> Array:
    """part / whole, NaN where there is nothing to share."""
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    result: Array = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return result


def _mean(values: Array) -> Array:
    """Mean over the classes (last axis) for which there is a value; NaN where there is for none."""
    there = np.isfinite(values)
    return _share(np.where(there, values, 0.0).sum(-1), there.sum(-1))


@dataclass(frozen=True, slots=True)
class Reliability:
    """Bins of answers: mean confidence, share that was right, number. (B,) each."""

    confidence: Array
    accuracy: Array
    count: Array

    @property
    def error(self) -> float:
        """Expected calibration error: the mean distance of the two, weighted by the numbers."""
        if not self.count.sum():
            return float("nan")
        gap = np.abs(self.confidence - self.accuracy)
        return float((gap * self.count).sum() / self.count.sum())


def reliability(confidence: Array, correct: Array, *, equal_mass: bool, bins: int = BINS) -> Reliability:
    """Put answers into bins by confidence (M,); empty ones are left out. Equal confidences stay together."""
    if not len(confidence):
        nothing = np.zeros(0)
        return Reliability(nothing, nothing, nothing)
    edges = np.linspace(0, 1, bins + 1)
    if equal_mass:
        edges = np.unique(np.quantile(confidence, edges))
    # A bin holds its upper edge, not its lower one, as in Guo et al.
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, max(0, len(edges) - 2))
    count = np.bincount(place)
    there = count > 0
    sums = np.bincount(place, confidence), np.bincount(place, correct)
    return Reliability(sums[0][there] / count[there], sums[1][there] / count[there], count[there])


def by_class(outcome: Outcome) -> Array:
    """Precision, recall, F1 and support of each class, (K, 4); NaN where there is nothing to divide by."""
    truth, said, hits = (side.sum(0)[:-1] for side in (outcome.truth, outcome.chosen, outcome.hits))
    f1 = _share(2 * hits, truth + said)
    return np.stack([_share(hits, said), _share(hits, truth), f1, truth], 1)


def confusion(outcome: Outcome) -> Array:
    """(K + 1, K) how often each class (rows; the last: unseen labels) was taken for each."""
    table: Array = (outcome.truth.T.astype(np.float64) @ outcome.chosen[:, :-1]).round().astype(np.int64)
    return table
