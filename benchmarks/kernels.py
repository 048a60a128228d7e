"""Recurra's layers on the CPU against torch.nn's and ONNX Runtime: speed, memory, accuracy, single steps.

python benchmarks/kernels.py              # all parts, about half an hour on 2 cores; writes docs/results.md
python benchmarks/kernels.py --only step  # one part; the others stay as they were measured
python benchmarks/kernels.py --quick      # a try of everything in minutes; prints, and writes nothing
python benchmarks/kernels.py --table      # only writes docs/results.md again from benchmarks/kernels.json

Rivals take turns in one process, on as many threads each. Where a result of ours differs from torch.nn's by
more than rounding, nothing is reported.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from layers import accuracy, memory, one_step, overhead, speed
from layers.core import CORE
from layers.surroundings import surroundings
from layers.targets import Target, targets_table
from layers.timing import FULL, QUICK, Effort, threads
from results import keep, load, write_section

RESULTS = Path(__file__).with_suffix(".json")
Found = dict[str, Any]


class Part(NamedTuple):
    """One kind of measurement: how it is made, what it was to reach, how it prints, and what to say of it."""

    title: str
    about: str
    measure: Callable[[Effort], Found]
    targets: Callable[[Found], Iterable[Target]]
    tables: Callable[[Found], str]


PARTS = {
    "speed": Part(
        "Training and inference",
        "A training step is forward and backward, to the weights and to the input; inference is the forward "
        "pass in `torch.inference_mode`. × is torch's time over ours. The share of the peak counts the "
        "operations of the products alone, against nothing but fused multiply-adds on as many threads "
        "({peak} Gflop/s here). Ragged batches are packed and padded again on torch's side.",
        speed.measure,
        speed.targets,
        speed.tables,
    ),
    "ragged": Part(
        "Ragged batches",
        "Lengths are uniform from 1 to T. Ours takes `lengths`; torch's side packs the rows, runs and pads "
        "them again, which is what it asks of its user. The share of the peak counts steps that exist.",
        speed.measure_ragged,
        speed.ragged_targets,
        speed.tables,
    ),
    "memory": Part(
        "Memory of a training step",
        "In a process of its own: the most that it holds during a training step, of three, beyond what it "
        "held before the first, less outputs and gradients. What Recurra keeps for the next step is in it.",
        memory.measure,
        memory.targets,
        memory.tables,
    ),
    "step": Part(
        "One step",
        "One row, one step, one thread on every side, called from Python; the state goes from step to step. "
        "Ours is `recurra._core.Step`, torch's is `GRUCell` and `LSTMCell` in `torch.inference_mode`, and "
        "ONNX Runtime ({onnxruntime}) has input and states bound once.",
        one_step.measure,
        one_step.targets,
        one_step.tables,
    ),
    "error": Part(
        "Error of float32",
        "The largest absolute error in outputs and last states, over random shapes of up to 32 rows and 256 "
        "steps with no more inputs than units, inputs from a normal distribution and torch.nn's initial "
        "weights; against torch.nn in float64 with the same weights, in units of eps = 2⁻²³.",
        accuracy.measure,
        accuracy.targets,
        accuracy.tables,
    ),
    "overhead": Part(
        "Overhead of a call",
        "A layer of one unit and one input, called with one row of one step.",
        overhead.measure,
        overhead.targets,
        overhead.tables,
    ),
}
INTRODUCTION = """## Layers on the CPU

Recurra's layers beside torch.nn's with the same weights: `make bench`, or `python benchmarks/kernels.py`
({processor}; {machine}; {instructions}; {threads}, unless a part says otherwise).
The rivals take turns in one process, in alternating order and with the same number of threads; times are
medians of {samples} samples of {milliseconds:.0f} ms or one call. Before anything is timed, outputs and
gradients are compared with torch.nn's. The targets were set before the code was written.

"""


def page(results: dict[str, Found]) -> str:
    """The section of docs/results.md: all targets, then each part's tables."""
    present = {name: part for name, part in PARTS.items() if name in results}
    first = results[next(iter(present))]["made_on"]
    count = first["threads"]
    text = INTRODUCTION.format(
        **{**first, "threads": f"{count} thread{'s' * (count > 1)}"},
        milliseconds=1e3 * first["sample_seconds"],
    )
    text += targets_table(target for name, part in present.items() for target in part.targets(results[name]))
    for name, part in present.items():
        found = results[name]
        peak = f"{max(found['peak']):,.0f}" if found.get("peak") else "unknown"
        about = part.about.format(peak=peak, **found["made_on"])
        elsewhere = found["made_on"]["processor"] != first["processor"]
        about += f" Made on {found['made_on']['processor']}." if elsewhere else ""
        text += f"\n\n### {part.title}\n\n{about}\n\n{part.tables(found)}"
    return text


def main() -> None:
    """Measure the parts that are asked for, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="these parts")
    parser.add_argument("--quick", action="store_true", help="few samples; print, and write nothing")
    parser.add_argument("--table", action="store_true", help="only write the page again")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="default: one for each core")
    given = parser.parse_args()
    if given.table:
        write_section("layers", page(load(RESULTS)))
        return
    if CORE is None and not given.quick:
        parser.error("expected the compiled core, recurra._core, got none. Build it: make install.")
    effort, results = QUICK if given.quick else FULL, {}
    with threads(given.threads):
        for name in given.only:
            made_on = surroundings(effort) | {"onnxruntime": version("onnxruntime")}
            found = PARTS[name].measure(effort) | {"made_on": made_on}
            results[name] = found
            if not given.quick:
                keep(RESULTS, name, found)
    if given.quick:
        print(page(results))
    else:
        write_section("layers", page(load(RESULTS)))


if __name__ == "__main__":
    main()
