"""What the classifier's graphs are given: token numbers, or figures and categories; and random ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from recurra.data.ragged import ends
from recurra.data.values import NO_CATEGORY
from recurra.errors import DataError
from recurra.onnxgraph.graph import DOUBLE, FLOAT, INT, Array, Axis, Graph, Value
from recurra.onnxgraph.network import Feeds
from recurra.tasks.classify.encode import FAR, encode_sequences
from recurra.tasks.classify.model import Classifier
from recurra.tasks.classify.raw import Raw, Steps
from recurra.tasks.classify.schema import Channel, Schema
from recurra.tasks.classify.shape import TAPS
from recurra.tasks.classify.shapes import KERNELS, Shapes

# Rows and steps of the trials.
SIZES = ((1, 1), (1, 2), (5, 9), (1, 33), (3, 150))
# An output of a shape that is nearer to its threshold than this, in parts of the outputs' size, may fall on
# either side of it by rounding alone: no two programs need agree about such a sequence.
NEAR = 4e-6
REDRAWN = 40


def described(schema: Schema) -> dict[str, Any]:
    """What makes inputs of texts, events and cells."""
    if schema.vocabulary is not None:
        return {"vocabulary": schema.vocabulary.model_dump(mode="json")}
    channels = [
        {"name": one.name, "kind": one.kind, "categories": list(one.categories)} for one in schema.channels
    ]
    return {"channels": channels, "missing": list(NO_CATEGORY)}


def declared(graph: Graph, schema: Schema, shape: Sequence[Axis]) -> dict[str, Value]:
    """The graph's inputs: tokens; or values, NaN where missing, and codes, -1 where missing."""
    if schema.kind != "series":
        return {"tokens": graph.input("tokens", INT, shape)}
    figures, names = _kinds(schema)
    given = {}
    if figures:
        given["values"] = graph.input("values", DOUBLE, [*shape, len(figures)])
    if names:
        given["codes"] = graph.input("codes", INT, [*shape, len(names)])
    return given


def _kinds(schema: Schema) -> tuple[list[Channel], list[Channel]]:
    """Channels of figures, and of categories."""
    figures = [one for one in schema.channels if one.kind == "numeric"]
    return figures, [one for one in schema.channels if one.kind != "numeric"]


def encoded(graph: Graph, schema: Schema, given: Mapping[str, Value]) -> Value:
    """(..., C) what the members read: as `encode_sequences`, inside the graph."""
    figures, names = _kinds(schema)
    columns: dict[str, Value] = {}
    gone: dict[str, Value] = {}
    if figures:
        values = given["values"]
        top = np.array([max(abs(one.mean), one.scale, 1.0) for one in figures])
        mean, scale = (np.array([getattr(one, name) for one in figures]) for name in ("mean", "scale"))
        scaled = ((values / top - mean / top) / (scale / top)).cast(FLOAT)
        lost = graph.op("IsNaN", values)
        scaled = graph.op("Clip", graph.where(lost, 0.0, scaled), -FAR, FAR)
        for at, one in enumerate(figures):
            columns[one.name] = graph.slice(scaled, -1, at, at + 1)
            gone[one.name] = graph.slice(lost, -1, at, at + 1)
    for at, one in enumerate(names):
        code = graph.slice(given["codes"], -1, at, at + 1)
        columns[one.name] = graph.op("Equal", code, np.arange(len(one.categories) + 1)).cast(FLOAT)
        gone[one.name] = graph.op("Less", code, 0)
    flags = [gone[one.name].cast(FLOAT) for one in schema.channels if one.gaps]
    return graph.concat([*(columns[one.name] for one in schema.channels), *flags], -1)


def drawn(
    schema: Schema, model: Classifier, rng: np.random.Generator, *, ragged: bool
) -> Iterator[tuple[Feeds, Tensor]]:
    """Random inputs of the graphs, and what the model reads of the same: (B, T) or (B, T, C)."""
    for rows, steps in SIZES:
        lengths = rng.integers(1, steps + 1, rows) if ragged else np.full(rows, steps)
        lengths[0] = steps
        if schema.kind != "series":
            tokens = rng.integers(1, schema.width, (rows, steps))
            tokens[np.arange(steps) >= lengths[:, None]] = 0
            yield {"tokens": tokens, "lengths": lengths}, torch.from_numpy(tokens)
            continue
        feeds, x = _series(schema, rng, lengths, steps)
        for _ in range(REDRAWN):
            if not _at_a_threshold(model.counted, x):
                break
            feeds, x = _series(schema, rng, lengths, steps)
        else:
            continue
        yield feeds, x


def _series(
    schema: Schema, rng: np.random.Generator, lengths: Array, steps: int
) -> tuple[dict[str, Array], Tensor]:
    """Values about those of training, some missing and some far out, and some unknown categories."""
    total, rows = int(lengths.sum()), len(lengths)
    figures, names = _kinds(schema)
    cells: dict[str, pl.Series] = {}
    flat: dict[str, Array] = {}
    if figures:
        mean, scale = (np.array([getattr(one, name) for one in figures]) for name in ("mean", "scale"))
        values = mean + scale * rng.standard_normal((total, len(figures))) * rng.choice(
            [1, 1, 30], (total, 1)
        )
        values[rng.random(values.shape) < 0.05] = np.nan
        flat["values"] = values
        cells |= {one.name: pl.Series(values[:, at]) for at, one in enumerate(figures)}
    if names:
        sizes = [len(one.categories) for one in names]
        codes = np.stack([rng.integers(-1, size + 1, total) for size in sizes], 1)
        flat["codes"] = codes
        for at, one in enumerate(names):
            said = [*one.categories, "\0 not one of them", None]
            cells[one.name] = pl.Series([said[code] for code in codes[:, at]], dtype=pl.String)
    ordered = {one.name: cells[one.name] for one in schema.channels}
    offsets = ends(lengths)
    raw = Raw([""] * rows, None, Steps(ordered, offsets), None, None, _problem, (), "")
    x, _ = encode_sequences(schema, raw).padded(np.arange(rows))
    inside = np.arange(steps) < lengths[:, None]
    feeds: dict[str, Array] = {"lengths": lengths}
    for name, given in flat.items():
        feeds[name] = np.zeros((rows, steps, given.shape[1]), dtype=given.dtype)
        feeds[name][inside] = given
    return feeds, x


def _problem(message: str, n: int, column: str | None) -> DataError:
    return DataError(message, row=n, column=column)


def _at_a_threshold(counted: Any, x: Tensor) -> bool:
    """Whether rounding could decide on which side of its threshold a shape's output lies."""
    if not isinstance(counted, Shapes):
        return False
    for n, dilation in enumerate(counted.dilations):
        part = slice(n * len(KERNELS), (n + 1) * len(KERNELS))
        kernels, thresholds = counted.kernels[part].double(), counted.thresholds[part].double()
        padded = torch.nn.functional.pad(x.double().transpose(1, 2), ((TAPS - 1) * dilation, 0))
        output = torch.nn.functional.conv1d(padded, kernels, dilation=dilation)
        apart = (output[:, :, None] - thresholds[None, :, :, None]).abs()
        if bool((apart < NEAR * output.abs().clamp(min=1.0)[:, :, None]).any()):
            return True
    return False
