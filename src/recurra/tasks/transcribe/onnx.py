"""The recogniser as ONNX: what is heard from moment to moment, and the network, whole or step by step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.data.tokens import BORDER
from recurra.onnxgraph import layers
from recurra.onnxgraph.graph import FLOAT, INT, Graph, Value
from recurra.onnxgraph.network import Exported, Feeds, Network, Run
from recurra.onnxgraph.states import States, stepwise
from recurra.tasks.transcribe.augment import log_mel
from recurra.tasks.transcribe.features import FLOOR, PRIOR, REACH, STACK, TAIL, LogMel, lengths
from recurra.tasks.transcribe.model import Recogniser
from recurra.tasks.transcribe.schema import Schema

HEARS = (
    "hears samples of one channel at the rate in reader.json: log-mel energies of each frame, (frames, bands)"
)
WHOLE = "reads the steps of whole recordings: log p of each token at each step"
STEP = "goes on by one step: log p of each token, and the states"
SIZES = ((1, 1), (3, 7), (1, 40), (2, 120))  # rows and steps of the trials
OUTSIDE = (
    "Texts are those of the likeliest token at each step: the beam search with its language model is in the "
    "bundle alone."
)


def exported(model: Recogniser, schema: Schema, live: bool) -> Exported:
    """The graphs, and what makes steps of frames and a text of tokens."""
    window, hop = lengths(schema.rate)
    reader: dict[str, Any] = {
        "tokens": schema.tokens.model_dump(mode="json"),
        "rate": schema.rate,
        "frame": {"window": window, "hop": hop, "stack": STACK, "tail": TAIL},
        "mean": {"first": schema.mean, "prior": PRIOR, "reach": REACH},
        "deviation": schema.deviation,
        "border": BORDER,
    }
    networks = [_hears(log_mel(schema.rate), schema.rate), _whole(model)]
    if live:
        step, reader["states"] = _step(model)
        networks.append(step)
    return Exported(tuple(networks), reader, OUTSIDE)


def _hears(mel: LogMel, rate: int) -> Network:
    graph = Graph("transcribe_hears")
    window, hop = lengths(rate)
    samples = graph.input("samples", FLOAT, ["samples"])
    waves = graph.constant(layers.array(mel.waves)[:, None], name="waves")
    waved = graph.op("Conv", graph.unsqueeze(samples, 0, 1), waves, strides=[hop])
    square = graph.squeeze(waved * waved, 0)
    many = len(mel.waves) // 2
    power = graph.slice(square, 0, 0, many) + graph.slice(square, 0, many, 2 * many)
    energies = layers.linear(graph, graph.transpose(power, 1, 0), mel.bank)
    graph.output("frames", graph.op("Log", graph.op("Max", energies, FLOOR)), ["frames", mel.bands])

    def trials(run: Run, rng: np.random.Generator) -> Iterator[tuple[Feeds, Feeds]]:
        for many in (window, window + hop - 1, rate // 2, 3 * rate):
            for loud in (0.0, 1e-3, 0.3):
                heard = (loud * rng.standard_normal(many)).astype(np.float32)
                yield {"frames": mel(heard)}, run({"samples": heard})

    return Network("hears", HEARS, graph.model(), trials)


def _whole(model: Recogniser) -> Network:
    graph = Graph("transcribe")
    wide = model.inputs
    steps = graph.input("steps", FLOAT, ["batch", "time", wide])
    many = graph.input("lengths", INT, ["batch"])
    y = graph.transpose(steps, 1, 0, 2)
    for number, layer in enumerate(model.recurrent()):
        x, _ = layers.recurrent(graph, layer, y, lengths=many)
        y = x + y if number else x
    logs = _logarithms(graph, model, graph.transpose(y, 1, 0, 2))
    graph.output("log_probabilities", logs, ["batch", "time", len(model.never)])

    def trials(run: Run, rng: np.random.Generator) -> Iterator[tuple[Feeds, Feeds]]:
        for rows, longest in SIZES:
            x = rng.standard_normal((rows, longest, wide), dtype=np.float32)
            of = rng.integers(1, longest + 1, rows)
            of[0] = longest
            with torch.no_grad():
                logs, _ = model(torch.from_numpy(x), torch.from_numpy(of))
            answer = run({"steps": x, "lengths": of})
            # What is beyond a recording's end has no meaning.
            within = np.arange(longest) < of[:, None]
            yield (
                {"log_probabilities": logs.numpy()[within]},
                {"log_probabilities": answer["log_probabilities"][within]},
            )

    return Network("whole", WHOLE, graph.model(), trials)


def _step(model: Recogniser) -> tuple[Network, dict[str, Any]]:
    graph = Graph("transcribe_step")
    y = graph.unsqueeze(graph.input("step", FLOAT, ["batch", model.inputs]), 0)
    states = States(graph)
    for number, layer in enumerate(model.recurrent()):
        names = [f"{part}{number}" for part in model.parts]
        before = [graph.unsqueeze(states.take(name, FLOAT, [model.hidden]), 0) for name in names]
        x, after = layers.recurrent(graph, layer, y, state=before)
        y = x + y if number else x
        for name, s in zip(names, after, strict=True):
            states.give(name, graph.squeeze(s, 0))
    logs = _logarithms(graph, model, graph.squeeze(y, 0))
    graph.output("log_probabilities", logs, ["batch", len(model.never)])

    def trials(run: Run, rng: np.random.Generator) -> Iterator[tuple[Feeds, Feeds]]:
        for rows, steps in SIZES:
            x = rng.standard_normal((rows, steps, model.inputs), dtype=np.float32)
            with torch.no_grad():
                logs, _ = model(torch.from_numpy(x))
            each: list[Feeds] = [{"step": x[:, t]} for t in range(steps)]
            for t, answer in enumerate(stepwise(run, states.described, rows, each)):
                yield {"log_probabilities": logs[:, t].numpy()}, answer

    return Network("step", STEP, graph.model(), trials), states.described


def _logarithms(graph: Graph, model: Recogniser, y: Value) -> Value:
    bias: Tensor = model.out.bias + model.never
    return graph.op("LogSoftmax", layers.linear(graph, y, model.out.weight, bias), axis=-1)
