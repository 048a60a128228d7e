"""Covariates of the steps about the newest one, of many streams: what a forecast's window is cut from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Parts = Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Covariates:
    """Rings of encoded covariates, float32, NaN where missing; a step lies at its grid index's remainder.

    name         (S, back + ahead, width): the steps from `back` before now's end to `ahead` after it
    name.before  (S, K, back + ahead, width): the same about the last known value of a target, while it is
                 missing; a forecast goes on from there
    """

    name: str
    width: int
    back: int
    ahead: int
    targets: int  # K

    @property
    def size(self) -> int:
        """Steps of a ring."""
        return self.back + self.ahead

    def fresh(self) -> dict[str, Array]:
        """Rings of a stream that has seen nothing; none without covariates."""
        if not self.width:
            return {}
        shapes = {self.name: (self.size, self.width), self._before: (self.targets, self.size, self.width)}
        return {name: np.full(shape, np.nan, dtype=np.float32) for name, shape in shapes.items()}

    def keep(self, parts: Parts, rows: Array, targets: Array) -> None:
        """Targets (n,) of streams (n,) are missing from now on: keep what a forecast of them is made of."""
        if self.width:
            parts[self._before][rows, targets] = parts[self.name][rows]

    def advance(self, parts: Parts, rows: Array, now: Array, steps: Array) -> None:
        """Streams (n,) go on from `now` (n,) by so many steps (n,): nothing is known yet of what comes in."""
        if not self.width:
            return
        count = np.minimum(steps, self.size)
        which = np.repeat(np.arange(len(rows)), count)
        nth = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
        last = now + steps + self.ahead
        parts[self.name][rows[which], (last[which] - nth) % self.size] = np.nan

    def write(  # noqa: PLR0917
        self, parts: Parts, rows: Array, steps: Array, values: Array, given: Array, end: Array
    ) -> None:
        """What is said of steps (n,) of streams (n,), not all different.

        values, given: (n, width).  end: (n, K), the step after a target's last known value, for those that
        are missing now; else the largest number there is.
        """
        if not self.width:
            return
        at = steps % self.size
        parts[self.name][rows, at] = np.where(given, values, parts[self.name][rows, at])
        ahead = (steps[:, None] >= end) & (steps[:, None] - self.ahead < end)
        which, target = np.nonzero(ahead)
        if len(which):
            place = rows[which], target, at[which]
            kept = parts[self._before]
            kept[place] = np.where(given[which], values[which], kept[place])

    def window(  # noqa: PLR0917
        self, parts: Parts, rows: Array, targets: Array, end: Array, begin: Array, now: Array
    ) -> Array:
        """What is known about origins `end` (W,) of targets (W,) of streams (W,): (W, back + ahead, width).

        begin: (W,), the targets' first steps; what lies before is not known.  now: (W,), the newest steps.
        """
        found = np.full((len(rows), self.size, self.width), np.nan, dtype=np.float32)
        if self.width:
            steps = end[:, None] + np.arange(-self.back, self.ahead)
            here = end == now + 1
            for some, ring in ((here, parts[self.name]), (~here, parts[self._before])):
                if some.any():
                    which = (rows[some],) if ring is parts[self.name] else (rows[some], targets[some])
                    found[some] = ring[(*(part[:, None] for part in which), steps[some] % self.size)]
            found[steps < begin[:, None]] = np.nan
        return found

    @property
    def _before(self) -> str:
        return f"{self.name}.before"
