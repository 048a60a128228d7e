"""Training steps and inference of every shape against torch.nn, and ragged batches against PackedSequence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import recurra
from layers.core import fma_peak
from layers.pairs import Pair
from layers.shapes import ALL, CELLS, SEVEN, Shape
from layers.targets import Target, number
from layers.timing import Effort, geometric_mean, interleaved, medians
from results import table

RAGGED = tuple(replace(shape, ragged=True) for shape in SEVEN if shape.rows > 1)
GOALS = {"GRU": 9.0, "RNN": 8.5, "LSTM": 2.2}
RAGGED_GOAL = 3.0
SHARE_GOAL, SHARE_UNITS = 0.75, 256
NAMES = {shape.name: shape for shape in (*ALL, *RAGGED)}
Found = dict[str, Any]


def measure(effort: Effort, shapes: Sequence[Shape] = ALL) -> Found:
    """Seconds of each cell, shape, mode and side; and the machine's peak in Gflop/s where it can be told."""
    for cell in CELLS:
        for shape in shapes:
            if (difference := Pair.of(cell, shape).difference()) is not None:
                raise SystemExit(f"no figures are reported: {difference}")
    rows: list[Found] = []
    # The peak is probed again and again, since other work on the machine can only lower it.
    seconds = 0.1 if effort.quick else 1.0
    peaks = [fma_peak(seconds)]
    for cell in CELLS:
        rows += [row for shape in shapes for row in _both_modes(cell, shape, effort)]
        peaks.append(fma_peak(seconds))
    return {"rows": rows, "peak": [peak for peak in peaks if peak is not None]}


def measure_ragged(effort: Effort) -> Found:
    """The same of ragged batches."""
    return measure(effort, RAGGED)


def _both_modes(cell: str, shape: Shape, effort: Effort) -> Iterable[Found]:
    pair = Pair.of(cell, shape)
    engine = recurra.explain(pair.ours).modules[0].engine
    for mode in ("training", "inference"):
        rivals = getattr(pair, mode)()
        times = interleaved(rivals, effort)
        yield {"cell": cell, "shape": shape.name, "mode": mode, "engine": engine, "seconds": times}
    print(f"{cell}({shape.name})", flush=True)


def ratio(row: Found) -> float:
    """How many times as fast as torch.nn."""
    times = medians(row["seconds"])
    return times["torch"] / times["ours"]


def share(row: Found, peak: Sequence[float]) -> float | None:
    """The part of the peak that the products of a training step reach; a double takes two floats' room."""
    shape = NAMES[row["shape"]]
    if not peak or row["mode"] != "training":
        return None
    rate = 3 * shape.operations(row["cell"]) / medians(row["seconds"])["ours"] / 1e9
    return rate / (max(peak) / (2 if shape.double else 1))


def of(found: Found, cell: str, mode: str) -> list[Found]:
    """The rows of a cell and mode."""
    return [row for row in found["rows"] if (row["cell"], row["mode"]) == (cell, mode)]


def targets(found: Found) -> Iterable[Target]:
    """The means over the seven, the worst of all shapes, and the share of the peak where units are many."""
    for cell, goal in GOALS.items():
        seven = [ratio(row) for row in of(found, cell, "training")[: len(SEVEN)]]
        yield Target(f"{cell}, training step against torch.nn, geometric mean", goal, geometric_mean(seven))
    for mode in ("training", "inference"):
        row = min((row for row in found["rows"] if row["mode"] == mode), key=ratio)
        yield Target(f"{mode}, worst of all: {row['cell']}({row['shape']})", 1.0, ratio(row))
    shares = {
        f"{row['cell']}({row['shape']})": part
        for row in found["rows"]
        if NAMES[row["shape"]].units >= SHARE_UNITS and (part := share(row, found["peak"])) is not None
    }
    if shares:
        worst = min(shares, key=shares.__getitem__)
        of_seven = [part for name, part in shares.items() if any(f"({s.name})" in name for s in SEVEN)]
        what = f"share of the FMA peak, training, H ≥ {SHARE_UNITS}"
        yield Target(f"{what}: worst of the seven", 100 * SHARE_GOAL, 100 * min(of_seven), "%")
        yield Target(f"{what}: worst of all, {worst}", 100 * SHARE_GOAL, 100 * shares[worst], "%")


def ragged_targets(found: Found) -> Iterable[Target]:
    """The mean over the ragged batches of each cell."""
    for cell in CELLS:
        ratios = [ratio(row) for row in of(found, cell, "training")]
        what = f"{cell}, ragged training step against PackedSequence, geometric mean"
        yield Target(what, RAGGED_GOAL, geometric_mean(ratios))


def tables(found: Found) -> str:
    """One table a cell."""
    return "\n\n".join(f"{cell}:\n\n{_table(found, cell)}" for cell in CELLS)


def _table(found: Found, cell: str) -> str:
    header = ["B, T, I, H", "training: torch, ms", "ours, ms", "×", "of peak"]
    header += ["inference: torch, ms", "ours, ms", "×"]
    rows = []
    for row, run in zip(of(found, cell, "training"), of(found, cell, "inference"), strict=True):
        part = share(row, found["peak"])
        elsewhere = "" if row["engine"] == "cpu" else f" (on engine `{row['engine']}`)"
        line = [f"{row['shape']}: {NAMES[row['shape']].why}{elsewhere}"]
        line += [*_times(row), "" if part is None else f"{part:.0%}", *_times(run)]
        rows.append(line)
    return table(header, rows)


def _times(row: Found) -> list[str]:
    times = medians(row["seconds"])
    return [number(1e3 * times["torch"]), number(1e3 * times["ours"]), f"**{number(ratio(row))}**"]
