"""A table of methods side by side: scores with their intervals, and what the model gains over each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from recurra.report.page import Page


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval; NaN where there is too little to give one."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better the model is: above zero for it, below zero for the other. With a 95 % interval."""

    estimate: float
    low: float
    high: float

    @property
    def certain(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


class Method(Protocol):
    """One method's results by metric; `differences` are the model's gains over it, none for itself."""

    @property
    def name(self) -> str: ...

    @property
    def metrics(self) -> Mapping[str, float]: ...

    @property
    def intervals(self) -> Mapping[str, Interval]: ...

    @property
    def differences(self) -> Mapping[str, Difference]: ...


@dataclass(frozen=True, slots=True)
class OfTexts:
    """A Method that wrote texts."""

    name: str
    texts: Sequence[str]
    metrics: dict[str, float]
    intervals: dict[str, Interval]
    differences: dict[str, Difference]


@dataclass(frozen=True, slots=True)
class Column:
    """A metric in the table.  best: finds the best of its values (np.nanmin, np.nanmax); None marks none."""

    metric: str
    name: str
    value: Callable[[float], str]
    best: Callable[[np.ndarray], float] | None = np.nanmax


@dataclass(frozen=True, slots=True)
class Gain:
    """The last column: the model's gain over each method in a metric, with its sign."""

    metric: str
    name: str
    signed: Callable[[float], str]


def table(
    page: Page, methods: Sequence[Method], columns: Sequence[Column], gain: Gain, caption: str = ""
) -> None:
    """Add the table: methods in their order, the model first; a tick marks the best of each column."""
    header = ["Method", *(column.name for column in columns), gain.name]
    rows = [
        [method.name, *(_cell(method, column) for column in columns), _gained(method, gain)]
        for method in methods
    ]
    best = set()
    for place, column in enumerate(columns, start=1):
        values = np.array([method.metrics[column.metric] for method in methods])
        if column.best is not None and np.isfinite(values).any():
            best |= {(int(row), place) for row in np.flatnonzero(values == column.best(values))}
    page.table(header, rows, caption=caption, best=best, ours={0})


def _cell(method: Method, column: Column) -> str:
    told = column.value(method.metrics[column.metric])
    ends = method.intervals.get(column.metric)
    if ends is None or not np.isfinite(ends.low):
        return told
    low, high = (column.value(end).removesuffix(" %") for end in (ends.low, ends.high))
    return f"{told}\n{low}–{high}"


def _gained(method: Method, gain: Gain) -> str:
    gap = method.differences.get(gain.metric)
    if gap is None:
        return ""
    told = gain.signed(gap.estimate)
    if not np.isfinite(gap.low):
        return told
    return f"{told}\n{gain.signed(gap.low)} to {gain.signed(gap.high)}"
