"""The forecaster's networks as one ONNX graph: from what is known at an origin to quantiles.

The running history (members, scale, level, calendar) is worked out in numpy and is no part of the graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.onnxgraph import layers
from recurra.onnxgraph.graph import DOUBLE, FLOAT, Array, Graph, Value
from recurra.onnxgraph.network import Exported, Feeds, Network, Run
from recurra.tasks.forecast.features import FAR, sizes
from recurra.tasks.forecast.history import member_names
from recurra.tasks.forecast.model import Forecaster, Inputs, Sizes
from recurra.tasks.forecast.model import Network as Recurrent
from recurra.tasks.forecast.schema import Schema

ABOUT = "quantiles of the steps after an origin, of what the running history knows there"
OUTSIDE = (
    "The running history that makes the graph's inputs of a series (exponential smoothing, scale, level, "
    "calendar) is not in it: recurra.tasks.forecast.features makes them."
)
ROWS = (1, 3, 40)
# How each input is made, for those who make it without recurra.
MEANINGS = {
    "past": "the last values, (value - level) / scale, 0 where unknown, clipped to ±100",
    "gone": "1 where a value of `past` is unknown or lies before the series",
    "since": "log(1 + steps since the last known value) at each step of `past`",
    "members": "forecasts of the members, (value - level) / scale, in the order of `member_names`",
    "context": "log error of each member beside the best, its mean forecast, length, best error, size; then "
    "static features and a flag for each that is missing",
    "spread": "recent one-step error of the best member, in units of scale",
    "covariates": "past-known covariates at the steps of `past`, standardised, NaN where unknown",
    "known": "future-known covariates at those steps and the horizon's, standardised, NaN where unknown",
    "calendar": "sine and cosine of the place in the day, week and year of each segment's first step",
    "level": "mean of the last season's known values, in the data's unit",
    "scale": "usual change over a season, in the data's unit; 0 where nothing has ever changed",
    "least": "0 for a series never seen below it, else minus infinity",
}


def exported(model: Forecaster, config: Any, schema: Schema) -> Exported:
    """The graph, what its inputs are, and which columns and steps they come from."""
    size = sizes(schema)
    reader = {
        "horizon": schema.horizon,
        "quantiles": list(config.quantiles),
        "look_back": size.look_back,
        "segment": size.segment,
        "seasons": list(schema.seasons),
        "frequency": schema.frequency.model_dump(mode="json"),
        "targets": list(schema.targets),
        "member_names": list(member_names(schema.seasons)),
        "columns": {
            name: [one.model_dump(mode="json") for one in getattr(schema, name)]
            for name in ("past", "future", "static")
        },
        "meanings": {name: MEANINGS[name] for name in (*_shapes(size), *UNITS)},
    }
    return Exported((_network(model, size, len(config.quantiles)),), reader, OUTSIDE)


UNITS = ("level", "scale", "least")


def _shapes(size: Sizes) -> dict[str, tuple[int, ...]]:
    """The inputs that the network reads, without their rows; those that would be empty are left out."""
    segments = size.look_back // size.segment - (-size.horizon // size.segment)
    found = {
        "past": (size.look_back,),
        "gone": (size.look_back,),
        "since": (size.look_back,),
        "members": (size.members, size.horizon),
        "context": (size.context,),
        "spread": (),
        "covariates": (size.look_back, size.past),
        "known": (size.look_back + size.horizon, size.future),
        "calendar": (segments, size.calendar),
    }
    return {name: shape for name, shape in found.items() if 0 not in shape}


def _network(model: Forecaster, size: Sizes, quantiles: int) -> Network:
    graph = Graph("forecast")
    x = {name: graph.input(name, FLOAT, ["batch", *shape]) for name, shape in _shapes(size).items()}
    level, scale, least = (graph.unsqueeze(graph.input(name, DOUBLE, ["batch"]), 1, 2) for name in UNITS)
    total = None
    for one in model.networks:
        assert isinstance(one, Recurrent)
        found = _quantiles(graph, one, x)
        total = found if total is None else total + found
    assert total is not None
    first = (model.networks[0].quantiles - 1) // 2 - model.middle  # type: ignore[operator]
    mean = graph.slice(total / len(model.networks), 2, first, first + quantiles)
    median = graph.slice(mean, 2, model.middle, model.middle + 1)
    groups = np.arange(size.horizon) * len(model.factors) // size.horizon
    apart = (mean - median) * graph.constant(layers.array(model.factors)[groups])
    count = graph.constant([quantiles], "int64")
    ordered = graph.ops("TopK", 2, median + apart, count, axis=2, largest=0, sorted=1)[0]
    graph.output("scaled", ordered, ["batch", size.horizon, quantiles])
    answer = graph.op("Max", ordered.cast(DOUBLE) * scale + level, least)
    graph.output("quantiles", answer, ["batch", size.horizon, quantiles])

    def trials(run: Run, rng: np.random.Generator) -> Iterator[tuple[Feeds, Feeds]]:
        for rows in ROWS:
            feeds = _drawn(size, rng, rows)
            with torch.no_grad():
                scaled = model(_inputs(size, feeds, rows)).double().numpy()
            found = scaled * feeds["scale"][:, None, None] + feeds["level"][:, None, None]
            found = np.maximum(found, feeds["least"][:, None, None])
            yield {"scaled": scaled, "quantiles": found}, run(feeds)

    return Network("whole", ABOUT, graph.model(), trials)


def _drawn(size: Sizes, rng: np.random.Generator, rows: int) -> dict[str, Array]:
    """Random windows: some values unknown, some far out, some series that have never changed."""
    feeds: dict[str, Array] = {}
    for name, shape in _shapes(size).items():
        feeds[name] = rng.standard_normal((rows, *shape), dtype=np.float32)
    gone: Array = np.less(rng.random(feeds["gone"].shape), 0.1)
    feeds["gone"] = gone.astype(np.float32)
    feeds["past"] = np.where(gone, 0, feeds["past"] * rng.choice([1, 1, 1, 50], (rows, 1))).astype(np.float32)
    feeds["since"], feeds["spread"] = np.abs(feeds["since"]), np.exp(feeds["spread"])
    for name in {"covariates", "known"} & feeds.keys():
        lost = rng.random(feeds[name].shape) < 0.1
        feeds[name] = np.where(lost, np.nan, np.clip(5 * feeds[name], -FAR, FAR)).astype(np.float32)
    feeds["level"] = 10 * rng.standard_normal(rows)
    feeds["scale"] = np.where(rng.random(rows) < 0.1, 0.0, np.exp(rng.standard_normal(rows)))
    feeds["least"] = np.where(rng.random(rows) < 0.5, 0.0, -np.inf)
    return feeds


def _inputs(size: Sizes, feeds: Feeds, rows: int) -> Inputs:
    """The same as the model takes it."""
    empty = {
        "covariates": (size.look_back, size.past),
        "known": (size.look_back + size.horizon, size.future),
        "calendar": (size.look_back // size.segment - (-size.horizon // size.segment), size.calendar),
    }
    given = {name: torch.from_numpy(feeds[name]) for name in _shapes(size)}
    given |= {name: torch.zeros(rows, *shape) for name, shape in empty.items() if name not in given}
    return Inputs(**given, target=torch.full((rows, size.horizon), torch.nan))


def _quantiles(graph: Graph, net: Recurrent, x: dict[str, Value]) -> Value:
    """(B, H, Q) of one network, in units of each window's scale about its level."""
    size, ahead = net.sizes, net.steps_ahead
    rows = graph.size(x["past"], 0)
    state = _encoded(graph, net, x, rows)
    steps = [graph.transpose(x["members"], 0, 2, 1)]
    if size.future:
        steps += _marked(graph, graph.slice(x["known"], 1, size.look_back, size.look_back + size.horizon))
    table = graph.concat(steps, 2)
    pad = graph.constant([0, 0, 0, 0, ahead * size.segment - size.horizon, 0], "int64")
    parts = [graph.reshape(graph.op("Pad", table, pad), rows, ahead, size.segment * _width(size))]
    if size.calendar:
        segments = size.look_back // size.segment
        parts.append(graph.slice(x["calendar"], 1, segments, segments + ahead))
    given = layers.linear(graph, graph.concat(parts, 2), net.ahead.weight, net.ahead.bias)
    d = graph.op("Relu", given + graph.constant(layers.array(net.position)))
    often = graph.expand(graph.unsqueeze(state, 1), rows, ahead, size.hidden)
    flat = [graph.reshape(one, -1, size.hidden) for one in (d, often)]
    (z,) = layers.step(graph, net.decoder, flat[0], [flat[1]])
    raw = layers.linear(graph, z, net.out.weight, net.out.bias)
    raw = graph.slice(graph.reshape(raw, rows, ahead * size.segment, net.quantiles), 1, 0, size.horizon)
    gate = graph.op("Softmax", layers.linear(graph, state, net.gate.weight, net.gate.bias), axis=1)
    base = graph.squeeze(graph.unsqueeze(gate, 1) @ x["members"], 1)
    base = base + layers.linear(graph, x["past"], net.linear.weight, net.linear.bias)
    return _spread(graph, net, base, raw, x["spread"])


