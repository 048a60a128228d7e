"""Many streams through one layer, a step a call: Recurra's slots beside torch.nn's cells.

python benchmarks/streams.py          # some minutes on 2 cores; writes docs/results.md
python benchmarks/streams.py --quick  # a try of everything in seconds; prints, and writes nothing
python benchmarks/streams.py --table  # only writes docs/results.md again from benchmarks/streams.json

Rivals take turns in one process, on as many threads each. Where a state of ours differs from torch.nn's by
more than rounding, nothing is reported.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from layers.core import CORE, fma_peak
from layers.surroundings import surroundings
from layers.targets import Target, number, targets_table
from layers.timing import FULL, QUICK, Effort, interleaved, medians, threads
from recurra import nn
from recurra.stream import LayerPool
from results import keep, load, table, write_section

RESULTS = Path(__file__).with_suffix(".json")
TOLERANCE = 1e-5
RIVALS = {"apart": "states stacked and unstacked", "ready": "a ready batch"}
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
Found = dict[str, Any]


class Shape(NamedTuple):
    """So many streams of a layer with I inputs and H units, and how many of them go on at each call."""

    cell: str
    streams: int
    inputs: int
    units: int
    stepped: int

    @property
    def name(self) -> str:
        return f"{self.cell}({self.inputs}, {self.units}), {self.stepped:,} of {self.streams:,}"


AIM = Shape("GRU", 10_000, 32, 128, 10_000)
SHAPES = (
    AIM,
    Shape("GRU", 10_000, 32, 128, 1_000),
    Shape("GRU", 10_000, 32, 128, 64),
    Shape("GRU", 10_000, 32, 128, 1),
    Shape("LSTM", 10_000, 32, 128, 10_000),
    Shape("RNN", 10_000, 32, 128, 10_000),
    Shape("GRU", 10_000, 8, 32, 10_000),
    Shape("GRU", 2_000, 256, 512, 2_000),
)
# Times as fast as torch.nn's cell, for the first shape; and steps a second.
GOALS = {"apart": 5.0, "ready": 3.5}
STEPS_GOAL = 1.75e6
INTRODUCTION = """## Many streams

Streams of one layer, each with a state of its own, of which some go one step further in a call:
`recurra.stream.LayerPool` beside torch.nn's cell with the same weights, `python benchmarks/streams.py`
({processor}; {machine}; {instructions}; {threads}).
Ours takes the streams in any order, from their slots and back. torch.nn's cell has its states in a tensor for
each stream, which are stacked before a step and unstacked after it; or as one batch that is ready, and stays
so in its order. All are in `torch.inference_mode`; the rivals take turns, in alternating order; times are
medians of {samples} samples of {milliseconds:.0f} ms or one call. The share of the peak counts the operations
of the products alone, against nothing but fused multiply-adds on as many threads ({peak} Gflop/s here). The
targets were set before the code was written.

"""


class Ours:
    """A pool whose streams are all open, some of them going on at each call."""

    def __init__(self, layer: Any, shape: Shape, x: Tensor, which: Tensor) -> None:
        self.pool, self.x, self.which = LayerPool(layer, shape.streams), x, which
        for _ in range(shape.streams):
            self.pool.open()

    def __call__(self) -> Tensor:
        return self.pool.step(self.which, self.x)


class Apart:
    """torch.nn's cell, the state of each stream in tensors of its own."""

    def __init__(self, cell: Any, shape: Shape, x: Tensor, which: Tensor) -> None:
        self.cell, self.x, self.which = cell, x, which.tolist()
        parts = 2 if shape.cell == "LSTM" else 1
        self.states = [[torch.zeros(shape.units) for _ in range(shape.streams)] for _ in range(parts)]

    def __call__(self) -> Tensor:
        state = tuple(torch.stack([part[slot] for slot in self.which]) for part in self.states)
        new = self.cell(self.x, state if len(state) > 1 else state[0])
        for part, tensor in zip(self.states, new if len(state) > 1 else (new,), strict=True):
            for slot, row in zip(self.which, tensor.unbind(), strict=True):
                part[slot] = row
        y: Tensor = new[0] if len(state) > 1 else new
        return y


class Ready:
    """torch.nn's cell, each call from the last one's state."""

    def __init__(self, cell: Any, shape: Shape, x: Tensor, _: Tensor) -> None:
        self.cell, self.x = cell, x
        state = tuple(torch.zeros(shape.stepped, shape.units) for _ in range(1 + (shape.cell == "LSTM")))
        self.state: Any = state if len(state) > 1 else state[0]

    def __call__(self) -> Tensor:
        self.state = self.cell(self.x, self.state)
        y: Tensor = self.state[0] if isinstance(self.state, tuple) else self.state
        return y


