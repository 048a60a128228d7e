"""What an evaluation found, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from recurra.report.numbers import count, number, percent
from recurra.tasks.language.metrics import NAMES

if TYPE_CHECKING:
    from recurra.report.methods import Difference
    from recurra.tasks.language.evaluate import Method

# A smaller share of unknown tokens is no figure.
FEWEST_UNKNOWN = 0.001

NOTHING = (
    "Nothing could be evaluated: no token of the test part is left to be foretold. "
    "Give more text, or a larger share with --test."
)
NOT_TESTED = (
    "There is no test part, so the validation part was judged. The weights kept, and how the model learns "
    "on, are those that were best on it; on other text it may do worse."
)
NOT_FITTED = (
    "Only single tokens stand beside the model, with their shares in this very text: "
    "n-grams would need the text that the model was fitted on."
)


def words(methods: Sequence[Method], metric: str) -> list[str]:
    """Who won, by how much, and whether it could be chance; then what learning on while reading changes."""
    model = methods[0]
    label = NAMES[metric][0].lower() + NAMES[metric][1:]
    if not np.isfinite(model.metrics[metric]):
        return [f"The {label} of the model is no finite number here, and cannot be compared."]
    baselines = [method for method in methods[1:] if method.baseline]
    others = [method for method in methods[1:] if not method.baseline]
    return _winners(model, baselines, metric, label) + [
        _other(model, method, metric, label) for method in others if np.isfinite(method.metrics[metric])
    ]


def _winners(model: Method, baselines: Sequence[Method], metric: str, label: str) -> list[str]:
    """Baselines that are ahead of the model, the best first; or how far it is ahead of the best of them."""
    own = model.metrics[metric]
    ranked = sorted(baselines, key=lambda method: method.metrics[metric])
    ahead = [method for method in ranked if method.metrics[metric] < own]
    if not ahead and ranked and ranked[0].metrics[metric] == own:
        return [f"The model and {ranked[0].name} are equally good here: {label} {number(own)}."]
    return [_sentence(method, metric, label, own, wins=bool(ahead)) for method in ahead or ranked[:1]]


def _sentence(method: Method, metric: str, label: str, own: float, *, wins: bool) -> str:
    """One comparison; a difference whose interval holds zero is not called a win."""
    theirs, gap = method.metrics[metric], method.differences[metric]
    verb = "is better than" if gap.certain else "is ahead of"
    doubt = "" if gap.certain else ", but the difference may be chance"
    told = _told(gap, -1 if wins else 1)
    if wins:
        return (
            f"{method.name} {verb} the model here{doubt}: "
            f"{label} {number(theirs)} against {number(own)} ({told})."
        )
    return (
        f"The model {verb} every baseline here{doubt}: {label} {number(own)} against {number(theirs)} "
        f"of the best of them, {method.name} ({told})."
    )


def _other(model: Method, method: Method, metric: str, label: str) -> str:
    """The model run in another way, beside the model as it was trained."""
    own, theirs, gap = model.metrics[metric], method.metrics[metric], method.differences[metric]
    better = theirs <= own
    verb = {
        (True, True): "is better than",
        (True, False): "is ahead of",
        (False, True): "is worse than",
        (False, False): "is behind",
    }[better, gap.certain]
    doubt = "" if gap.certain else ", but the difference may be chance"
    return (
        f"{method.name} {verb} the model as it was trained{doubt}: {label} {number(theirs)} against "
        f"{number(own)} ({_told(gap, -1 if better else 1)})."
    )


def _told(gap: Difference, sign: int) -> str:
    told = f"difference {number(abs(gap.estimate))}"
    if not np.isfinite(gap.low):
        return f"{told}; too little text for an interval"
    low, high = sorted((sign * gap.low, sign * gap.high))
    return f"{told}, 95 % interval {number(low)} to {number(high)}"


def blocks(length: int) -> list[str]:
    """What intervals rest on."""
    if not length:
        return []
    return [
        f"Intervals come from drawing anew blocks of {count(length, 'token')} in a row, "
        "since what stands close together in a text is alike."
    ]


def unknown(share: float) -> list[str]:
    """That some tokens are not in the vocabulary."""
    if not share > 0:
        return []
    told = percent(share) if share >= FEWEST_UNKNOWN else "Fewer than 0.1 %"
    return [
        f"{told} of these tokens are unknown to the model. All of them count as one token, which "
        "is easier to foretell than what stands there, so compare only with figures for this vocabulary."
    ]


def sampled(part: int, whole: int) -> str:
    """That the baselines saw only the end of the training text."""
    return (
        f"The baselines were counted on the last {part:,} of the {count(whole, 'training token')}, "
        "to keep the time and memory they take within bounds."
    )
