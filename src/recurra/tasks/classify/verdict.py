"""What an evaluation found, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from recurra.report.methods import Difference
from recurra.report.numbers import count, number, percent
from recurra.tasks.classify.metrics import LOWER_IS_BETTER, NAMES

if TYPE_CHECKING:
    from recurra.tasks.classify.evaluate import Array, Method

# From this share of one class on, accuracy says little.
UNBALANCED = 0.8
# Unseen labels that are named.
MOST_NAMED = 5

NOTHING = (
    "Nothing could be evaluated: no example of the test part has a label. "
    "Give labelled examples, or a larger share with --test."
)
NOT_FITTED = (
    "Only Majority stands beside the model, with the class shares of these very examples: "
    "the other baselines would need the data that the model was fitted on."
)


def words(methods: Sequence[Method], metric: str, several: bool) -> list[str]:
    """Who won, by how much, and whether it could be chance; a baseline that wins by any measure is named."""
    found = winners(methods, metric)
    for other in ("macro_f1", "log_loss"):
        if other != metric:
            found += winners(methods, other, baselines_only=True)
    if not several and (share := largest_share(methods[0])) >= UNBALANCED:
        found.append(
            f"{percent(share)} of these examples are of one class, so macro F1 and balanced accuracy say "
            "more here than accuracy."
        )
    return found


def largest_share(method: Method) -> float:
    """Of the commonest class among the truths."""
    return float(method.outcome.truth.mean(0).max())


def value(metric: str, size: float) -> str:
    """A metric as it is printed: shares in percent, losses as numbers."""
    return number(size) if metric in ("log_loss", "brier") else percent(size)


def distance(metric: str, size: float) -> str:
    """A difference of two values, without its sign."""
    return number(abs(size)) if metric in ("log_loss", "brier") else f"{100 * abs(size):.1f} points"


def signed(metric: str, size: float) -> str:
    """A difference of two values, with its sign."""
    if not np.isfinite(size):
        return "–"
    told = distance(metric, size)
    return (_minus(size, told) or "+") + told.removesuffix(" points")


def _minus(size: float, told: str) -> str:
    """A minus before what is below zero and not rounded to it."""
    return "−" if size < 0 and any(digit in told for digit in "123456789") else ""


def winners(methods: Sequence[Method], metric: str, *, baselines_only: bool = False) -> list[str]:
    """Baselines that are ahead of the model, the best first; or how far it is ahead of the best of them."""
    model, *others = methods
    own = model.metrics[metric]
    label = NAMES[metric][0].lower() + NAMES[metric][1:]
    others = [method for method in others if np.isfinite(method.metrics[metric])]
    if not np.isfinite(own) or not others:
        return []
    sign = 1 if metric in LOWER_IS_BETTER else -1
    ranked = sorted(others, key=lambda method: sign * method.metrics[metric])
    ahead = [method for method in ranked if sign * (method.metrics[metric] - own) < 0]
    if baselines_only:
        ranked = ahead
    if not ahead and ranked and ranked[0].metrics[metric] == own:
        return [f"The model and {ranked[0].name} are equally good here: {label} {value(metric, own)}."]
    return [_sentence(method, metric, label, own, wins=bool(ahead)) for method in ahead or ranked[:1]]


def _sentence(method: Method, metric: str, label: str, own: float, *, wins: bool) -> str:
    """One comparison; a difference whose interval holds zero is not called a win."""
    theirs, gap = method.metrics[metric], method.differences[metric]
    verb = "is better than" if gap.certain else "is ahead of"
    doubt = "" if gap.certain else ", but the difference may be chance"
    told = _told(metric, gap, -1 if wins else 1)
    if wins:
        return (
            f"{method.name} {verb} the model here{doubt}: "
            f"{label} {value(metric, theirs)} against {value(metric, own)} ({told})."
        )
    return (
        f"The model {verb} every baseline here{doubt}: {label} {value(metric, own)} against "
        f"{value(metric, theirs)} of the best of them, {method.name} ({told})."
    )


def _told(metric: str, gap: Difference, sign: int) -> str:
    told = f"difference {distance(metric, gap.estimate)}"
    if not np.isfinite(gap.low):
        return f"{told}; too few examples for an interval"
    low, high = sorted((sign * gap.low, sign * gap.high))
    ends = [_minus(end, distance(metric, end)) + distance(metric, end) for end in (low, high)]
    return f"{told}, 95 % interval {ends[0].removesuffix(' points')} to {ends[1]}"


def calibration(confidence: Array, correct: Array, error: float, before: float, temperature: float) -> str:
    """How sure the model is beside how often it is right."""
    told = (
        f"The model is {percent(float(confidence.mean()))} sure on average and right in "
        f"{percent(float(correct.mean()))}; confidence and accuracy lie {100 * error:.1f} points apart"
    )
    if temperature == 1.0:
        return f"{told}."
    return f"{told} ({100 * before:.1f} without the temperature of {number(temperature)})."


def unseen(labels: Mapping[str, int], many: int) -> list[str]:
    """That some examples have labels which the model cannot know."""
    if not many:
        return []
    ranked = sorted(labels.items(), key=lambda item: (-item[1], item[0]))
    named = ", ".join(f"{label!r} {often:,}" for label, often in ranked[:MOST_NAMED])
    if len(ranked) > MOST_NAMED:
        named += f" and {count(len(ranked) - MOST_NAMED, 'other')}"
    which = f" ({named})" if named else ""
    return [
        f"{count(many, 'example')} with a label that training did not have{which} "
        f"{'counts' if many == 1 else 'count'} as wrong; log loss and the Brier score leave "
        f"{'it' if many == 1 else 'them'} out."
    ]


def unlabelled(many: int) -> list[str]:
    """That some examples could not be judged."""
    return [f"{count(many, 'example')} without a label could not be judged."] if many else []


def folds(metric: str, each: Sequence[float]) -> str:
    """How the parts of a cross-validation differ."""
    shown = ", ".join(value(metric, one) for one in each)
    return (
        f"Over {len(each)} folds, each judged by a model that was fitted without it: {NAMES[metric].lower()} "
        f"{value(metric, float(np.mean(each)))} on average ({shown})."
    )
