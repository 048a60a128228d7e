"""The figures of a language model's report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recurra.report.figures import COLOURS, DASHES, HALF, OTHERS, drawing
from recurra.report.numbers import number
from recurra.report.page import Figure

if TYPE_CHECKING:
    from recurra.tasks.language.insight import Memory


def memory(found: Memory, other: str, behind: float, token: str) -> Figure:
    """What it costs to have read only a few tokens; and how many nats another method is behind the model."""
    excess, behind = found.excess / np.log(2), behind / np.log(2)
    with drawing(HALF, 2.8) as drawn:
        axes = drawn.axes
        axes.plot(
            found.read, excess, "o-", color=COLOURS["model"], linewidth=2.2, markersize=4, label="Recurra"
        )
        axes.axhline(behind, color=COLOURS[OTHERS[0]], linestyle=DASHES[0], linewidth=1.4, label=other)
        axes.set_xscale("log", base=2)
        axes.set_xticks(found.read, [str(one) for one in found.read])
        axes.minorticks_off()
        lowest, highest = min(0.0, behind, float(excess.min())), max(behind, float(excess.max()))
        axes.set_ylim(bottom=lowest - 0.06 * (highest - lowest))
        axes.set_xlabel(f"{token}s read, at most")
        axes.set_title(f"Bits per {token} more than with all that came before")
        axes.legend(loc="upper right")
    told = ", ".join(
        f"{number(float(bits))} after {many}" for many, bits in zip(found.read, excess, strict=True)
    )
    return Figure(
        drawn.svg,
        f"Bits per {token} more that the model needs where it has read only the last few {token}s: {told}; "
        f"{other} needs {number(behind)} more.",
        "The model begins at many places, knowing nothing of what came before, and is compared with itself "
        "where it has read the whole text up to there.",
    )
