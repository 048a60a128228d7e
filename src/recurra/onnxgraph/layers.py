"""Layers as ONNX nodes: the recurrent ones as ONNX's own RNN, GRU and LSTM, all steps in one node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from recurra import cells
from recurra.cells import Cell
from recurra.errors import ConfigError
from recurra.nn.recurrent import Recurrent
from recurra.nn.steps import Step
from recurra.onnxgraph.graph import Array, Graph, Value

# ONNX's order of the gates' blocks by our names of them (docs/gates.md), and that of peepholes.
ORDERS = {"RNN": "h", "GRU": "zrn", "LSTM": "iofg"}
OURS, PEEPHOLES = ("i", "f", "o"), ("i", "o", "f")


def array(of: Tensor, dtype: Any = np.float32) -> Array:
    """A tensor's numbers."""
    return np.ascontiguousarray(of.detach().cpu().double().numpy().astype(dtype))


def cell_of(module: nn.Module) -> Cell:
    """The recurrence of a layer or a step of ours or of torch.nn. Raises ConfigError for a foreign one."""
    if isinstance(module, Recurrent | Step):
        return module.cell
    mode = getattr(module, "mode", type(module).__name__.removesuffix("Cell"))
    if mode in ("RNN_TANH", "RNN_RELU", "RNN"):
        return cells.RNN(cast(Any, module).nonlinearity)
    if mode in ("GRU", "LSTM"):
        return cells.GRU() if mode == "GRU" else cells.LSTM()
    raise _unknown(module)


def recurrent(
    graph: Graph,
    layer: nn.RNNBase,
    x: Value,
    *,
    state: Sequence[Value] = (),
    lengths: Value | None = None,
    reverse: bool = False,
) -> tuple[Value, list[Value]]:
    """All layers and directions over time: y (T, B, D·H) and the states after it, each (L·D, B, H).

    x (T, B, I); state as torch.nn's, h or h and c, zeros if empty; lengths (B,) int64, 0 … T.
    reverse: the whole runs from the last step to the first, as one direction.
    Raises ConfigError for what ONNX has no node for.
    """
    cell = _sayable(layer)
    many = len(cell.states)
    directions = 1 + layer.bidirectional
    last: list[list[Value]] = [[] for _ in range(many)]
    ends = None if lengths is None else lengths.cast(np.int32)
    for number in range(layer.num_layers):
        begin = [graph.slice(s, 0, number * directions, (number + 1) * directions) for s in state]
        y, after = _node(graph, cell, _weights(layer, number), x, state=begin, lengths=ends, reverse=reverse)
        after = [_kept(graph, s, begin[k : k + 1], lengths) for k, s in enumerate(after)]
        x = _joined(graph, y, layer.hidden_size * directions)
        for states, s in zip(last, after, strict=True):
            states.append(s)
    return x, [graph.concat(states, 0) for states in last]


def step(graph: Graph, module: nn.Module, x: Value, state: Sequence[Value]) -> list[Value]:
    """One step of torch.nn's or our cells: the states after it, (B, H) each, of x (B, I) and those before."""
    cell = _sayable(module)
    one: dict[str, Any] = dict(module.named_parameters())
    weights = [[one.get(name) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]]
    begin = [graph.unsqueeze(s, 0) for s in state]
    _, after = _node(graph, cell, weights, graph.unsqueeze(x, 0), state=begin)
    return [graph.squeeze(s, 0) for s in after]


def linear(graph: Graph, x: Value, weight: Tensor, bias: Tensor | None = None) -> Value:
    """x (..., I) · weight (O, I)ᵀ + bias."""
    y = x @ graph.constant(array(weight.T), name="weight")
    return y if bias is None else y + graph.constant(array(bias), name="bias")


def embedding(graph: Graph, tokens: Value, table: Tensor) -> Value:
    """(..., E) of token numbers (...)."""
    return graph.gather(graph.constant(array(table), name="table"), tokens)


def inside(graph: Graph, steps: Value, lengths: Value) -> Value:
    """(B, T) bool, the steps (1,) that come before each row's length (B,)."""
    return graph.op("Less", graph.range(steps), graph.unsqueeze(lengths, 1))


