"""The ONNX standard's own cases for its RNN, GRU and LSTM nodes, run on ours."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from recurra import nn
from recurra.engines import ENGINES, use_engine

onnx_nodes = pytest.importorskip("onnx.backend.test.case.node", reason="the ONNX cases need onnx")
from onnx.helper import get_attribute_value  # noqa: E402

# Blocks of rows in ONNX's order (docs/gates.md), named as in recurra.cells.
GATES = {"RNN": "h", "GRU": "zrn", "LSTM": "iofg"}
PEEPHOLES = "iof"


def reordered(blocks: Tensor, order: str, wanted: tuple[str, ...]) -> Tensor:
    """Blocks of rows (G·H, ...) from ONNX's order to ours."""
    parts = blocks.chunk(len(order))
    return torch.cat([parts[order.index(gate)] for gate in wanted])


def layer_of(node: Any, given: dict[str, Tensor]) -> Any:
    """The layer that a node describes, with the node's weights; a lone reverse direction as a forward one."""
    attributes = {a.name: get_attribute_value(a) for a in node.attribute}
    order = GATES[node.op_type]
    options: dict[str, Any] = {"bidirectional": len(given["W"]) == 2}
    if node.op_type == "GRU":
        options["reset_after"] = bool(attributes.get("linear_before_reset", 0))
    if node.op_type == "LSTM":
        options["peephole"] = "P" in given
    layer = getattr(nn, node.op_type)(given["W"].shape[-1], attributes["hidden_size"], **options)
    gates = layer.cell.gates
    state = {}
    for d, suffix in enumerate(["", "_reverse"][: len(given["W"])]):
        state[f"weight_ih_l0{suffix}"] = reordered(given["W"][d], order, gates)
        state[f"weight_hh_l0{suffix}"] = reordered(given["R"][d], order, gates)
        b = given.get("B", torch.zeros(2, 2 * len(order) * attributes["hidden_size"]))[d]
        for name, half in zip(("bias_ih", "bias_hh"), b.chunk(2), strict=True):
            state[f"{name}_l0{suffix}"] = reordered(half, order, gates)
        if "P" in given:
            p = reordered(given["P"][d], PEEPHOLES, ("i", "f", "o"))
            state[f"weight_peephole_l0{suffix}"] = p.view(3, -1)
    layer.load_state_dict(state)
    return layer


def run(node: Any, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """A node's outputs Y (T, D, B, H), Y_h and Y_c (D, B, H); rows first with layout 1."""
    attributes = {a.name: get_attribute_value(a) for a in node.attribute}
    rows_first = attributes.get("layout", 0) == 1
    layer = layer_of(node, given)
    x = given["X"].transpose(0, 1) if rows_first else given["X"]
    lengths = given["sequence_lens"] if "sequence_lens" in given else torch.full(x.shape[1:2], len(x))
    state = tuple(given[name] for name in ("initial_h", "initial_c") if name in given)
    state = tuple(s.transpose(0, 1) for s in state) if rows_first else state
    reverse = attributes.get("direction", b"forward") == b"reverse"
    x = x.flip(0) if reverse else x  # every reverse case has whole rows
    y, new = layer(x, (state if len(state) > 1 else state[0]) if state else None, lengths=lengths)
    y = y.flip(0) if reverse else y
    new = (new,) if isinstance(new, Tensor) else new
    y = y.unflatten(-1, (len(given["W"]), -1)).transpose(1, 2)
    if rows_first:
        y, new = y.permute(2, 0, 1, 3), tuple(s.transpose(0, 1) for s in new)
    return dict(zip(("Y", "Y_h", "Y_c"), (y, *new), strict=False))


def tensors(node: Any, inputs: Any) -> dict[str, Tensor]:
    names = [name for name in node.input if name]
    return {name: torch.from_numpy(np.array(a)) for name, a in zip(names, inputs, strict=True)}


def cases() -> list[Any]:
    for name in GATES:
        importlib.import_module(f"onnx.backend.test.case.node.{name.lower()}")
    return [case for case in onnx_nodes._NodeTestCases if case.model.graph.node[0].op_type in GATES]


def runnable(case: Any) -> list[str]:
    node = case.model.graph.node[0]
    request = layer_of(node, tensors(node, case.data_sets[0][0])).request()
    return [engine.NAME for engine in ENGINES if engine.why_not(request) is None]


CASES = cases()
PAIRS = [
    pytest.param(case, engine, id=f"{case.name}-{engine}") for case in CASES for engine in runnable(case)
]


def test_all_of_them_run() -> None:
    assert len(CASES) == 18
    assert sum("reference" in runnable(case) for case in CASES) == 18


@pytest.mark.parametrize(("case", "engine"), PAIRS)
def test_node(case: Any, engine: str) -> None:
    node = case.model.graph.node[0]
    for inputs, outputs in case.data_sets:
        with use_engine(engine):
            produced = run(node, tensors(node, inputs))
        wanted = [name for name in node.output if name]
        for name, value in zip(wanted, outputs, strict=True):
            np.testing.assert_allclose(produced[name].detach(), value, rtol=case.rtol, atol=case.atol)
