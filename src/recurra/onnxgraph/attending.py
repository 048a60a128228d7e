"""The step of an attentive decoder as a graph: a token, what is attended to and the states in."""

from __future__ import annotations

from typing import Any

from torch import nn

from recurra.nn.attending import AttentiveDecoder
from recurra.nn.attention import Attention
from recurra.nn.recurrent import Recurrent
from recurra.onnxgraph import layers
from recurra.onnxgraph.graph import FLOAT, INT, Graph, Value
from recurra.onnxgraph.states import States


def step(model: AttentiveDecoder, name: str, *, ragged: bool) -> tuple[Graph, dict[str, Any]]:
    """The graph, and what its states are before the first step.

    Inputs: tokens (B,); values (M, S, C), keys (M, S, A) and, where memories are ragged, lengths (M,), M
    being B, or 1 for all rows. Outputs: log_probabilities (B, V), attention (B, S).
    """
    graph = Graph(name)
    tokens = graph.input("tokens", INT, ["batch"])
    hidden, words = model.lower.hidden_size, model.words
    values = graph.input("values", FLOAT, ["sources", "time", model.upper.input_size - hidden])
    keys = graph.input("keys", FLOAT, ["sources", "time", hidden])
    lengths = graph.input("lengths", INT, ["sources"]) if ragged else None
    states = States(graph)
    table = graph.constant(layers.array(words.tables[0]), name="table")
    x = graph.gather(table, tokens)
    if model.feeding:
        x = graph.concat([x, states.take("fed", FLOAT, [words.width])], 1)
    query = _layer(graph, states, "lower", model.lower, x)
    weight = _weight(graph, model.attention, query, keys, lengths)
    context = graph.squeeze(graph.unsqueeze(weight, 1) @ values, 1)
    if model.gate is not None:
        context = context * graph.op("Sigmoid", linear(graph, query, model.gate))
    y = _layer(graph, states, "upper", model.upper, graph.concat([query, context], 1))
    read = graph.op("Tanh", linear(graph, graph.concat([y, context], 1), model.readout))
    if model.feeding:
        states.give("fed", read)
    bias = graph.constant(layers.array(words.biases[0]), name="bias")
    # Gemm, not a transposed table: of that, with weights of eight bits, ONNX Runtime makes an unsound graph.
    logs = graph.op("LogSoftmax", graph.op("Gemm", read, table, bias, transB=1), axis=-1)
    graph.output("log_probabilities", logs, ["batch", words.tokens])
    graph.output("attention", weight, ["batch", "time"])
    return graph, states.described


def first_states(graph: Graph, model: AttentiveDecoder, bridged: Value) -> None:
    """The decoder's first states as outputs, those that are not zero; bridged: (B, 2·H) before the tanh."""
    hidden = model.lower.hidden_size
    first = graph.op("Tanh", bridged)
    for number, name in enumerate(("lower_h", "upper_h")):
        part = graph.slice(first, 1, number * hidden, (number + 1) * hidden)
        graph.output(name, part, ["batch", hidden])


def linear(graph: Graph, x: Value, layer: nn.Linear) -> Value:
    """x (..., I) · Wᵀ + b."""
    return layers.linear(graph, x, layer.weight, layer.bias)


def _layer(graph: Graph, states: States, name: str, layer: Recurrent, x: Value) -> Value:
    """(B, H) after one step more of x (B, I)."""
    names = [f"{name}_{one}" for one in layers.cell_of(layer).states]
    before = [graph.unsqueeze(states.take(one, FLOAT, [layer.hidden_size]), 0) for one in names]
    y, after = layers.recurrent(graph, layer, graph.unsqueeze(x, 0), state=before)
    for one, s in zip(names, after, strict=True):
        states.give(one, graph.squeeze(s, 0))
    return graph.squeeze(y, 0)


def _weight(graph: Graph, attention: Attention, query: Value, keys: Value, lengths: Value | None) -> Value:
    """(B, S) of queries (B, Q) to keys (B, S, A), or (1, S, A)."""
    if attention.scores == "luong":
        each = graph.unsqueeze(query * attention.scale, 1)
        z = graph.squeeze(each @ graph.transpose(keys, 0, 2, 1), 1)
    else:
        each = graph.unsqueeze(linear(graph, query, attention.query), 1)
        z = graph.squeeze(linear(graph, graph.op("Tanh", each + keys), attention.score), 2)
    if lengths is not None:
        within = layers.inside(graph, graph.size(keys, 1), lengths)
        z = graph.where(within, z, -float("inf"))
    return graph.op("Softmax", z, axis=-1)
