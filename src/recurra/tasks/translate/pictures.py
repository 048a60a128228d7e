"""The figures of a translator's report."""

from __future__ import annotations

from collections.abc import Sequence

from recurra.data.frequency import Array
from recurra.report.figures import COLOURS, HALF, drawing
from recurra.report.page import Figure

# Inches for each word on an axis, and for the words of the other axis beside it.
WORD, MARGIN = 0.2, 1.3
# Points² of the mark of a weight of 1.
MARK = 150.0


def attention(source: Sequence[str], target: Sequence[str], weights: Array) -> Figure:
    """Which words of the source (S,) each word of the target (T,) was made from: weights (T, S)."""
    rows, columns = weights.nonzero()
    with drawing(max(HALF, MARGIN + WORD * len(source)), MARGIN + WORD * len(target)) as drawn:
        axes = drawn.axes
        axes.scatter(
            columns, rows, s=MARK * weights[rows, columns], marker="s", color=COLOURS["model"], linewidths=0
        )
        axes.set_xticks(range(len(source)), source, rotation=60, ha="left", rotation_mode="anchor")
        axes.set_yticks(range(len(target)), target)
        axes.xaxis.tick_top()
        axes.set_xlim(-0.6, len(source) - 0.4)
        axes.set_ylim(len(target) - 0.4, -0.6)
        axes.set_frame_on(False)
        axes.tick_params(length=0)
    told = "; ".join(
        f"{word} from {source[int(row.argmax())]}" for word, row in zip(target, weights, strict=True)
    )
    return Figure(drawn.svg, f"Which words were attended to most: {told}.")


def by_length(lengths: Sequence[str], scores: Sequence[float], name: str, of: str) -> Figure:
    """A score by how long the source is."""
    with drawing(HALF, 2.4) as drawn:
        axes = drawn.axes
        axes.plot(range(len(scores)), scores, "o-", color=COLOURS["model"])
        axes.set_xticks(range(len(scores)), lengths)
        axes.set_ylim(bottom=0)
        axes.set_xlabel(f"{of} of the source")
        axes.set_title(f"{name} by length")
    told = ", ".join(f"{score:.1f} for {many}" for many, score in zip(lengths, scores, strict=True))
    return Figure(drawn.svg, f"{name} by the {of} of the source: {told}.")
