"""How far float32 lies from float64: ours and torch.nn's, over random shapes."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from statistics import median
from typing import Any

import torch

from layers.pairs import Pair
from layers.shapes import CELLS, Shape
from layers.targets import Target, number
from layers.timing import Effort
from results import table

EPS = 2.0**-23
GOALS = {"LSTM": 1.5, "GRU": 2.5, "RNN": 4.0}
# Units from … to. The errors grow with the number of products in a sum, whoever adds them up.
BANDS = {"8 to 64": (8, 64), "65 to 512": (65, 512)}
SHAPES = 40  # in each band
Found = dict[str, Any]


def measure(effort: Effort) -> Found:
    """For each cell and shape, the largest absolute error in y and in the last states, in units of 2^-23."""
    dice = random.Random(4)
    drawn = [
        (band, _shape(dice, *ends))
        for band, ends in BANDS.items()
        for _ in range(4 if effort.quick else SHAPES)
    ]
    return {"rows": [{"band": band} | _errors(cell, shape) for cell in CELLS for band, shape in drawn]}


def _shape(dice: random.Random, least: int, most: int) -> Shape:
    """Sizes that are small as often as large; no more inputs than units, as initial weights expect."""
    units = _between(dice, least, most)
    rows, steps, inputs = (_between(dice, 1, top) for top in (32, 256, units))
    return Shape(rows, steps, inputs, units, "drawn", bidirectional=dice.random() < 0.25)


def _between(dice: random.Random, least: int, most: int) -> int:
    return round(math.exp(dice.uniform(math.log(least), math.log(most))))


def _errors(cell: str, shape: Shape) -> Found:
    pair = Pair.of(cell, shape)
    # The same weights and inputs, which float64 holds exactly.
    exact = getattr(torch.nn, cell)(shape.inputs, shape.units, bidirectional=shape.bidirectional).double()
    exact.load_state_dict(pair.theirs.state_dict())
    with torch.inference_mode():
        truth = _values(exact(pair.x.double()))
        found = {name: _values(forward()) for name, (_, forward) in pair.sides.items()}
    errors = {name: _largest(values, truth) / EPS for name, values in found.items()}
    return {"cell": cell, "shape": shape.name, **errors}


def _values(found: tuple[torch.Tensor, Any]) -> list[torch.Tensor]:
    y, state = found
    return [y, *((state,) if isinstance(state, torch.Tensor) else state)]


def _largest(values: list[torch.Tensor], truth: list[torch.Tensor]) -> float:
    return max(float((value - true).abs().max()) for value, true in zip(values, truth, strict=True))


def errors(found: Found, cell: str, band: str, side: str) -> list[float]:
    """The largest error in each shape."""
    return [row[side] for row in found["rows"] if (row["cell"], row["band"]) == (cell, band)]


def targets(found: Found) -> Iterable[Target]:
    """The worst of each cell, in each band."""
    for cell, goal in GOALS.items():
        for band in BANDS:
            theirs = number(max(errors(found, cell, band, "torch")))
            what = f"{cell}, largest error of float32 against float64, {band} units (torch.nn: {theirs})"
            yield Target(what, goal, max(errors(found, cell, band, "ours")), "eps of 2⁻²³", most=True)


def tables(found: Found) -> str:
    """The worst and the median over the shapes, beside torch.nn's."""
    rows = []
    for cell in CELLS:
        for band in BANDS:
            sides = [errors(found, cell, band, side) for side in ("ours", "torch")]
            figures = [number(figure(side)) for figure in (max, median) for side in sides]
            rows.append([f"{cell}, {band} units", str(len(sides[0])), *figures])
    header = ["cell", "shapes", "worst: ours, eps", "torch.nn, eps", "median: ours, eps", "torch.nn, eps"]
    return table(header, rows)
