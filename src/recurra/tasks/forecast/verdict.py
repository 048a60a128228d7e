"""What an evaluation found, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.report.numbers import count, number, percent
from recurra.tasks.forecast.classical import NAMES

if TYPE_CHECKING:
    from recurra.tasks.forecast.evaluate import Method, Table

Array = np.ndarray[Any, np.dtype[Any]]

NOT_INSTALLED = (
    "ETS and Theta are not in the comparison because statsforecast is not installed. "
    "Install it with: pip install 'recurra[forecast]'."
)


def nothing(horizon: int) -> str:
    """Why there are no scores."""
    return (
        f"Nothing could be evaluated: no series has {count(horizon, 'step')} left over for a test. "
        "Give longer series, or fit with a shorter horizon."
    )


def sample(part: int, whole: int) -> str:
    """That the slow methods saw only a part of the windows."""
    return (
        f"{' and '.join(NAMES)} are slow, so they were compared on {part:,} of the {count(whole, 'window')}, "
        "drawn evenly with a fixed seed; the figures of every method on the same windows stand beside theirs."
    )


def failures(name: str, failed: int, windows: int) -> list[str]:
    """That a method's fit failed, and what stands in its place."""
    if failed == 0:
        return []
    return [
        f"{name} could not be fitted in {failed:,} of {count(windows, 'window')}; "
        "the seasonal naive forecast stands in there."
    ]


def words(tables: tuple[Table, ...], metric: str) -> list[str]:
    """Who won, by how much, and whether it could be chance; then how the intervals held."""
    found = [line for table in tables for line in _winners(table, metric)]
    ours = tables[0].methods[0].scores.metrics()
    held = [
        f"{share} % interval {percent(ours[f'coverage_{share}'])}"
        for share in (80, 95)
        if np.isfinite(ours.get(f"coverage_{share}", np.nan))
    ]
    if held:
        found.append(f"Share of what happened that the model's intervals held: {', '.join(held)}.")
    return found


def _winners(table: Table, metric: str) -> list[str]:
    model, *others = table.methods
    if not table.whole:  # on a part of the windows, only what was not on the whole is news
        others = [method for method in others if method.name in NAMES]
    own = model.scores.metrics()[metric]
    here = "here" if table.whole else f"on these {count(len(table.where), 'window')}"
    if not np.isfinite(own):
        return [
            f"The {metric} of the model is not defined {here}: no window has a known truth to measure it by."
        ]
    others = [method for method in others if np.isfinite(method.scores.metrics()[metric])]
    ranked = sorted(others, key=lambda method: method.scores.metrics()[metric])
    if ranked and ranked[0].scores.metrics()[metric] == own:
        return [f"The model and {ranked[0].name} are equally good {here}: {metric} {number(own)}."]
    better = [method for method in ranked if method.scores.metrics()[metric] < own]
    told = better or ranked[:1]
    return [
        _sentence(method, metric, own, here, wins=bool(better), everything=table.whole) for method in told
    ]


def _sentence(method: Method, metric: str, own: float, here: str, *, wins: bool, everything: bool) -> str:
    """One comparison; a difference whose interval holds zero is not called a win."""
    theirs = method.scores.metrics()[metric]
    difference = method.difference
    assert difference is not None  # only the model itself has none
    sign = -1 if wins else 1
    size, ends = sign * difference.estimate, sorted((sign * difference.low, sign * difference.high))
    told = f"difference {number(size)}"
    if np.isfinite(difference.low):
        told += f", 95 % interval {number(ends[0])} to {number(ends[1])}"
    else:
        told += "; too few windows for an interval"
    verb = "is better than" if difference.certain else "is ahead of"
    doubt = "" if difference.certain else ", but the difference may be chance"
    if wins:
        return (
            f"{method.name} {verb} the model {here}{doubt}: "
            f"{metric} {number(theirs)} against {number(own)} ({told})."
        )
    rivals = "every baseline" if everything else " and ".join(NAMES)
    return (
        f"The model {verb} {rivals} {here}{doubt}: {metric} {number(own)} against {number(theirs)} "
        f"of the best of them, {method.name} ({told})."
    )


def left_out(truth: Array, known: Array, quantiles: Array, scale: Array, period: int) -> list[str]:
    """What was not counted: missing truths, forecasts that were not made, series without a MASE."""
    found = []
    missing = int(np.isnan(truth).sum())
    if missing:
        found.append(
            f"{count(missing, 'missing value')} of {truth.size:,} to be forecast could not be counted."
        )
    unmade = int((~np.isfinite(quantiles).all((1, 2))).sum())
    if unmade:
        found.append(
            f"The model gave no forecast in {count(unmade, 'window')}, which no method is judged on."
        )
    blind = int((known.sum(1) == 0).sum())
    if blind:
        found.append(f"{count(blind, 'window')} had nothing to compare, and count for no method.")
    flat = int(np.isnan(scale).sum())
    if flat:
        found.append(
            f"MASE leaves out {count(flat, 'window')} whose series did not change over "
            f"{count(period, 'step')} before the test, or was too short to tell."
        )
    return found
