"""What a call of a layer costs by itself: one row, one step, one input, one unit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from layers.pairs import Pair
from layers.shapes import CELLS, Shape
from layers.targets import Target, number
from layers.timing import Call, Effort, interleaved, medians
from results import table

NOTHING = Shape(1, 1, 1, 1, "nothing to compute")
GOAL = 30.0
KINDS = {
    "inference": "in inference_mode",
    "forward": "with gradients wanted",
    "training": "forward and backward",
}
Found = dict[str, Any]


def measure(effort: Effort) -> Found:
    """Seconds of a call of each cell, kind and side."""
    rows = []
    for cell in CELLS:
        pair = Pair.of(cell, NOTHING)
        forward: dict[str, Call] = {name: side[1] for name, side in pair.sides.items()}
        calls = {"inference": pair.inference(), "forward": forward, "training": pair.training()}
        rows += [{"cell": cell, "kind": kind, "seconds": interleaved(calls[kind], effort)} for kind in KINDS]
    return {"rows": rows}


def targets(found: Found) -> Iterable[Target]:
    """The slowest cell's forward call, with and without gradients."""
    for kind in ("inference", "forward"):
        calls = [row for row in found["rows"] if row["kind"] == kind]
        row = max(calls, key=lambda row: medians(row["seconds"])["ours"])
        what = f"call overhead of a layer, {KINDS[kind]}, worst: {row['cell']}"
        yield Target(what, GOAL, 1e6 * medians(row["seconds"])["ours"], "µs", most=True)


def tables(found: Found) -> str:
    """Microseconds of each call, ours and torch.nn's."""
    rows = []
    for cell in CELLS:
        line = [cell]
        for row in found["rows"]:
            if row["cell"] == cell:
                times = medians(row["seconds"])
                line.append(" / ".join(number(1e6 * times[side]) for side in ("ours", "torch")))
        rows.append(line)
    return table(["µs, ours / torch.nn", *KINDS.values()], rows)
