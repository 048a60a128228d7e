"""Sums over the last steps of a series, of a whole one at once and of many streams step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def last(x: Array, count: int) -> Array:
    """Sum of the last `count` values at each step, (T,); what has left leaves no rounding behind."""
    here = np.zeros((-(-len(x) // count), count))  # in stretches
    here.ravel()[: len(x)] = x
    # What has come of each stretch, and what is left of the stretch before.
    found = here.cumsum(1)
    found[1:, :-1] += here[:-1, :0:-1].cumsum(1)[:, ::-1]
    return found.ravel()[: len(x)]


@dataclass(frozen=True, slots=True)
class Sums:
    """`last` step by step, for S series and w quantities at once; the same bits.

    kept: (S, count, w) float64.  In a stretch of `count` steps: what is left of the stretch before from here
    on, in the places of the steps to come; the values of the steps that have been.
    sums: (S, w) float64, of those values.
    """

    kept: Array
    sums: Array

    def add(self, rows: Array, step: Array, x: Array) -> Array:
        """Take in x (n, w), the values of `rows` at `step` (n,); the sums of the last ones, (n, w)."""
        count = self.kept.shape[1]
        at = step % count
        before = self.kept[rows, at]
        self.kept[rows, at] = x
        sums = self.sums[rows] + x
        self.sums[rows] = sums
        self._turn(rows[at == count - 1])
        return np.asarray(before + sums)

    def skip(self, rows: Array, step: Array, steps: int) -> None:
        """Take in zeros, at `step` (n,) and the ones after it."""
        count = self.kept.shape[1]
        if steps >= 2 * count:
            self.kept[rows] = 0.0
            self.sums[rows] = 0.0
            return
        while steps:
            at = step % count
            few = min(steps, int((count - at).min()))
            self.kept[rows[:, None], at[:, None] + np.arange(few)] = 0.0
            self._turn(rows[at + few == count])
            step, steps = step + few, steps - few

    def _turn(self, rows: Array) -> None:
        """A stretch is full: keep what will be left of it."""
        if len(rows):
            before = self.kept[rows][:, ::-1].cumsum(1)[:, ::-1]
            self.kept[rows, :-1] = before[:, 1:]
            self.kept[rows, -1] = 0.0
            self.sums[rows] = 0.0


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of the last steps were so, for S series and w questions.

    kept: (S, count, w) bool, a ring.  sums: (S, w) int64.
    """

    kept: Array
    sums: Array

    def add(self, rows: Array, step: Array, x: Array) -> Array:
        """Take in x (n, w) bool; the counts among the last steps, (n, w)."""
        at = step % self.kept.shape[1]
        sums = self.sums[rows] + x - self.kept[rows, at]
        self.kept[rows, at], self.sums[rows] = x, sums
        return np.asarray(sums)

    def skip(self, rows: Array, step: Array, steps: int) -> None:
        """Take in steps that were not."""
        count = self.kept.shape[1]
        places = (step[:, None] + np.arange(min(steps, count))) % count
        self.sums[rows] -= self.kept[rows[:, None], places].sum(1)
        self.kept[rows[:, None], places] = False
