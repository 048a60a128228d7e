"""Intervals of scores by a bootstrap over recordings, or over speakers, whose recordings are alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recurra.data.frequency import Array
from recurra.report.methods import Difference, Interval

RESAMPLES = 1000
ENDS = (0.025, 0.975)
NORMAL = 1.959964  # of the standard normal distribution, 95 % lie within
# Fewer recordings, or speakers, cannot show how much they vary.
FEWEST, FEWEST_SPEAKERS = 10, 5
# Numbers of drawn counts that are in memory at once.
CHUNK = 4_000_000


class Resampling:
    """Recordings drawn with return, the same for every method; all of a speaker together.

    speakers: of each recording; None, or too few of them, for recordings by themselves.
    """

    def __init__(self, recordings: int, speakers: Sequence[str] | None, seed: int) -> None:
        self.recordings, self._seed = recordings, seed
        self.by_speaker = speakers is not None and len(set(speakers)) >= FEWEST_SPEAKERS
        if self.by_speaker:
            assert speakers is not None
            _, self._group = np.unique(np.array(speakers, dtype=object), return_inverse=True)
        else:
            self._group = np.arange(recordings)
        self.groups = int(self._group.max(initial=-1)) + 1

    @property
    def enough(self) -> bool:
        """Whether there is enough to draw from."""
        return self.recordings >= FEWEST

    def sums(self, counts: Array) -> Array:
        """Sums (RESAMPLES, C) of counts (N, C) over the recordings of each draw."""
        whole = np.zeros((self.groups, counts.shape[1]))
        np.add.at(whole, self._group, counts)
        rng = np.random.default_rng(self._seed)
        chance = np.full(self.groups, 1 / self.groups)
        at_once = max(1, CHUNK // self.groups)
        rows = [min(at_once, RESAMPLES - at) for at in range(0, RESAMPLES, at_once)]
        return np.concatenate([rng.multinomial(self.groups, chance, many) @ whole for many in rows])

    def interval(self, draws: Array, *, lower: bool) -> Interval:
        """The 95 % interval of a metric from its resamples; NaN where there is none to give.

        Where nothing was wrong, resamples do not differ; Wilson's interval (1927) of as many trials as there
        are recordings stands there. lower: is better.
        """
        if not self.enough:
            return Interval(float("nan"), float("nan"))
        low, high = np.quantile(draws, ENDS)
        if low < high:
            return Interval(float(low), float(high))
        reach = NORMAL**2 / (self.recordings + NORMAL**2)
        if low == (0 if lower else 1):
            return Interval(0.0, reach) if lower else Interval(1 - reach, 1.0)
        return Interval(float("nan"), float("nan"))

    def difference(self, ours: float, theirs: float, draws: Array, *, lower: bool) -> Difference:
        """The model's gain over a method; draws: resamples of ours less theirs."""
        sign = -1 if lower else 1
        if not self.enough:
            return Difference(sign * (ours - theirs), float("nan"), float("nan"))
        low, high = np.quantile(sign * draws, ENDS)
        return Difference(sign * (ours - theirs), float(low), float(high))