def _width(size: Sizes) -> int:
    """Features of a step of the horizon."""
    return size.members + 2 * size.future


def _encoded(graph: Graph, net: Recurrent, x: dict[str, Value], rows: Value) -> Value:
    """(B, hidden) what the encoder has become over the look-back's segments."""
    size = net.sizes
    segments = size.look_back // size.segment
    steps = [graph.unsqueeze(x[name], 2) for name in ("past", "gone", "since")]
    if size.past:
        steps += _marked(graph, x["covariates"])
    if size.future:
        steps += _marked(graph, graph.slice(x["known"], 1, 0, size.look_back))
    width = size.segment * (3 + 2 * (size.past + size.future))
    parts = [graph.reshape(graph.concat(steps, 2), rows, segments, width)]
    if size.calendar:
        parts.append(graph.slice(x["calendar"], 1, 0, segments))
    e = graph.op("Relu", layers.linear(graph, graph.concat(parts, 2), net.read.weight, net.read.bias))
    start = graph.op("Tanh", layers.linear(graph, x["context"], net.start.weight, net.start.bias))
    state = [graph.unsqueeze(start, 0)]
    _, (last,) = layers.recurrent(graph, net.encoder, graph.transpose(e, 1, 0, 2), state=state)
    return graph.squeeze(last, 0)


