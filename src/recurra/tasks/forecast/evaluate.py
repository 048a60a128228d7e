"""Backtests: the model beside its baselines on the same windows, and the verdict in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from recurra.report.methods import Difference
from recurra.report.numbers import count
from recurra.report.signature import signature
from recurra.tasks.base import Evaluation, Score
from recurra.tasks.forecast import classical, verdict
from recurra.tasks.forecast.baselines import Baseline, drift, naive, seasonal_naive
from recurra.tasks.forecast.comparison import paired_difference
from recurra.tasks.forecast.metrics import WindowScores, insample_scale
from recurra.tasks.forecast.windows import Windows, spread, stride, truths, windows

if TYPE_CHECKING:
    from recurra.tasks.forecast.data import Panel

__all__ = ["Detail", "Forecaster", "Method", "Table", "Windows", "evaluate", "stride", "windows"]

Array = np.ndarray[Any, np.dtype[Any]]

# Numbers that a baseline's quantiles may fill at once; more windows are taken in pieces.
CHUNK = 4_000_000
# About how long ETS and Theta may take together; beyond it they are compared on a part of the windows.
CLASSICAL_SECONDS = 40.0


class Forecaster(Protocol):
    """What can be evaluated; the point forecast is the median."""

    def __call__(self, panel: Panel, windows: Windows, /) -> Array:
        """Quantiles (W, H, Q) float64 of the steps after each origin, seeing only what is before it."""


@dataclass(frozen=True, slots=True)
class Method:
    """One method's results on one set of windows; `difference` is its error less the model's."""

    name: str
    scores: WindowScores
    difference: Difference | None = None  # None for the model itself


@dataclass(frozen=True, slots=True)
class Table:
    """Methods compared on the same windows, the model first; `where` are their places among all windows."""

    where: Array
    methods: tuple[Method, ...]
    whole: bool  # whether these are all the windows


@dataclass(frozen=True, slots=True)
class Detail:
    """What the report draws: windows, truths (W, H), the model's quantiles (W, H, Q) and the tables."""

    panel: Panel
    windows: Windows
    truth: Array
    quantiles: Array
    levels: tuple[float, ...]
    scale: Array  # (N,)
    period: int
    metric: str  # the one that methods are compared by
    tables: tuple[Table, ...]


def evaluate(
    forecaster: Forecaster,
    panel: Panel,
    which: Windows,
    *,
    insample: Array,
    levels: tuple[float, ...],
    sha256: str = "",
    seed: int = 0,
    dtype: str = "float32",
    name: str = "Recurra",
    period: int | None = None,
    classical_seconds: float = CLASSICAL_SECONDS,
) -> Evaluation:
    """Compare a forecaster with naive, seasonal naive, drift, ETS and Theta on the same windows.

    insample: (N,) int64, steps of each series, before the first origin, that MASE's scale comes from.
    levels: the Q quantile levels that the forecaster gives; 0.5 among them.
    period: the season of MASE, seasonal naive, ETS and Theta; the data's shortest one where not given.
    classical_seconds: about how long ETS and Theta may take; how many windows follows from lengths alone.
    """
    periods = (period,) if period is not None else (tuple(panel.schema.seasons) or (1,))
    horizon = int(panel.schema.horizon)
    settings = {
        "horizon": horizon,
        "windows": len(which),
        "quantiles": len(levels),
        "mase": f"m4,{periods[0]}",
    }
    label = signature("forecast", sha256=sha256, seed=seed, dtype=dtype, **settings, smape="m4")
    if len(which) == 0:
        return Evaluation((), (verdict.nothing(horizon),), label)

    quantiles = np.asarray(forecaster(panel, which), dtype=np.float64)
    bench = _Bench.of(
        panel, which, insample=insample, levels=levels, periods=periods, quantiles=quantiles, name=name
    )
    everywhere = np.arange(len(which))
    sampled, slow, notes = bench.slow(classical_seconds, seed)
    quick = bench.quick()
    groups = [(everywhere, quick)]
    if len(sampled) == len(which):
        quick.extend(slow)
    elif slow:
        groups.append((sampled, [Method(one.name, one.scores.take(sampled)) for one in quick] + slow))
        notes.append(verdict.sample(len(sampled), len(which)))
    tables = tuple(Table(at, bench.compared(rows, at, seed), at is everywhere) for at, rows in groups)
    told = verdict.words(tables, bench.metric)
    told += verdict.left_out(bench.truth, bench.known, quantiles, bench.scale[which.series], periods[0])
    return Evaluation(
        scores=tuple(_score(method, table) for table in tables for method in table.methods),
        words=(*told, *notes),
        signature=label,
        detail=bench.detail(tables),
    )


