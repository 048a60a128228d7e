"""The classifier as ONNX: a graph that reads whole sequences, and one that goes on step by step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from recurra.onnxgraph import layers
from recurra.onnxgraph.graph import DOUBLE, FLOAT, INT, Graph, Value
from recurra.onnxgraph.network import Exported, Feeds, Network, Run
from recurra.onnxgraph.states import States, stepwise
from recurra.tasks.classify import onnx_counted as counted
from recurra.tasks.classify import onnx_inputs as inputs
from recurra.tasks.classify.model import Classifier
from recurra.tasks.classify.network import BOUND, TAPS
from recurra.tasks.classify.network import Network as Recurrent

if TYPE_CHECKING:
    import numpy as np

    from recurra.tasks.classify.schema import Schema

WHOLE = "reads whole sequences: probabilities of the classes for each row"
STEP = "goes on by one step: probabilities of the classes after it, and the states"


def exported(model: Classifier, schema: Schema) -> Exported:
    """The graphs, and what turns texts, events and cells into their inputs."""
    networks = [_whole(model, schema)]
    reader: dict[str, Any] = {
        "kind": schema.kind,
        "classes": list(schema.classes),
        "several": schema.several,
        "longest": schema.longest,
        **inputs.described(schema),
    }
    if not model.bidirectional:
        step, states = _step(model, schema)
        networks.append(step)
        reader["states"] = states
    return Exported(tuple(networks), reader)


def _whole(model: Classifier, schema: Schema) -> Network:
    graph = Graph("classify")
    given = inputs.declared(graph, schema, ["batch", "time"])
    lengths = graph.input("lengths", INT, ["batch"])
    first = next(iter(given.values()))
    within = layers.inside(graph, graph.size(first, 1), lengths)
    if schema.kind == "series":
        x = graph.where(graph.unsqueeze(within, 2), inputs.encoded(graph, schema, given), 0.0)
    else:
        x = graph.where(within, first, 0)
    parts = [
        _pooled(graph, one, _states(graph, one, x, lengths), lengths, within) for one in _networks(model)
    ]
    found = [_linear(graph, p, one.answer) for p, one in zip(parts, _networks(model), strict=True)]
    _answer(graph, model, schema, found, counted.whole(graph, model.counted, x, lengths, within))

    def trials(run: Run, rng: np.random.Generator) -> Iterator[tuple[Feeds, Feeds]]:
        for feeds, tensor in inputs.drawn(schema, model, rng, ragged=True):
            with torch.no_grad():
                z = model(tensor, torch.from_numpy(feeds["lengths"]))
                expected = {"logits": z.numpy(), "probabilities": model.probabilities(z).numpy()}
            yield expected, run(feeds)

    return Network("whole", WHOLE, graph.model(), trials)


def _step(model: Classifier, schema: Schema) -> tuple[Network, dict[str, Any]]:
    graph = Graph("classify_step")
    states = States(graph)
    given = inputs.declared(graph, schema, ["batch"])
    x = inputs.encoded(graph, schema, given) if schema.kind == "series" else next(iter(given.values()))
    before = states.take("steps", INT, [])
    steps = before + 1
    states.give("steps", steps)
    found = [
        _linear(graph, _one_step(graph, states, one, f"network{n}", x), one.answer)
        for n, one in enumerate(_networks(model), 1)
    ]
    _answer(graph, model, schema, found, counted.step(graph, states, model.counted, x, steps))

    def trials(run: Run, rng: np.random.Generator) -> Iterator[tuple[Feeds, Feeds]]:
        for feeds, tensor in inputs.drawn(schema, model, rng, ragged=False):
            with torch.no_grad():
                z = model.running(tensor, torch.from_numpy(feeds["lengths"]))
                p = model.probabilities(z)
            rows, steps = z.shape[:2]
            each = [
                {name: one[:, t] for name, one in feeds.items() if name != "lengths"} for t in range(steps)
            ]
            for t, answer in enumerate(stepwise(run, states.described, rows, each)):
                yield {"logits": z[:, t].numpy(), "probabilities": p[:, t].numpy()}, answer

    return Network("step", STEP, graph.model(), trials), states.described


def _answer(graph: Graph, model: Classifier, schema: Schema, networks: list[Value], counted: Value) -> None:
    """Logits and calibrated probabilities (B, K) of all members'."""
    total = networks[0]
    for one in networks[1:]:
        total = total + one
    share, temperature = float(model.share), float(model.temperature)
    z = total * (share / len(networks)) + counted * (1 - share)
    graph.output("logits", z, ["batch", len(schema.classes)])
    cold = z / temperature
    p = graph.op("Sigmoid", cold) if model.several else graph.op("Softmax", cold, axis=-1)
    graph.output("probabilities", p, ["batch", len(schema.classes)])