def _marked(graph: Graph, x: Value) -> list[Value]:
    """Covariates with zeros where unknown, and a mask of where that is."""
    gone = graph.op("IsNaN", x)
    return [graph.where(gone, 0.0, x), gone.cast(FLOAT)]


def _spread(graph: Graph, net: Recurrent, base: Value, raw: Value, spread: Value) -> Value:
    """Quantiles about the median, at positive distances."""
    middle, many = net.quantiles // 2, net.quantiles
    ahead = np.arange(1, net.sizes.horizon + 1)
    growth = np.sqrt(1 + ahead) * np.exp(layers.array(net.growth, np.float64))
    unit = graph.unsqueeze(spread * 0.3, 1, 2) * graph.constant(growth[:, None], FLOAT)
    median = graph.unsqueeze(base, 2) + graph.slice(raw, 2, middle, middle + 1)
    apart = graph.op("Softplus", raw + 0.5) * unit
    axis = graph.constant(2, "int64")
    above = graph.op("CumSum", graph.slice(apart, 2, middle + 1, many), axis)
    below = graph.op("CumSum", graph.slice(apart, 2, 0, middle), axis, reverse=1)
    return graph.concat([median - below, median, median + above], 2)


def given(inputs: Inputs, level: Array, scale: Array, least: Array) -> dict[str, Array]:
    """The graph's inputs of the model's own and a view's units."""
    tensors: dict[str, Tensor] = {name: getattr(inputs, name) for name in MEANINGS if hasattr(inputs, name)}
    found = {name: one.numpy() for name, one in tensors.items() if 0 not in one.shape[1:]}
    return found | {"level": level[:, 0], "scale": scale[:, 0], "least": least}