def _sayable(layer: nn.Module) -> Cell:
    """The layer's recurrence. Raises ConfigError where ONNX cannot say it."""
    cell = cell_of(layer)
    if type(cell).__name__ not in ORDERS:
        raise _unknown(layer)
    if getattr(layer, "proj_size", 0):
        raise ConfigError(
            f"expected a layer that ONNX has a node for, got an LSTM with proj_size={layer.proj_size}, "
            "which ONNX's LSTM does not know. Use a smaller hidden_size in its place, and train again."
        )
    dtype = next(layer.parameters()).dtype
    if dtype is not torch.float32:
        raise ConfigError(
            f"expected weights in float32, which ONNX Runtime's recurrent nodes compute in, got {dtype}. "
            "Convert the module: module.float()."
        )
    return cell


def _unknown(module: nn.Module) -> ConfigError:
    return ConfigError(
        f"expected a layer that ONNX has a node for (RNN, GRU, LSTM), got {type(module).__name__}. "
        "Use one of these."
    )


def _weights(layer: nn.RNNBase, number: int) -> list[list[Tensor | None]]:
    """W_ih, W_hh, b_ih, b_hh and the peepholes of one layer, for each direction, as they are now."""
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_peephole")
    ends = ("", "_reverse")[: 1 + layer.bidirectional]
    return [[getattr(layer, f"{kind}_l{number}{end}", None) for kind in kinds] for end in ends]


def _node(
    graph: Graph,
    cell: Cell,
    weights: list[list[Tensor | None]],
    x: Value,
    *,
    state: Sequence[Value],
    lengths: Value | None = None,
    reverse: bool = False,
) -> tuple[Value, list[Value]]:
    """One node: y (T, D, B, H) and the states after it, (D, B, H) each."""
    kind = type(cell).__name__
    order, gates = ORDERS[kind], cell.gates
    both = [[_reordered(w, gates, order) for w in one[:4]] for one in weights]
    hidden = both[0][1].shape[1]
    given: list[Value | None] = [
        graph.constant(np.stack([one[k] for one in both]), name=name) for k, name in enumerate("WR")
    ]
    bias = None
    if weights[0][2] is not None:
        bias = graph.constant(np.stack([np.concatenate(one[2:]) for one in both]), name="B")
    absent: list[Value | None] = [None] * len(cell.states)
    given += [bias, lengths, *(state or absent)]
    attributes: dict[str, Any] = {}
    if kind == "LSTM" and len(weights[0]) > 4 and weights[0][4] is not None:
        looks = [_reordered(one[4].flatten(), OURS, PEEPHOLES) for one in weights if one[4] is not None]
        given.append(graph.constant(np.stack(looks), name="P"))
    if isinstance(cell, cells.RNN):
        attributes["activations"] = [cell.nonlinearity.capitalize()] * len(weights)
    if isinstance(cell, cells.GRU):
        attributes["linear_before_reset"] = int(cell.reset_after)
    while given[-1] is None:
        given.pop()
    direction = "bidirectional" if len(weights) == 2 else "reverse" if reverse else "forward"
    y, *after = graph.ops(
        kind, 1 + len(cell.states), x, *given, hidden_size=hidden, direction=direction, **attributes
    )
    return y, after


def _reordered(of: Tensor | None, gates: Sequence[str], order: Sequence[str]) -> Array:
    """Blocks of rows (G·H, ...) in ONNX's order."""
    if of is None:
        return np.zeros(0, dtype=np.float32)
    blocks = dict(zip(gates, np.split(array(of), len(gates)), strict=True))
    return np.concatenate([blocks[gate] for gate in order])


def _joined(graph: Graph, y: Value, width: int) -> Value:
    """(T, B, D·H) of (T, D, B, H)."""
    rows = graph.transpose(y, 0, 2, 1, 3)
    return graph.reshape(rows, graph.size(rows, 0), graph.size(rows, 1), width)


def _kept(graph: Graph, after: Value, before: Sequence[Value], lengths: Value | None) -> Value:
    """The states after, where a row without a step keeps the one before: ONNX Runtime gives zeros there."""
    if not before or lengths is None:
        return after
    nothing = graph.op("Equal", lengths, 0)
    return graph.where(graph.unsqueeze(nothing, 0, 2), before[0], after)