def _states(graph: Graph, network: Recurrent, x: Value, lengths: Value) -> Value:
    """(B, T, D·H) the recurrent layer's outputs."""
    if network.tokens:
        read = layers.embedding(graph, x, network.embedding.weight)
    else:
        seen = _taps(graph, network, graph.transpose(x, 0, 2, 1), TAPS - 1)
        read = graph.concat([x, graph.transpose(seen, 0, 2, 1)], 2)
    y, _ = layers.recurrent(graph, network.recurrent, graph.transpose(read, 1, 0, 2), lengths=lengths)
    return graph.transpose(y, 1, 0, 2)


def _taps(graph: Graph, network: Recurrent, x: Value, before: int) -> Value:
    """(B, H, T) what the convolution sees of (B, C, T) with so many zeros before it."""
    taps = (network.taps.weight, network.taps.bias)
    given = [graph.constant(layers.array(one)) for one in taps if one is not None]
    return graph.op("Relu", graph.op("Conv", x, *given, pads=[before, 0]))


def _pooled(graph: Graph, network: Recurrent, y: Value, lengths: Value, within: Value) -> Value:
    """(B, D·H) of all steps."""
    there = graph.unsqueeze(within, 2)
    if network.output == "max":
        return graph.reduce("Max", graph.where(there, y, -float("inf")), [1])
    if network.output != "last":
        weight = graph.where(there, _weight(graph, network, y), 0.0)
        return graph.reduce("Sum", weight * y, [1]) / graph.reduce("Sum", weight, [1])
    last = graph.op("GatherND", y, graph.unsqueeze(lengths - 1, 1), batch_dims=1)
    if not network.recurrent.bidirectional:
        return last
    half = network.recurrent.hidden_size  # the reverse direction ends at the first step
    first = graph.squeeze(graph.slice(y, 1, 0, 1), 1)
    return graph.concat([graph.slice(last, 1, 0, half), graph.slice(first, 1, half, 2 * half)], 1)


def _weight(graph: Graph, network: Recurrent, y: Value) -> Value:
    """(..., 1) attention's weight of each step; 1 for a mean."""
    if network.output == "mean":
        return graph.reduce("Max", y, [-1], keep=True) * 0.0 + 1.0
    hidden = graph.op("Tanh", _linear(graph, y, network.project))
    score = _linear(graph, hidden, network.score)
    return graph.op("Exp", graph.op("Tanh", score / BOUND) * BOUND)


def _one_step(graph: Graph, states: States, network: Recurrent, name: str, x: Value) -> Value:
    """(B, H) pooled so far, after one more step."""
    layer = network.recurrent
    if network.tokens:
        read = layers.embedding(graph, x, network.embedding.weight)
    else:
        width = network.taps.in_channels
        earlier = states.take(f"{name}_seen", FLOAT, [TAPS - 1, width])
        seen = graph.concat([earlier, graph.unsqueeze(x, 1)], 1)
        states.give(f"{name}_seen", graph.slice(seen, 1, 1, TAPS))
        found = _taps(graph, network, graph.transpose(seen, 0, 2, 1), 0)
        read = graph.concat([x, graph.squeeze(found, 2)], 1)
    names = [f"{name}_{one}" for one in layers.cell_of(layer).states]
    before = [graph.unsqueeze(states.take(one, FLOAT, [layer.hidden_size]), 0) for one in names]
    y, after = layers.recurrent(graph, layer, graph.unsqueeze(read, 0), state=before)
    for one, s in zip(names, after, strict=True):
        states.give(one, graph.squeeze(s, 0))
    return _pooled_so_far(graph, states, network, name, graph.squeeze(y, 0))


def _pooled_so_far(graph: Graph, states: States, network: Recurrent, name: str, y: Value) -> Value:
    width = network.recurrent.hidden_size
    if network.output == "last":
        return y
    if network.output == "max":
        top = graph.op("Max", states.take(f"{name}_top", FLOAT, [width], -float("inf")), y)
        states.give(f"{name}_top", top)
        return top
    weight = _weight(graph, network, y)
    sums = states.take(f"{name}_sum", DOUBLE, [width]) + (weight * y).cast(DOUBLE)
    weights = states.take(f"{name}_weight", DOUBLE, [1]) + weight.cast(DOUBLE)
    states.give(f"{name}_sum", sums)
    states.give(f"{name}_weight", weights)
    return (sums / weights).cast(FLOAT)


def _linear(graph: Graph, x: Value, layer: nn.Linear) -> Value:
    return layers.linear(graph, x, layer.weight, layer.bias)


def _networks(model: Classifier) -> list[Recurrent]:
    return [one for one in model.networks if isinstance(one, Recurrent)]
