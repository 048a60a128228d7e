"""Logistic regression over many features, sparse or dense, by L-BFGS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Array = np.ndarray[Any, np.dtype[Any]]

ITERATIONS, TOLERANCE = 60, 1e-5


class Features:
    """N rows of F features, sparse: where the numbers that are not zero stand, and what they are.

    They are kept by rows and by columns, since products with the matrix and its transpose are needed.
    """

    def __init__(self, row: Array, column: Array, value: Array, shape: tuple[int, int]) -> None:
        self.row, self.column, self.value, self.shape = row, column, value, shape
        self._by_row = _bags(row, column, value, shape[0])
        self._by_column = _bags(column, row, value, shape[1])

    def take(self, which: Array) -> Features:
        """Some of the rows, ascending."""
        place = np.full(self.shape[0], -1)
        place[which] = np.arange(len(which))
        kept = place[self.row] >= 0
        return Features(
            place[self.row[kept]], self.column[kept], self.value[kept], (len(which), self.shape[1])
        )

    def times(self, weight: Tensor) -> Tensor:
        """(N, K) from weights (F, K)."""
        return _summed(weight, *self._by_row)

    def back(self, error: Tensor) -> Tensor:
        """(F, K) from errors (N, K)."""
        return _summed(error, *self._by_column)


class Dense:
    """The same of a matrix (N, F) without zeros."""

    def __init__(self, matrix: Tensor) -> None:
        self.matrix = matrix
        self.shape = (matrix.shape[0], matrix.shape[1])

    def take(self, which: Array) -> Dense:
        """Some of the rows."""
        return Dense(self.matrix[torch.from_numpy(which)])

    def times(self, weight: Tensor) -> Tensor:
        """(N, K) from weights (F, K)."""
        return self.matrix @ weight

    def back(self, error: Tensor) -> Tensor:
        """(F, K) from errors (N, K)."""
        return self.matrix.T @ error


def _bags(owner: Array, part: Array, value: Array, many: int) -> tuple[Tensor, Tensor, Tensor]:
    """The parts of each owner one after another, where each owner's begin, and their weights."""
    order = np.argsort(owner, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=many))[:-1]])
    return (
        torch.from_numpy(part[order].astype(np.int64)),
        torch.from_numpy(starts.astype(np.int64)),
        torch.from_numpy(value[order].astype(np.float32)),
    )


def _summed(rows: Tensor, part: Tensor, starts: Tensor, value: Tensor) -> Tensor:
    return F.embedding_bag(part, rows, starts, per_sample_weights=value, mode="sum")


def fit(
    x: Features | Dense, y: Tensor, penalty: float, *, several: bool, start: Tensor | None = None
) -> Tensor:
    """Weights (F + 1, K), the last row the intercepts, of the least mean log loss plus penalty / 2 · |W|².

    y: (N, K) of 0 and 1, NaN where not known, which counts for nothing.
    """
    known = torch.isfinite(y)
    truth = torch.nan_to_num(y)
    weight = torch.zeros(x.shape[1] + 1, y.shape[1]) if start is None else start.clone()
    weight.grad = torch.zeros_like(weight)
    solver = torch.optim.LBFGS(
        [weight],
        max_iter=ITERATIONS,
        history_size=10,
        tolerance_grad=TOLERANCE,
        tolerance_change=1e-9,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        z = x.times(weight[:-1]) + weight[-1]
        each = losses(z, truth, known, several)
        error = (z.sigmoid() - truth) * known if several else z.softmax(1) - truth
        error /= len(truth)
        assert weight.grad is not None
        weight.grad[:-1] = x.back(error) + penalty * weight[:-1]
        weight.grad[-1] = error.sum(0)
        return each.mean() + penalty / 2 * weight[:-1].square().sum()

    with torch.no_grad():
        solver.step(loss)  # type: ignore[no-untyped-call]
    return weight.detach()


def losses(z: Tensor, truth: Tensor, known: Tensor, several: bool) -> Tensor:
    """(N,) log loss of logits (N, K); of several labels, their sum."""
    if several:
        each = F.binary_cross_entropy_with_logits(z, truth, reduction="none")
        return (each * known).sum(1)
    return torch.logsumexp(z, 1) - (z * truth).sum(1)


def chosen(
    x: Features | Dense, y: Tensor, folds: Sequence[Array], penalties: Sequence[float], *, several: bool
) -> tuple[Sequence[float], Tensor]:
    """Penalties down to that of the least log loss on the folds left out, and its logits (N, K) for them.

    penalties: from strong to weak.
    folds: each with the places of the examples that it leaves out; together all of them.
    """
    known, truth = torch.isfinite(y), torch.nan_to_num(y)
    found = torch.zeros(len(penalties), *y.shape)
    for fold in folds:
        rest = np.setdiff1d(np.arange(len(y)), fold)
        inside, outside = x.take(rest), x.take(np.sort(fold))
        weight: Tensor | None = None
        for n, penalty in enumerate(penalties):
            weight = fit(inside, y[rest], penalty, several=several, start=weight)
            found[n, np.sort(fold)] = outside.times(weight[:-1]) + weight[-1]
    loss = [float(losses(one, truth, known, several).mean()) for one in found]
    best = int(np.argmin(loss))
    return penalties[: best + 1], found[best]


def follow(x: Features | Dense, y: Tensor, penalties: Sequence[float], *, several: bool) -> Tensor:
    """Weights for the last of the penalties, each begun where the one before ended."""
    weight: Tensor | None = None
    for penalty in penalties:
        weight = fit(x, y, penalty, several=several, start=weight)
    assert weight is not None
    return weight
