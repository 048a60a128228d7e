"""The captioner as ONNX: a graph that looks at pictures, and one that writes a token more of captions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from recurra.data.tokens import BORDER, UNKNOWN
from recurra.decode.beam import Beam
from recurra.nn.convolution import Conv2d, GroupNorm
from recurra.onnxgraph import attending, layers
from recurra.onnxgraph.graph import FLOAT, INT, UINT8, Array, Graph, Value
from recurra.onnxgraph.network import Exported, Feeds, Network, Run
from recurra.onnxgraph.states import NEXT
from recurra.tasks.caption.augment import MIDDLE, SPREAD
from recurra.tasks.caption.captioning import LONGER
from recurra.tasks.caption.encoder import Block, Encoder
from recurra.tasks.caption.model import Batch, Captioner
from recurra.tasks.caption.schema import Schema

ENCODER = (
    "looks at {what}: what the decoder attends to (values and keys of each part), and the decoder's first "
    "states, those that are not zero"
)
STEP = (
    "writes on by one token: log p of the next, what is attended to, and the states; values and keys are "
    "those of each row's picture, or of one picture for all rows"
)
BACKBONE = (
    "Features are those of the backbone's last output of places, which is the user's own file and not among "
    "these; reader.json describes it."
)
SIZES = ((1, 5), (3, 9))  # pictures and tokens of the trials


def exported(model: Captioner, schema: Schema, beam: Beam) -> Exported:
    """The graphs, the tokens, and how captions are looked for."""
    step, states = _step(model, schema)
    backbone = None if schema.backbone is None else schema.backbone.model_dump(mode="json")
    reader: dict[str, Any] = {
        "tokens": schema.tokens.model_dump(mode="json"),
        "side": schema.shape.side,
        "grid": list(schema.shape.grid),
        **({} if backbone is None else {"backbone": backbone}),
        "beam": asdict(beam),
        "longest": schema.longest + LONGER,
        "border": BORDER,
        "never": [UNKNOWN, schema.tokens.newline],
        "states": states,
    }
    return Exported((_encoder(model, schema), step), reader, BACKBONE if backbone else "")


def _encoder(model: Captioner, schema: Schema) -> Network:
    graph, shape = Graph("caption_encoder"), schema.shape
    rows, columns = shape.grid
    if model.encoder is None:
        values = graph.input("features", FLOAT, ["batch", rows * columns, shape.channels])
    else:
        pixels = graph.input("pixels", UINT8, ["batch", shape.side, shape.side, 3])
        x = (graph.transpose(pixels.cast(FLOAT), 0, 3, 1, 2) - MIDDLE) / SPREAD
        seen = _seen(graph, model.encoder, x)
        flat = graph.reshape(seen, graph.size(seen, 0), shape.channels, rows * columns)
        values = graph.transpose(flat, 0, 2, 1)
    mean = graph.reduce("Mean", values, [1])
    graph.output("values", values, ["batch", rows * columns, shape.channels])
    keys = attending.linear(graph, values, model.attention.key)
    graph.output("keys", keys, ["batch", rows * columns, shape.hidden])
    attending.first_states(graph, model, attending.linear(graph, mean, model.bridge))

    def trials(run: Run, rng: np.random.Generator) -> Iterator[tuple[Feeds, Feeds]]:
        name = "features" if model.encoder is None else "pixels"
        for many, _ in SIZES:
            seen = _drawn(schema, rng, many)
            yield _looked(model, seen), run({name: seen})

    what = "features" if model.encoder is None else "pictures"
    return Network("encoder", ENCODER.format(what=what), graph.model(), trials)


def _seen(graph: Graph, encoder: Encoder, x: Value) -> Value:
    """Features (B, C, h, w) of pictures (B, 3, S, S)."""
    for layer in encoder.stem:
        if isinstance(layer, Conv2d):
            x = _convolved(graph, layer, x)
        elif isinstance(layer, GroupNorm):
            x = _normed(graph, layer, x)
        else:
            x = graph.op("Relu", x)
    for block in encoder.stages:
        assert isinstance(block, Block)
        y = graph.op("Relu", _normed(graph, block.first_norm, _convolved(graph, block.first, x)))
        y = _normed(graph, block.second_norm, _convolved(graph, block.second, y))
        if block.step > 1:
            size = [block.step, block.step]
            x = graph.op("AveragePool", x, kernel_shape=size, strides=size)
        x = graph.op("Relu", (x if block.short is None else _convolved(graph, block.short, x)) + y)
    return x


def _convolved(graph: Graph, layer: Conv2d, x: Value) -> Value:
    weight = graph.constant(layers.array(layer.weight), name="weight")
    around = int(layer.padding[0])
    return graph.op("Conv", x, weight, strides=list(layer.stride), pads=[around] * 4)


def _normed(graph: Graph, layer: GroupNorm, x: Value) -> Value:
    ones, zeros = np.ones(layer.num_groups, np.float32), np.zeros(layer.num_groups, np.float32)
    groups = graph.reshape(x, graph.size(x, 0), layer.num_groups, -1)
    normed = graph.op("InstanceNormalization", groups, ones, zeros, epsilon=layer.eps)
    y = graph.op("Reshape", normed, graph.op("Shape", x, dtype=INT))
    scale, shift = (layers.array(one)[:, None, None] for one in (layer.weight, layer.bias))
    return y * scale + shift


def _step(model: Captioner, schema: Schema) -> tuple[Network, dict[str, Any]]:
    graph, states = attending.step(model, "caption_step", ragged=False)

    def trials(run: Run, rng: np.random.Generator) -> Iterator[tuple[Feeds, Feeds]]:
        for many, tokens in SIZES:
            yield from _written(model, schema, run, rng, (many, many, tokens))
        yield from _written(model, schema, run, rng, (1, 4, 6))

    return Network("step", STEP, graph.model(), trials), states


def _drawn(schema: Schema, rng: np.random.Generator, many: int) -> Array:
    """Random pictures, or features."""
    shape = schema.shape
    if shape.widths:
        # Of few colours, then of many, so that places differ.
        size = shape.side // 4 + 1
        coarse = rng.integers(0, 256, (many, 4, 4, 3)).repeat(size, 1).repeat(size, 2)
        noise = rng.integers(-20, 20, (many, shape.side, shape.side, 3))
        pixels: Array = np.clip(coarse[:, : shape.side, : shape.side] + noise, 0, 255).astype(np.uint8)
        return pixels
    return rng.standard_normal((many, shape.grid[0] * shape.grid[1], shape.channels), dtype=np.float32)


def _looked(model: Captioner, seen: Array) -> Feeds:
    """What the model itself makes of pictures."""
    with torch.no_grad():
        memory, state = model.look(torch.from_numpy(seen))
    first = [(one[0] if model.several else one)[0].numpy() for one in state]
    return {
        "values": memory.values.numpy(),
        "keys": memory.keys.numpy(),
        "lower_h": first[0],
        "upper_h": first[1],
    }


def _written(
    model: Captioner, schema: Schema, run: Run, rng: np.random.Generator, size: tuple[int, int, int]
) -> Iterator[tuple[Feeds, Feeds]]:
    """Random captions of some pictures, step by step; of one picture, which is given once, several."""
    pictures, rows, many = size
    seen = _drawn(schema, rng, pictures)
    target = rng.integers(1, model.words.tokens, (rows, many))
    of = torch.arange(rows) % pictures
    batch = Batch(torch.from_numpy(seen), of, torch.from_numpy(target), torch.full((rows,), many))
    with torch.no_grad():
        read, attention = model(batch)
        logs = F.log_softmax(model.words.logits(read.flatten(0, 1)), -1).view(rows, many + 1, -1)
    memory = dict(_looked(model, seen))
    states = {name: memory.pop(name)[of.numpy()] for name in ("lower_h", "upper_h")}
    zeros = np.zeros((rows, model.lower.hidden_size), dtype=np.float32)
    states |= {"lower_c": zeros, "upper_c": zeros} if model.several else {}
    before = np.concatenate([np.full((rows, 1), BORDER), target], 1)
    for t in range(many + 1):
        found = run({"tokens": before[:, t], **memory, **states})
        states = {name: np.asarray(found[NEXT + name]) for name in states}
        yield {"log_probabilities": logs[:, t].numpy(), "attention": attention[:, t].numpy()}, found
