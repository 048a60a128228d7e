"""What an evaluation found, in words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from recurra.report.judging import who_won
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
    return who_won(methods, metric, _label(metric), partial(told, metric))


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
