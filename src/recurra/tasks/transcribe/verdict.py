"""What an evaluation found, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recurra.report.numbers import count, percent
from recurra.tasks.transcribe.metrics import LABELS, LEFT_OUT, LOWER_IS_BETTER, PUT_IN, RIGHT, SUBSTITUTED

if TYPE_CHECKING:
    from recurra.report.methods import Method
    from recurra.tasks.transcribe.evaluate import Detail

NOTHING = (
    "Nothing could be evaluated: there is no recording in the test part. Give more, or a larger share with "
    "--test."
)
NOT_TESTED = (
    "There is no test part, so the validation part was judged. The weights kept are those that were best on "
    "it; on other recordings they may do worse."
)
NOT_FITTED = "Nothing stands beside the model: the baselines would need the recordings that it was fitted on."


def words(detail: Detail) -> list[str]:
    """Who won, by how much, and whether it could be chance; and what kinds of errors there are."""
    return [*_compared(detail), *_kinds(detail)]


def _compared(detail: Detail) -> list[str]:
    (model, *others), metric = detail.methods, detail.metric
    own = _worth(model, metric)
    if not others:
        ends = model.intervals[metric]
        told = (
            f" (95 % interval {percent(ends.low)} to {percent(ends.high)})" if np.isfinite(ends.low) else ""
        )
        return [f"The model's result here: {LABELS[metric]} {percent(model.metrics[metric])}{told}."]
    ranked = sorted(others, key=lambda method: -_worth(method, metric))
    ahead = [method for method in ranked if _worth(method, metric) >= own]
    if not ahead:
        best = ranked[0]
        return [_sentence(model, best, metric, ours=True)]
    lines = []
    for method in ahead:
        if _worth(method, metric) == own:
            told = percent(model.metrics[metric])
            lines.append(f"The model and {method.name} are equally good here: {LABELS[metric]} {told}.")
        else:
            lines.append(_sentence(model, method, metric, ours=False))
    return lines


def _sentence(model: Method, other: Method, metric: str, *, ours: bool) -> str:
    """How far one of the two is ahead. ours: the model, and of all others."""
    gap = other.differences[metric]
    verb = "is better than" if gap.certain else "is ahead of"
    doubt = "" if gap.certain else ", but the difference may be chance"
    low, high = (gap.low, gap.high) if ours else (-gap.high, -gap.low)
    ends = f", 95 % interval {points(low)} to {points(high)}" if np.isfinite(low) else ""
    more = "fewer" if metric in LOWER_IS_BETTER else "more"
    own, theirs = percent(model.metrics[metric]), percent(other.metrics[metric])
    by = f"({points(abs(gap.estimate))} points {more}{ends})"
    if ours:
        return (
            f"The model {verb} every baseline here{doubt}: {LABELS[metric]} {own} against {theirs} of the "
            f"best of them, {other.name} {by}."
        )
    return f"{other.name} {verb} the model here{doubt}: {LABELS[metric]} {theirs} against {own} {by}."


def _kinds(detail: Detail) -> list[str]:
    """How many tokens are right, and what became of the others; and how often nothing was written."""
    counts, noun = detail.aligned.counts.sum(0).tolist(), detail.token
    said = int(detail.aligned.said.sum())
    lines = [
        f"Of {count(said, noun)} that {'was' if said == 1 else 'were'} said, {counts[RIGHT]:,} "
        f"{'is' if counts[RIGHT] == 1 else 'are'} right, {counts[SUBSTITUTED]:,} taken for others and "
        f"{counts[LEFT_OUT]:,} left out; {counts[PUT_IN]:,} more were put in."
    ]
    silent = [not heard and bool(of) for heard, of in zip(detail.methods[0].texts, detail.texts, strict=True)]
    if any(silent):
        lines.append(
            f"The model wrote nothing at all for {count(sum(silent), 'recording')} of {len(silent):,}."
        )
    return lines


def points(value: float) -> str:
    """A difference of two shares, in hundredths."""
    return f"{100 * value:.1f}".replace("-", "−")


def signed(value: float) -> str:
    """The same with its sign."""
    if not np.isfinite(value):
        return "–"
    return ("+" if value > 0 else "") + points(value)


def _worth(method: Method, metric: str) -> float:
    """A score of which more is better."""
    return -method.metrics[metric] if metric in LOWER_IS_BETTER else method.metrics[metric]
