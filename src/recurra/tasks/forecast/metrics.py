"""How wrong a forecast was.

sMAPE, MASE and OWA are those of the M4 competition (Makridakis, Spiliotis & Assimakopoulos 2020). Truths that
are NaN are left out everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def insample_scale(history: Array, period: int) -> float:
    """MASE's scale: mean |y[t] - y[t - period]| over the history; NaN where it is undefined or zero."""
    if len(history) <= period:
        return float("nan")
    change = np.abs(history[period:] - history[:-period])
    change = change[np.isfinite(change)]
    scale = float(change.mean()) if len(change) else 0.0
    return scale if scale > 0 else float("nan")


def smape(truth: Array, point: Array) -> Array:
    """200 |y - f| / (|y| + |f|) of every point, in percent; 0 where both are 0."""
    size = np.abs(truth) + np.abs(point)
    share: Array = 200 * np.divide(np.abs(truth - point), size, out=np.zeros_like(size), where=size != 0)
    return share


def pinball(truth: Array, quantiles: Array, levels: tuple[float, ...]) -> Array:
    """Quantile loss of every point and level: truth (…), quantiles (…, Q), result (…, Q)."""
    error = truth[..., None] - quantiles
    level = np.asarray(levels)
    loss: Array = np.maximum(level * error, (level - 1) * error)
    return loss


def owa(smape_: float, mase_: float, naive2_smape: float, naive2_mase: float) -> float:
    """M4's overall weighted average: sMAPE and MASE relative to those of Naive 2 on the same windows."""
    return 0.5 * (smape_ / naive2_smape + mase_ / naive2_mase)


def central_intervals(levels: tuple[float, ...]) -> dict[float, tuple[int, int]]:
    """Nominal coverage of each pair of levels (q, 1 - q), widest last, and the places of the two."""
    place = {round(level, 6): i for i, level in enumerate(levels)}
    pairs = {}
    for level, low in sorted(place.items(), reverse=True):
        high = place.get(round(1 - level, 6))
        if level < 0.5 and high is not None:
            pairs[round(1 - 2 * level, 6)] = (low, high)
    return pairs


@dataclass(frozen=True, slots=True)
class WindowScores:
    """Sums over the known truths of each of W windows, from which every metric follows.

    count, absolute, squared, size: (W,) number of truths, and sums of |e|, e², |y|; smape, mase: (W,) means.
    pinball: (W,) sum over truths of the loss, mean over levels; inside: (W, intervals) truths in an interval.
    step_absolute, step_count: (W, H), what each step of the horizon adds.
    """

    count: Array
    absolute: Array
    squared: Array
    size: Array
    smape: Array
    mase: Array
    pinball: Array
    inside: Array
    step_absolute: Array
    step_count: Array
    intervals: tuple[float, ...]

    @staticmethod
    def of(
        truth: Array, quantiles: Array, levels: tuple[float, ...], scale: Array, known: Array
    ) -> WindowScores:
        """truth, known: (W, H); quantiles: (W, H, Q); scale: (W,). The point forecast is the median."""
        pairs = central_intervals(levels)
        y = np.where(known, truth, 0.0)
        q = np.where(known[..., None], quantiles, 0.0)
        point = q[..., int(np.argmin(np.abs(np.asarray(levels) - 0.5)))]
        error = np.abs(y - point)
        count = known.sum(1)
        many = np.where(count == 0, np.nan, count)
        hits = [known & (q[..., a] <= y) & (y <= q[..., b]) for a, b in pairs.values()]
        inside = np.stack([hit.sum(1) for hit in hits], 1) if hits else np.zeros((len(y), 0))
        with np.errstate(over="ignore"):  # of numbers beyond 1e154; RMSE is then infinite
            squared = (error**2).sum(1)
        return WindowScores(
            count=count,
            absolute=error.sum(1),
            squared=squared,
            size=np.abs(y).sum(1),
            smape=smape(y, point).sum(1) / many,
            mase=error.sum(1) / many / scale,
            pinball=pinball(y, q, levels).mean(-1).sum(1),
            inside=inside,
            step_absolute=error,
            step_count=known,
            intervals=tuple(pairs),
        )

    @staticmethod
    def join(parts: list[WindowScores]) -> WindowScores:
        """The windows of all parts, in order."""
        arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS}
        return WindowScores(**arrays, intervals=parts[0].intervals)

    def take(self, at: Array) -> WindowScores:
        """The windows at these places."""
        return WindowScores(**{name: getattr(self, name)[at] for name in _ARRAYS}, intervals=self.intervals)

    def metrics(self) -> dict[str, float]:
        """MAE, RMSE, WQL over all truths; sMAPE (percent), MASE as means over windows; coverage 0 to 1."""
        many = float(self.count.sum()) or float("nan")
        size = float(self.size.sum())
        found = {
            "MAE": float(self.absolute.sum()) / many,
            "RMSE": float(np.sqrt(self.squared.sum() / many)),
            "sMAPE": _mean(self.smape),
            "MASE": _mean(self.mase),
            "WQL": 2 * float(self.pinball.sum()) / size if size > 0 else float("nan"),
        }
        actual = self.coverage()
        for nominal in (0.8, 0.95):
            if nominal in actual:
                found[f"coverage_{nominal * 100:.0f}"] = actual[nominal]
        return found

    def coverage(self) -> dict[float, float]:
        """Nominal coverage of each central interval, and the share of truths that it held."""
        many = float(self.count.sum()) or float("nan")
        shares = self.inside.sum(0) / many
        return {nominal: float(share) for nominal, share in zip(self.intervals, shares, strict=True)}

    def step_error(self) -> Array:
        """(H,) mean absolute error at each step of the horizon; NaN where no truth is known."""
        many = self.step_count.sum(0)
        error: Array = self.step_absolute.sum(0) / np.where(many == 0, np.nan, many)
        return error

    def losses(self, metric: str) -> tuple[Array, Array]:
        """Numerator and denominator per window of "MAE" or "MASE": the metric is the ratio of their sums."""
        if metric == "MAE":
            return self.absolute, self.count.astype(np.float64)
        usable = np.isfinite(self.mase)
        return np.where(usable, self.mase, 0.0), usable.astype(np.float64)


_ARRAYS = [field.name for field in fields(WindowScores) if field.name != "intervals"]


def _mean(values: Array) -> float:
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else float("nan")
