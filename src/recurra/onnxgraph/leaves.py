"""Layers of torch.nn and ours as nodes, each with its arguments by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from recurra.errors import ConfigError
from recurra.nn.dropout import WeightDrop
from recurra.onnxgraph import layers
from recurra.onnxgraph.graph import Graph, Value
from recurra.onnxgraph.operations import operation
from recurra.onnxgraph.traced import Packed, Traced, likes, paired

LEAVES = (nn.RNNBase, nn.modules.rnn.RNNCellBase)
# Layers that are an operation, with the options that it takes.
AS_OPERATIONS: dict[type[nn.Module], tuple[str, ...]] = {
    nn.ReLU: (),
    nn.Tanh: (),
    nn.Sigmoid: (),
    nn.GELU: ("approximate",),
    nn.SiLU: (),
    nn.ELU: ("alpha",),
    nn.LeakyReLU: ("negative_slope",),
    nn.Softplus: (),
    nn.Hardtanh: ("min_val", "max_val"),
    nn.Softmax: ("dim",),
    nn.LogSoftmax: ("dim",),
    nn.Flatten: ("start_dim", "end_dim"),
    nn.Identity: (),
    nn.Dropout: (),
    nn.Dropout1d: (),
    nn.LayerNorm: ("normalized_shape", "weight", "bias", "eps"),
    nn.Embedding: ("weight",),
    nn.Linear: ("weight", "bias"),
}


def leaf(graph: Graph, module: nn.Module, given: Mapping[str, Any]) -> Any:
    """What a layer gives. Raises ConfigError for one that has no form here."""
    if isinstance(module, WeightDrop):
        return leaf(graph, module.layer, {"input": given["x"], "state": given.get("state")})
    like = module(**likes(_plain(module, given)))
    if isinstance(module, nn.RNNBase):
        return paired(_recurrent(graph, module, given), like)
    if isinstance(module, nn.modules.rnn.RNNCellBase):
        return paired(_step(graph, module, given), like)
    if isinstance(module, nn.Conv1d | nn.BatchNorm1d):
        return paired(_over_channels(graph, module, next(iter(given.values()))), like)
    kind = next((one for one in AS_OPERATIONS if isinstance(module, one)), None)
    if kind is None:
        raise ConfigError(
            f"expected layers that have a form in ONNX here, got {type(module).__name__}. "
            "Export the module without it, or with torch.onnx.export."
        )
    names = {nn.Identity: "dropout", nn.Dropout: "dropout", nn.Dropout1d: "dropout"}
    name = names.get(kind, kind.__name__.lower())
    options = {name: getattr(module, name) for name in AS_OPERATIONS[kind]}
    x, *_ = given.values()
    if kind is nn.Embedding:
        return paired(layers.embedding(graph, x.value, module.weight), like)  # type: ignore[arg-type]
    return paired(operation({"logsoftmax": "log_softmax"}.get(name, name))(graph, x, **options), like)


def _plain(module: nn.Module, given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments that torch.nn's layers know: a recurrent layer of theirs calls its state hx."""
    return {name: one for name, one in given.items() if one is not None}


def _state(given: Mapping[str, Any]) -> list[Traced]:
    state = given.get("hx") if given.get("state") is None else given["state"]
    return [] if state is None else list(state) if isinstance(state, tuple | list) else [state]


def _recurrent(graph: Graph, layer: nn.RNNBase, given: Mapping[str, Any]) -> Any:
    """The layer's outputs and its state in torch.nn's form."""
    if given.get("reset") is not None:
        raise ConfigError(
            "expected a layer without resets, which ONNX's nodes do not know, got reset. "
            "Give each part of a row as a row of its own."
        )
    x, state = given["input"], [one.value for one in _state(given)]
    lengths = given.get("lengths")
    if isinstance(x, Packed):
        y, after = layers.recurrent(graph, layer, x.x, state=state, lengths=x.lengths)
        return Packed(y, x.lengths, layer(x.like)[0]), _bare(after)
    batch = 0 if layer.batch_first else 1
    alone = x.rank == 2
    value = graph.unsqueeze(x.value, batch) if alone else x.value
    state = [graph.unsqueeze(s, 1) for s in state] if alone else state
    ends = None
    if lengths is not None:
        ends = graph.reshape(lengths.value, 1) if alone else lengths.value
    value = graph.transpose(value, 1, 0, 2) if layer.batch_first else value
    y, after = layers.recurrent(graph, layer, value, state=state, lengths=ends)
    y = graph.transpose(y, 1, 0, 2) if layer.batch_first else y
    if alone:
        return graph.squeeze(y, batch), _bare([graph.squeeze(s, 1) for s in after])
    return y, _bare(after)


def _step(graph: Graph, module: nn.modules.rnn.RNNCellBase, given: Mapping[str, Any]) -> Any:
    """The state after one step, in torch.nn's form."""
    x, state = given["input"], [one.value for one in _state(given)]
    if x.rank != 2:
        raise ConfigError(f"expected a batch of inputs (B, I), got {x.rank} axes. Give a batch of one.")
    rows, many = graph.size(x.value, 0), len(layers.cell_of(module).states)
    if not state:
        zeros = graph.expand(graph.constant(0.0, "float32"), rows, module.hidden_size)
        state = [zeros] * many
    return _bare(layers.step(graph, module, x.value, state))


def _bare(state: list[Value]) -> Any:
    return state[0] if len(state) == 1 else tuple(state)


def _over_channels(graph: Graph, module: Any, x: Traced) -> Value:
    """Layers of (B, C, T)."""
    given = [graph.constant(layers.array(w)) for w in _parameters(module) if w is not None]
    if isinstance(module, nn.BatchNorm1d):
        return graph.op("BatchNormalization", x.value, *given, epsilon=module.eps)
    if module.padding_mode != "zeros" or isinstance(module.padding, str):
        raise ConfigError(
            f"expected a Conv1d padded with a number of zeros, got padding={module.padding!r}, "
            f"{module.padding_mode}. Pad the input instead."
        )
    return graph.op(
        "Conv",
        x.value,
        *given,
        strides=list(module.stride),
        pads=list(module.padding) * 2,
        dilations=list(module.dilation),
        group=module.groups,
    )


def _parameters(module: Any) -> list[Tensor | None]:
    if isinstance(module, nn.Conv1d):
        return [module.weight, module.bias]
    if module.running_mean is None:
        raise ConfigError(
            "expected a BatchNorm1d with running statistics, got one without. Set track_running_stats."
        )
    ones = torch.ones_like(module.running_mean)
    weight, bias = (ones, ones * 0) if module.weight is None else (module.weight, module.bias)
    return [weight, bias, module.running_mean, module.running_var]
