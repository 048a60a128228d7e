"""Figures as SVG markup in the page's colours, light or dark; matplotlib is loaded when one is drawn."""

from __future__ import annotations

import importlib.util
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

# The page's light colours by the names of its style sheet; inside a page, each becomes that variable.
COLOURS = {
    "ink": "#1b1f24",
    "quiet": "#5a6472",
    "rule": "#d9dde3",
    "model": "#1f5fa8",
    "second": "#b4540a",
    "third": "#2f7d4f",
    "fourth": "#7a4fb0",
    "fifth": "#8a6d00",
}
# Of the methods beside the model, in their order; the marks tell them apart without colour too.
OTHERS = ("second", "third", "fourth", "fifth", "quiet")
DASHES = ("--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 2)))

HALF, WHOLE = 4.6, 9.2  # inches: two or one beside each other on the page

STYLE: Any = {
    "svg.fonttype": "none",  # text stays text: small, searchable, in the page's own font
    "svg.hashsalt": "recurra",  # the same figure, the same markup
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": COLOURS["quiet"],
    "axes.labelcolor": COLOURS["quiet"],
    "axes.titlecolor": COLOURS["ink"],
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": COLOURS["rule"],
    "grid.linewidth": 0.6,
    "text.color": COLOURS["ink"],
    "xtick.color": COLOURS["quiet"],
    "ytick.color": COLOURS["quiet"],
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.5,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


def missing() -> str | None:
    """A sentence to print before a run where matplotlib is not installed; None where it is."""
    if importlib.util.find_spec("matplotlib") is not None:
        return None
    return (
        "The report will have no figures because matplotlib is not installed. "
        "Install it with: pip install 'recurra[all]'."
    )


class Drawing:
    """An empty figure to draw on, and its markup once drawn."""

    def __init__(self, canvas: Canvas, axes: Axes) -> None:
        self.canvas = canvas
        self.axes = axes
        self.svg = ""


@contextmanager
def drawing(width: float = HALF, height: float = 2.6) -> Iterator[Drawing]:
    """Draw on `axes` inside the block; `svg` holds the markup after it. Sizes in inches."""
    import matplotlib  # noqa: PLC0415  # slow to load, and an extra
    from matplotlib.figure import Figure as Canvas  # noqa: PLC0415

    with matplotlib.rc_context(STYLE):
        canvas = Canvas(figsize=(width, height), layout="constrained")
        drawn = Drawing(canvas, canvas.subplots())
        yield drawn
        buffer = io.StringIO()
        canvas.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        drawn.svg = _themed(buffer.getvalue())


def _themed(svg: str) -> str:
    """Turn each of our colours into the page's variable of that name; the colour itself is the fallback."""
    names = {colour: name for name, colour in COLOURS.items()}

    def variable(match: re.Match[str]) -> str:
        colour = match.group(0)
        return f"var(--{names[colour]}, {colour})" if colour in names else colour

    # Only styles know variables, and matplotlib puts every colour of ours into one.
    return re.sub(r"#[0-9a-f]{6}\b(?=[^<]*>)", variable, svg)


def standalone(svg: str) -> str:
    """A figure that stands outside a page, where no variables are known: light colours, on white paper."""
    plain = re.sub(r"var\(--[a-z]+, (#[0-9a-f]{6})\)", r"\1", svg)
    return plain.replace("fill: none", "fill: #ffffff", 1)  # matplotlib draws the paper first
