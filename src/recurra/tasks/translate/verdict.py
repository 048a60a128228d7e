"""What an evaluation found, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from recurra.report.numbers import percent
from recurra.tasks.translate.metrics import NAMES

if TYPE_CHECKING:
    from recurra.report.methods import Method

NOTHING = (
    "Nothing could be evaluated: there is no pair in the test part. Give more, or a larger share with --test."
)
NOT_TESTED = (
    "There is no test part, so the validation part was judged. The weights kept are those that were best on "
    "it; on other texts they may do worse."
)
NOT_FITTED = (
    "Only the source as it is stands beside the model: phrases would need the pairs it was fitted on."
)


def words(methods: Sequence[Method], metric: str) -> list[str]:
    """Who won, by how much, and whether it could be chance."""
    model, *others = methods
    own, label = model.metrics[metric], _label(metric)
    ranked = sorted(others, key=lambda method: -method.metrics[metric])
    ahead = [method for method in ranked if method.metrics[metric] >= own]
    if not ahead:
        best = ranked[0]
        gap = best.differences[metric]
        verb = "is better than" if gap.certain else "is ahead of"
        doubt = "" if gap.certain else ", but the difference may be chance"
        return [
            f"The model {verb} every baseline here{doubt}: {label} {told(metric, own)} against "
            f"{told(metric, best.metrics[metric])} of the best of them, {best.name} (difference "
            f"{told(metric, gap.estimate)}, 95 % interval {told(metric, gap.low)} to "
            f"{told(metric, gap.high)})."
        ]
    lines = []
    for method in ahead:
        gap = method.differences[metric]
        if method.metrics[metric] == own:
            lines.append(f"The model and {method.name} are equally good here: {label} {told(metric, own)}.")
            continue
        verb = "is better than" if gap.certain else "is ahead of"
        doubt = "" if gap.certain else ", but the difference may be chance"
        lines.append(
            f"{method.name} {verb} the model here{doubt}: {label} {told(metric, method.metrics[metric])} "
            f"against {told(metric, own)} (difference {told(metric, -gap.estimate)}, 95 % interval "
            f"{told(metric, -gap.high)} to {told(metric, -gap.low)})."
        )
    return lines


def told(metric: str, value: float) -> str:
    """A score, or a difference of two."""
    return percent(value) if metric == "exact" else f"{value:.1f}".replace("-", "−")


def signed(metric: str, value: float) -> str:
    """A difference with its sign."""
    if not np.isfinite(value):
        return "–"
    return ("+" if value > 0 else "") + told(metric, value)


def _label(metric: str) -> str:
    return NAMES[metric] if metric != "exact" else "just right in"
