"""One step of one row, called from Python on one thread: our compiled step, torch.nn's cell, ONNX Runtime."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from layers.core import CORE
from layers.onnx_step import STATES, OnnxStep
from layers.targets import Target, number
from layers.timing import Call, Effort, interleaved, medians, threads
from results import table

UNITS = (32, 64, 128, 256, 512, 1024)
RIVALS = {"torch": "torch's cell", "onnx": "ONNX Runtime"}
# Times as fast as torch.nn's cell and as ONNX Runtime.
GOALS = {32: (50, 18), 64: (15, 5), 128: (5, 2), 256: (2.4, 1.4), 512: (1.5, 1.1), 1024: (4, 1.8)}
NARROW_GOAL, NARROW_FROM = 1.6, 512
TOLERANCE = 1e-5
ERROR_AFTER = (20, 1000)
Found = dict[str, Any]


class OurStep:
    """recurra's compiled step for a cell of torch.nn's, batch 1: input and state are written in place."""

    def __init__(self, cell: Any, x: Tensor, state: tuple[Tensor, ...], *, narrow: bool = False) -> None:
        """x (1, I); state: (1, H) each.  narrow: weights in bfloat16."""
        self._kind = type(cell).__name__.removesuffix("Cell")
        units, inputs = cell.hidden_size, cell.input_size
        parts = (cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh)
        weights = (*(part.data_ptr() for part in parts), 0, 0)
        self.call = CORE.Step(self._kind.lower(), False, narrow, inputs, units, units, 1, [weights])
        self.x = _floats(self.call.x, inputs)
        self.x[:] = x.numpy()[0]
        for name, given in zip(STATES[self._kind], state, strict=True):
            _floats(getattr(self.call, name)(0), units)[:] = given.numpy()[0]
        self._h = _floats(self.call.h(0), units)

    def h(self) -> Tensor:
        """The state after the last call, (1, H)."""
        return torch.from_numpy(self._h.copy())[None]


def _floats(address: int, count: int) -> Any:
    return np.ctypeslib.as_array((ctypes.c_float * count).from_address(address))


class TorchStep:
    """torch.nn's cell, each call from the last one's state."""

    def __init__(self, cell: torch.nn.Module, x: Tensor, state: tuple[Tensor, ...]) -> None:
        self.cell, self.x = cell, x
        self.state: Any = state if len(state) > 1 else state[0]

    def __call__(self) -> None:
        self.state = self.cell(self.x, self.state)

    def h(self) -> Tensor:
        """The state after the last call, (1, H)."""
        h: Tensor = self.state[0] if isinstance(self.state, tuple) else self.state
        return h


def measure(effort: Effort) -> Found:
    """Seconds of a step of each cell, width and side, and how far bfloat16 weights lead off."""
    with threads(1), torch.inference_mode():
        rows = [_one(kind, units, effort) for kind in STATES for units in UNITS]
    return {"rows": rows}


def cell_and_input(kind: str, units: int) -> tuple[Any, Tensor, tuple[Tensor, ...]]:
    """A cell with as many inputs as units, an input and a state."""
    torch.manual_seed(3)
    cell = getattr(torch.nn, f"{kind}Cell")(units, units)
    return cell, torch.randn(1, units), tuple(0.5 * torch.randn(1, units) for _ in STATES[kind])


def _one(kind: str, units: int, effort: Effort) -> Found:
    cell, x, state = cell_and_input(kind, units)
    theirs, onnx = TorchStep(cell, x, state), OnnxStep(cell, x, state, threads=1)
    ours, narrow = (OurStep(cell, x, state, narrow=flag) for flag in (False, True))
    rivals: dict[str, Call] = {"torch": theirs, "onnx": onnx, "ours": ours.call, "bfloat16": narrow.call}
    for call in (*rivals.values(), *rivals.values()):
        call()
    for name, side in (("ours", ours), ("ONNX Runtime's", onnx)):
        if not (error := float((side.h() - theirs.h()).abs().max())) <= TOLERANCE:
            raise SystemExit(f"no figures are reported: {name} {kind} step of {units} is off by {error:.1e}")
    found = {"cell": kind, "units": units, "seconds": interleaved(rivals, effort)}
    print(f"one step of {kind}({units})", flush=True)
    return found | {"bfloat16_error": _narrow_errors(kind, units)}


def _narrow_errors(kind: str, units: int) -> dict[str, float]:
    """The largest error in h of bfloat16 weights, after some steps of normal inputs, against float64."""
    cell, x, state = cell_and_input(kind, units)
    narrow = OurStep(cell, x, state, narrow=True)
    exact = TorchStep(cell.double(), x.double(), tuple(s.double() for s in state))
    errors = {}
    for step in range(1, max(ERROR_AFTER) + 1):
        x = torch.randn(1, units)
        narrow.x[:] = x.numpy()[0]
        exact.x = x.double()
        narrow.call()
        exact()
        if step in ERROR_AFTER:
            errors[str(step)] = float((narrow.h() - exact.h()).abs().max())
    return errors


def times_as_fast(row: Found, rival: str) -> float:
    """Ours against a rival; bfloat16 weights against float32's."""
    times = medians(row["seconds"])
    return times["ours"] / times["bfloat16"] if rival == "bfloat16" else times[rival] / times["ours"]


def targets(found: Found) -> Iterable[Target]:
    """For each cell and rival the width that is furthest behind its goal; the table has the others."""
    for kind in STATES:
        rows = [row for row in found["rows"] if row["cell"] == kind]
        for k, (rival, words) in enumerate(RIVALS.items()):
            row = min(rows, key=lambda row: times_as_fast(row, rival) / GOALS[row["units"]][k])
            what = f"one step, {kind}, against {words}, of all widths the last: H = {row['units']}"
            yield Target(what, GOALS[row["units"]][k], times_as_fast(row, rival))
        wide = [row for row in rows if row["units"] >= NARROW_FROM]
        row = min(wide, key=lambda row: times_as_fast(row, "bfloat16"))
        what = f"one step, {kind}, bfloat16 against float32 weights, worst: H = {row['units']}"
        yield Target(what, NARROW_GOAL, times_as_fast(row, "bfloat16"))


def tables(found: Found) -> str:
    """Microseconds of a step, ratios beside their targets, and what bfloat16 costs in accuracy."""
    rows = []
    for row in found["rows"]:
        us = {name: number(1e6 * seconds) for name, seconds in medians(row["seconds"]).items()}
        line = [f"{row['cell']}, {row['units']}", us["torch"], us["onnx"], us["ours"]]
        for rival, goal in zip(RIVALS, GOALS[row["units"]], strict=True):
            line.append(f"**{number(times_as_fast(row, rival))}** (≥ {goal})")
        least = f" (≥ {NARROW_GOAL})" if row["units"] >= NARROW_FROM else ""
        line += [us["bfloat16"], f"**{number(times_as_fast(row, 'bfloat16'))}**{least}"]
        line.append(" / ".join(f"{error:.1e}" for error in row["bfloat16_error"].values()))
        rows.append(line)
    header = ["cell, H = I", "torch's cell, µs", "ONNX Runtime, µs", "ours, µs", "× torch", "× ONNX Runtime"]
    after = " / ".join(f"{steps:,}" for steps in ERROR_AFTER)
    header += ["bfloat16 weights, µs", "× float32", f"largest error of h after {after} steps"]
    return table(header, rows)
