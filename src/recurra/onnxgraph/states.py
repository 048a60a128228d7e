"""What a one-step graph carries from call to call: an input and an output for each part of the state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from recurra.onnxgraph.graph import Array, Graph, Value
from recurra.onnxgraph.network import Feeds, Run

# An output is called as the input that it is at the next call, after this.
NEXT = "next_"


class States:
    """The parts of a state, (B, ...) each, with what they are before the first step."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.described: dict[str, dict[str, Any]] = {}

    def take(self, name: str, dtype: Any, shape: Sequence[int], initial: Any = 0) -> Value:
        """A part of the state before the step. initial: a number, or an array of the shape."""
        kind = np.dtype(dtype)
        filled = np.broadcast_to(np.asarray(initial, dtype=kind), tuple(shape))
        same = not filled.size or (filled == filled.flat[0]).all()
        self.described[name] = {
            "dtype": kind.name,
            "shape": list(shape),
            # JSON knows no infinity.
            "initial": str(filled.flat[0]) if same and filled.size else filled.tolist(),
        }
        return self.graph.input(name, kind, ["batch", *shape])

    def give(self, name: str, after: Value) -> None:
        """The same part after it."""
        self.graph.output(NEXT + name, after, ["batch", *self.described[name]["shape"]])


def fresh(described: Mapping[str, Mapping[str, Any]], rows: int) -> dict[str, Array]:
    """The states of streams that have seen nothing."""
    found = {}
    for name, one in described.items():
        initial = np.asarray(one["initial"], dtype=one["dtype"])
        found[name] = np.ascontiguousarray(np.broadcast_to(initial, (rows, *one["shape"])))
    return found


def stepwise(
    run: Run, described: Mapping[str, Mapping[str, Any]], rows: int, inputs: Sequence[Feeds]
) -> Iterator[Feeds]:
    """The answers of a one-step graph to one input after the other, from fresh states on."""
    states = fresh(described, rows)
    for one in inputs:
        found = run({**one, **states})
        states = {name: np.asarray(found[NEXT + name]) for name in described}
        yield {name: value for name, value in found.items() if not name.startswith(NEXT)}