def measure(effort: Effort) -> Found:
    """Seconds of a call of each shape and rival, and the machine's peak where it can be told."""
    peaks, rows = [fma_peak(0.1 if effort.quick else 1.0)], []
    with torch.inference_mode():
        for shape in SHAPES:
            rows.append({"shape": shape._asdict(), "seconds": interleaved(_rivals(shape), effort)})
            print(shape.name, flush=True)
    peaks.append(fma_peak(0.1 if effort.quick else 1.0))
    return {"rows": rows, "peak": max((peak for peak in peaks if peak is not None), default=None)}


def _rivals(shape: Shape) -> dict[str, Any]:
    """Each as a call, after some steps that all agree on."""
    torch.manual_seed(5)
    layer = getattr(nn, shape.cell)(shape.inputs, shape.units)
    cell = getattr(torch.nn, f"{shape.cell}Cell")(shape.inputs, shape.units)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    x, which = torch.randn(shape.stepped, shape.inputs), torch.randperm(shape.streams)[: shape.stepped]
    rivals: dict[str, Any] = {
        "apart": Apart(cell, shape, x, which),
        "ready": Ready(cell, shape, x, which),
        "ours": Ours(layer, shape, x, which),
    }
    for _ in range(3):
        outputs = {name: rival() for name, rival in rivals.items()}
    for name in RIVALS:
        if not (error := float((outputs["ours"] - outputs[name]).abs().max())) <= TOLERANCE:
            raise SystemExit(f"no figures are reported: {shape.name} is off by {error:.1e}")
    return rivals


def times_as_fast(row: Found, rival: str) -> float:
    times = medians(row["seconds"])
    return times[rival] / times["ours"]


def targets(found: Found) -> Iterable[Target]:
    """What was aimed at, for the first shape."""
    row = next(row for row in found["rows"] if Shape(**row["shape"]) == AIM)
    for rival, words in RIVALS.items():
        yield Target(f"{AIM.name}, against torch's cell, {words}", GOALS[rival], times_as_fast(row, rival))
    steps = AIM.stepped / medians(row["seconds"])["ours"]
    yield Target(f"{AIM.name}, steps in a second", STEPS_GOAL / 1e6, steps / 1e6, "million")


def tables(found: Found) -> str:
    """Microseconds of a call, steps a second, and ratios."""
    rows = []
    for row in found["rows"]:
        shape, times = Shape(**row["shape"]), medians(row["seconds"])
        products = 2 * GATES[shape.cell] * shape.units * (shape.inputs + shape.units) * shape.stepped
        share = products / times["ours"] / 1e9 / found["peak"] if found["peak"] else None
        rows.append(
            [
                shape.name,
                *(number(1e6 * times[name]) for name in ("apart", "ready", "ours")),
                *(f"**{number(times_as_fast(row, rival))}**" for rival in RIVALS),
                number(shape.stepped / times["ours"] / 1e6),
                "unknown" if share is None else f"{share:.0%}",
            ]
        )
    header = [
        "layer, and streams that go on",
        "torch's cell, stacked and unstacked, µs",
        "on a ready batch, µs",
    ]
    header += ["ours, µs", "× stacked", "× ready", "million steps a second", "of peak"]
    return table(header, rows)


def page(found: Found) -> str:
    """The section of docs/results.md."""
    made = found["made_on"]
    text = INTRODUCTION.format(
        **{**made, "threads": f"{made['threads']} thread{'s' * (made['threads'] > 1)}"},
        milliseconds=1e3 * made["sample_seconds"],
        peak=f"{found['peak']:,.0f}" if found["peak"] else "unknown",
    )
    return f"{text}{targets_table(targets(found))}\n\n{tables(found)}"


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few samples; print, and write nothing")
    parser.add_argument("--table", action="store_true", help="only write the page again")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="default: one for each core")
    given = parser.parse_args()
    if given.table:
        write_section("streams", page(load(RESULTS)["streams"]))
        return
    if CORE is None:
        parser.error("expected the compiled core, recurra._core, got none. Build it: make install.")
    effort = QUICK if given.quick else FULL
    with threads(given.threads):
        found = measure(effort)
        found["made_on"] = surroundings(effort)
    if given.quick:
        print(page(found))
        return
    keep(RESULTS, "streams", found)
    write_section("streams", page(found))


if __name__ == "__main__":
    main()
