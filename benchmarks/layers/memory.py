"""The memory that a training step takes beyond inputs and outputs, in each mode and in torch.nn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from layers.pairs import Pair
from layers.probe import Sizes, measured
from layers.shapes import CELLS, Shape
from layers.targets import Target, number
from layers.timing import Effort, geometric_mean, interleaved, medians
from results import table

MODES = ("stored", "recomputed", "checkpointed")
SIZES: tuple[Sizes, ...] = ((32, 256, 256, 256), (64, 128, 512, 512), (32, 1024, 128, 128))
LONG: Sizes = (8, 16_384, 64, 64)
QUICK_SIZES, QUICK_LONG = SIZES[:1], (4, 4096, 64, 64)
GOALS = {"stored": 0.65, "recomputed": 0.30}
LONG_GOAL, TIME_GOAL = 1 / 20, 1.4
Found = dict[str, Any]


def measure(effort: Effort) -> Found:
    """Bytes at the peak and kept of each cell, shape and mode; seconds of each mode where T is long."""
    rows, times = [], {}
    long = QUICK_LONG if effort.quick else LONG
    for cell in CELLS:
        for sizes in (*(QUICK_SIZES if effort.quick else SIZES), long):
            sides: list[tuple[str, str | None]] = [("torch", None), *(("ours", mode) for mode in MODES)]
            found = {
                mode or side: measured(cell, sizes, side, mode, torch.get_num_threads())
                for side, mode in sides
            }
            rows.append({"cell": cell, "sizes": sizes, "long": sizes == long, "bytes": found})
            print(f"memory of {cell}({sizes})", flush=True)
        rivals = {mode: Pair.of(cell, Shape(*long), memory=mode).training()["ours"] for mode in MODES}
        times[cell] = interleaved(rivals, effort)
    return {"rows": rows, "long_seconds": times}


def against_torch(row: Found, mode: str) -> float:
    """The part of torch.nn's memory that a mode takes."""
    return float(row["bytes"][mode]["peak"] / row["bytes"]["torch"]["peak"])


def targets(found: Found) -> Iterable[Target]:
    """The worst shape of each mode, and what a long sequence takes when checkpointed."""
    usual = [row for row in found["rows"] if not row["long"]]
    for mode, goal in GOALS.items():
        worst = max(usual, key=lambda row: against_torch(row, mode))
        what = f"memory of a training step against torch.nn, {mode}, worst: {worst['cell']}({_sizes(worst)})"
        yield Target(what, goal, against_torch(worst, mode), most=True)
    longest = [row for row in found["rows"] if row["long"]]
    worst = max(longest, key=lambda row: against_torch(row, "checkpointed"))
    steps = f"T = {worst['sizes'][1]:,}"
    what = f"the same, checkpointed, {steps}, worst: {worst['cell']}"
    yield Target(what, LONG_GOAL, against_torch(worst, "checkpointed"), most=True)
    for cell in CELLS:
        what = f"{cell}, time of checkpointed against stored, {steps}"
        yield Target(what, TIME_GOAL, time_against_stored(found, cell, "checkpointed"), most=True)


def time_against_stored(found: Found, cell: str, mode: str) -> float:
    """How many times the time of `stored` a mode takes where T is long."""
    times = medians(found["long_seconds"][cell])
    return times[mode] / times["stored"]


def tables(found: Found) -> str:
    """Bytes and their ratio to torch.nn's; beneath, time where T is long."""
    rows = []
    for row in found["rows"]:
        elements = 4 * row["sizes"][0] * row["sizes"][1] * row["sizes"][3]
        line = [f"{row['cell']}({_sizes(row)})", _megabytes(row, "torch", "peak")]
        line.append(number(row["bytes"]["torch"]["peak"] / elements))
        for mode in MODES:
            line.append(f"{_megabytes(row, mode, 'peak')} (**{against_torch(row, mode):.3f}×**)")
        line.append(" / ".join(_megabytes(row, mode, "kept") for mode in ("torch", *MODES)))
        rows.append(line)
    header = ["cell(B, T, I, H)", "torch, MB", "torch, floats per B·T·H", *(f"{mode}, MB" for mode in MODES)]
    memory = table([*header, "kept after: torch / ours, MB"], rows)
    times = []
    for cell, samples in found["long_seconds"].items():
        ms = {mode: 1e3 * seconds for mode, seconds in medians(samples).items()}
        ratios = [f"{number(ms[mode])} ({ms[mode] / ms['stored']:.2f}×)" for mode in MODES[1:]]
        times.append([cell, number(ms["stored"]), *ratios])
    return f"{memory}\n\n{_mean_line(found)}\n\n{table(['cell', *(f'{m}, ms' for m in MODES)], times)}"


def _mean_line(found: Found) -> str:
    usual = [row for row in found["rows"] if not row["long"]]
    means = {mode: geometric_mean([against_torch(row, mode) for row in usual]) for mode in GOALS}
    words = ", ".join(f"{mode} {mean:.3f}×" for mode, mean in means.items())
    sizes = ", ".join(map(str, next(row for row in found["rows"] if row["long"])["sizes"]))
    return f"Geometric means without the longest: {words}. The time of a training step of ({sizes}):"


def _sizes(row: Found) -> str:
    return ", ".join(map(str, row["sizes"]))


def _megabytes(row: Found, side: str, what: str) -> str:
    return number(row["bytes"][side][what] / 1e6)
