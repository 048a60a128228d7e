"""The figures of a classifier's report."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.report.figures import COLOURS, DASHES, HALF, OTHERS, drawing
from recurra.report.numbers import percent
from recurra.report.page import Figure
from recurra.tasks.classify.metrics import Outcome, reliability

if TYPE_CHECKING:
    from recurra.tasks.classify.evaluate import Detail, Method

Array = np.ndarray[Any, np.dtype[Any]]

# Channels and classes that can be told apart in one figure.
MOST_CHANNELS, MOST_CLASSES = 3, 4
# Points of a curve over examples or steps.
POINTS = 200
HEIGHT = 2.8


def calibration(detail: Detail) -> Figure:
    """How often answers are right, by how sure they are, with the temperature and without it."""
    several = detail.outcome.several
    sides = [("as given", detail.outcome, "model", "-", "o")]
    if detail.temperature != 1.0:
        plain = Outcome.of(detail.truth, detail.before, several=several)
        sides.append(("without the temperature", plain, "second", "--", "s"))
    told, low = [], 1.0
    with drawing(HALF, HEIGHT) as drawn:
        axes = drawn.axes
        axes.plot([0, 1], [0, 1], color=COLOURS["quiet"], linewidth=0.8)
        for label, outcome, colour, line, mark in reversed(sides):
            bins = reliability(outcome.confidence, outcome.correct, equal_mass=True)
            axes.plot(
                bins.confidence,
                bins.accuracy,
                color=COLOURS[colour],
                linestyle=line,
                marker=mark,
                markersize=4,
                label=label,
            )
            low = min(low, float(bins.confidence.min()), float(bins.accuracy.min()))
            told.append(f"{label}: {percent(bins.error)} apart on average")
        axes.set_xlim(max(0.0, low - 0.05), 1.02)
        axes.set_ylim(max(0.0, low - 0.05), 1.02)
        _percents(axes)
        axes.set_xlabel("chance given to a label" if several else "how sure the answer was")
        axes.set_title("Share that was so" if several else "Share that was right")
        axes.legend(loc="upper left")
    return Figure(
        drawn.svg,
        f"Calibration, {'; '.join(reversed(told))}.",
        "On the line is right; below it, answers are too sure. Each point stands for as many examples.",
    )


def _percents(axes: Any) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: _tick(value))


def _tick(share: float) -> str:
    """A share as it stands at an axis, with decimals where steps are as small as that; none above 1."""
    return f"{round(100 * share, 2):g} %" if share <= 1 + 1e-9 else ""


def coverage(methods: Sequence[Method]) -> Figure:
    """Accuracy of the surest answers, by the share of examples that is answered."""
    told = []
    lowest = 1.0
    with drawing(HALF, HEIGHT) as drawn:
        axes = drawn.axes
        for i, method in enumerate(methods):
            outcome = method.outcome
            order = np.argsort(-outcome.confidence, kind="stable")
            many = np.arange(1, len(order) + 1)
            right = np.cumsum(outcome.correct[order]) / many
            # The first few answers are too few for a share.
            start = min(len(many) - 1, max(4, len(many) // 50))
            at = np.unique(np.linspace(start, len(many) - 1, POINTS).astype(int))
            axes.plot(many[at] / len(many), right[at], label=method.name, **line(i))
            lowest = min(lowest, float(right[at].min()))
            half = right[max(start, (len(many) - 1) // 2)]
            told.append(
                f"{method.name} {percent(float(half))} for the surest half, {percent(right[-1])} of all"
            )
        axes.set_ylim(max(0.0, lowest - 0.1 * (1.02 - lowest)), 1 + 0.04 * (1.02 - lowest))
        _percents(axes)
        axes.set_xlabel("share of the examples answered, the surest first")
        axes.set_title("Accuracy of these answers")
        axes.legend(loc="best")
    return Figure(
        drawn.svg,
        f"Accuracy by the share that is answered: {'; '.join(told)}.",
        "Leaving the least sure to a person raises the accuracy of the rest.",
    )


def line(place: int) -> dict[str, Any]:
    """The first line is solid and thick; the others differ in colour and in dashes."""
    if place == 0:
        return {"color": COLOURS["model"], "linewidth": 2.2}
    i = (place - 1) % len(OTHERS)
    return {"color": COLOURS[OTHERS[i]], "linestyle": DASHES[i], "linewidth": 1.4}


def series(x: Array, names: Sequence[str], weight: Array, title: str, caption: str) -> Figure:
    """A sequence (T, C), and behind it what speaks for (blue) and against (hatched) the class chosen.

    weight: (T,) from -1 to 1.
    """
    steps = np.arange(len(x))
    # Those that vary most where it was decided show why.
    moved = (np.abs(x - x.mean(0)) * (np.abs(weight)[:, None] + 1e-9)).sum(0)
    shown = np.sort(np.argsort(-moved, kind="stable")[:MOST_CHANNELS])
    with drawing(HALF, 2.3) as drawn:
        axes = drawn.axes
        for begin, end, mean in _stretches(weight):
            colour = COLOURS["model" if mean > 0 else "second"]
            axes.axvspan(begin - 0.5, end - 0.5, color=colour, alpha=0.08 + 0.32 * abs(mean), linewidth=0)
            if mean < 0:
                axes.axvspan(
                    begin - 0.5,
                    end - 0.5,
                    facecolor="none",
                    edgecolor=COLOURS["quiet"],
                    hatch="//",
                    alpha=0.5,
                    linewidth=0,
                )
        for i, channel in enumerate(shown):
            style = {"color": COLOURS["ink"], "linewidth": 1.3} if i == 0 else line(i) | {"linewidth": 1.0}
            axes.plot(steps, x[:, channel], label=names[channel], **style)
        axes.set_title(title)
        axes.set_xlabel("step")
        axes.locator_params(axis="x", integer=True)
        axes.margins(x=0.01)
        if len(shown) > 1:
            axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(shown), borderaxespad=0)
    peak = int(np.argmax(np.abs(weight)))
    alt = f"{title}: {len(x)} steps of {', '.join(names[channel] for channel in shown)}; "
    return Figure(drawn.svg, f"{alt}what decided most is around step {peak}.", caption)


def _stretches(weight: Array) -> list[tuple[int, int, float]]:
    """Runs of steps of about the same weight, in tenths, that is not small: from, to, mean."""
    level = np.round(weight * 10).astype(int)
    edges = [0, *(np.flatnonzero(np.diff(level)) + 1).tolist(), len(level)]
    runs = [(a, b, float(level[a]) / 10) for a, b in pairwise(edges)]
    return [run for run in runs if abs(run[2]) >= 0.2]


def running(chance: Array, classes: Sequence[str], title: str, marks: Sequence[str], caption: str) -> Figure:
    """Class probabilities (T, K) after each step; `marks` name the steps where there are few."""
    best = np.argsort(-chance.max(0) - chance[-1], kind="stable")[:MOST_CLASSES]
    best = best[np.argsort(-chance[-1, best], kind="stable")]
    at = np.unique(np.linspace(0, len(chance) - 1, POINTS).astype(int))
    with drawing(HALF, 2.6) as drawn:
        axes = drawn.axes
        for i, k in enumerate(best):
            dots: dict[str, Any] = {"marker": "o", "markersize": 3} if len(at) <= 30 else {}
            axes.plot(at, chance[at, k], label=_short(classes[k]), **line(i), **dots)
        axes.set_ylim(-0.03, 1.03)
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
        axes.set_title(title)
        if 0 < len(marks) <= 30:
            turned = max(len(mark) for mark in marks) > 1
            axes.set_xticks(range(len(marks)), list(marks), rotation=60 if turned else 0)
            if turned:
                for label in axes.get_xticklabels():
                    label.set_horizontalalignment("right")
                    label.set_rotation_mode("anchor")
        else:
            axes.set_xlabel("step")
        axes.legend(loc="best")
    ends = ", ".join(f"{classes[k]} {percent(float(chance[-1, k]))}" for k in best)
    return Figure(drawn.svg, f"{title}: chances of the classes after each step; at the end {ends}.", caption)


def _short(name: str) -> str:
    return name if len(name) <= 24 else name[:23] + "…"