@dataclass(frozen=True, slots=True)
class _Bench:
    """What every method is judged by: truths (W, H), which of them count, and MASE's scales (N,)."""

    panel: Panel
    which: Windows
    truth: Array
    known: Array
    scale: Array
    levels: tuple[float, ...]
    periods: tuple[int, ...]
    quantiles: Array
    name: str
    metric: str

    @staticmethod
    def of(
        panel: Panel,
        which: Windows,
        *,
        insample: Array,
        levels: tuple[float, ...],
        periods: tuple[int, ...],
        quantiles: Array,
        name: str,
    ) -> _Bench:
        truth = truths(panel, which, int(panel.schema.horizon))
        pairs = zip(panel.target, insample, strict=True)
        scale = np.array([insample_scale(y[:end], periods[0]) for y, end in pairs])
        known = np.isfinite(truth) & _seen(panel, which)[:, None] & np.isfinite(quantiles).all(-1)
        several = len(np.unique(which.series)) > 1 and bool(np.isfinite(scale[which.series]).any())
        # MAE speaks in the data's unit; over several series only a scale-free error weighs them alike.
        metric = "MASE" if several else "MAE"
        return _Bench(panel, which, truth, known, scale, levels, periods, quantiles, name, metric)

    def judge(self, at: Array, given: Array) -> WindowScores:
        """Score quantiles (w, H, Q) given for the windows at these places."""
        scale = self.scale[self.which.series[at]]
        return WindowScores.of(self.truth[at], given, self.levels, scale, self.known[at])

    def quick(self) -> list[Method]:
        """The model and the baselines that cost nothing, on all windows: one seasonal naive a season."""
        seasons = [period for period in self.periods if period > 1]
        kinds: list[tuple[str, Baseline]] = [("Naive", naive)]
        for period in seasons:
            label = "Seasonal naive" if len(seasons) == 1 else f"Seasonal naive ({period})"
            kinds.append((label, seasonal_naive(period)))
        found = [Method(self.name, self.judge(np.arange(len(self.which)), self.quantiles))]
        return found + [Method(label, self._chunked(kind)) for label, kind in [*kinds, ("Drift", drift)]]

    def _chunked(self, baseline: Baseline) -> WindowScores:
        _, horizon, levels = self.quantiles.shape
        size = max(1, CHUNK // (horizon * levels))
        parts = []
        for start in range(0, len(self.which), size):
            at = np.arange(start, min(start + size, len(self.which)))
            parts.append(self.judge(at, baseline(self.panel, self.which.take(at), horizon, self.levels)))
        return WindowScores.join(parts)

    def slow(self, seconds: float, seed: int) -> tuple[Array, list[Method], list[str]]:
        """ETS and Theta on as many windows as there is time for: the windows' places, results, remarks."""
        if not classical.installed():
            return np.arange(len(self.which)), [], [verdict.NOT_INSTALLED]
        period, horizon = self.periods[0], self.quantiles.shape[1]
        at = spread(len(self.which), classical.affordable(self.which, period, seconds), seed)
        found, notes = [], []
        for label in classical.NAMES:
            given, failed = classical.forecast(
                label, self.panel, self.which.take(at), horizon, self.levels, period=period
            )
            found.append(Method(label, self.judge(at, given)))
            notes += verdict.failures(label, failed, len(at))
        return at, found, notes

    def compared(self, methods: list[Method], at: Array, seed: int) -> tuple[Method, ...]:
        """The methods with their differences from the first."""
        part = self.which.take(at)
        time = np.asarray(self.panel.start)[part.series] + part.origin
        ours, weight = methods[0].scores.losses(self.metric)
        found = [methods[0]]
        for method in methods[1:]:
            theirs, _ = method.scores.losses(self.metric)
            difference = paired_difference(
                theirs - ours, weight, part.series, time, reach=self.quantiles.shape[1], seed=seed
            )
            found.append(Method(method.name, method.scores, difference))
        return tuple(found)

    def detail(self, tables: tuple[Table, ...]) -> Detail:
        """What the report needs of all this."""
        return Detail(
            panel=self.panel,
            windows=self.which,
            truth=self.truth,
            quantiles=self.quantiles,
            levels=self.levels,
            scale=self.scale,
            period=self.periods[0],
            metric=self.metric,
            tables=tables,
        )


def _seen(panel: Panel, which: Windows) -> Array:
    """(W,) whether anything is known before the origin; where nothing is, no method can forecast."""
    first = [int(np.argmax(np.isfinite(y))) if np.isfinite(y).any() else len(y) for y in panel.target]
    return np.array(first, dtype=np.int64)[which.series] < which.origin


def _score(method: Method, table: Table) -> Score:
    """A row of the flat list; a method compared on a part of the windows says so in its name."""
    label = method.name if table.whole else f"{method.name}, {count(len(table.where), 'window')}"
    return Score(label, method.scores.metrics())
