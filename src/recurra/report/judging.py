"""Texts of several methods judged beside each other, and in words who won."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from recurra.report.methods import Difference, Interval, Method, OfTexts

ENDS = (0.025, 0.975)
Array = np.ndarray[Any, np.dtype[Any]]


class Judge(Protocol):
    """What judges the texts of a method: by metric a number, and numbers (R,) on texts drawn with return."""

    def metrics(self, texts: Sequence[str]) -> dict[str, float]: ...

    def draws(self, texts: Sequence[str]) -> dict[str, Array]: ...


def interval(draws: Array) -> Interval:
    """The 95 % interval of a metric from its resamples."""
    low, high = np.quantile(draws, ENDS)
    return Interval(float(low), float(high))


def compare(texts: Mapping[str, Sequence[str]], judge: Judge) -> tuple[OfTexts, ...]:
    """Every method judged, and what the first, the model, gains over each; more is better."""
    methods: list[OfTexts] = []
    ours: dict[str, Array] = {}
    for name, of in texts.items():
        values, draws = judge.metrics(of), judge.draws(of)
        intervals = {metric: interval(drawn) for metric, drawn in draws.items()}
        differences = {}
        if methods:
            for metric, drawn in draws.items():
                gap = interval(ours[metric] - drawn)
                estimate = methods[0].metrics[metric] - values[metric]
                differences[metric] = Difference(estimate, gap.low, gap.high)
        else:
            ours = draws
        methods.append(OfTexts(name, of, values, intervals, differences))
    return tuple(methods)


def who_won(methods: Sequence[Method], metric: str, label: str, told: Callable[[float], str]) -> list[str]:
    """Who won in a metric of which more is better, by how much, and whether it could be chance.

    methods: the model first, and one more at least.  label: of the metric.  told: a value in words.
    """
    model, *others = methods
    own = model.metrics[metric]
    ranked = sorted(others, key=lambda method: -method.metrics[metric])
    ahead = [method for method in ranked if method.metrics[metric] >= own]
    if not ahead:
        best = ranked[0]
        gap = best.differences[metric]
        verb, doubt = _verb(gap)
        return [
            f"The model {verb} every baseline here{doubt}: {label} {told(own)} against "
            f"{told(best.metrics[metric])} of the best of them, {best.name} (difference "
            f"{told(gap.estimate)}, 95 % interval {told(gap.low)} to {told(gap.high)})."
        ]
    lines = []
    for method in ahead:
        gap = method.differences[metric]
        if method.metrics[metric] == own:
            lines.append(f"The model and {method.name} are equally good here: {label} {told(own)}.")
            continue
        verb, doubt = _verb(gap)
        lines.append(
            f"{method.name} {verb} the model here{doubt}: {label} {told(method.metrics[metric])} against "
            f"{told(own)} (difference {told(-gap.estimate)}, 95 % interval {told(-gap.high)} to "
            f"{told(-gap.low)})."
        )
    return lines


def _verb(gap: Difference) -> tuple[str, str]:
    if gap.certain:
        return "is better than", ""
    return "is ahead of", ", but the difference may be chance"
