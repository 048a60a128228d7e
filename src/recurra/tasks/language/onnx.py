"""The language model as ONNX: a graph that reads and judges text, and one that goes on token by token."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from recurra.data.tokens import BORDER
from recurra.nn.tied import TiedTokens
from recurra.onnxgraph import layers
from recurra.onnxgraph.graph import FLOAT, INT, Array, Graph, Value
from recurra.onnxgraph.network import Exported, Feeds, Network, Run
from recurra.onnxgraph.states import NEXT, States, stepwise
from recurra.tasks.language import scoring
from recurra.tasks.language.model import LanguageModel
from recurra.tasks.language.schema import Schema

WHOLE = (
    "reads rows of one document each: nats (minus log p) of the targets, which stand one later than the "
    "tokens, log p of what comes after each row, and the states"
)
STEP = "goes on by one token: log p of the next, and the states"
SIZES = ((1, 1), (3, 7), (1, 40), (2, 120))  # rows and steps of the trials


def exported(model: LanguageModel, schema: Schema) -> Exported:
    """The graphs, the tokens, and how text is cut into documents and documents into streams."""
    whole, states = _whole(model)
    reader = {
        "tokens": schema.tokens.model_dump(mode="json"),
        "documents": schema.documents,
        "streams": {
            "most": scoring.STREAMS,
            "tokens": scoring.STREAM,
            "warm_up": scoring.WARM_UP,
            "chances": scoring.CHANCES,
        },
        "states": states,
    }
    return Exported((whole, _step(model)), reader)


def _whole(model: LanguageModel) -> tuple[Network, dict[str, Any]]:
    graph = Graph("language")
    tokens, targets = (graph.input(name, INT, ["batch", "time"]) for name in ("tokens", "targets"))
    lengths = graph.input("lengths", INT, ["batch"])
    states = States(graph)
    tables = _tables(graph, model.words)
    y = graph.transpose(_layers(graph, model, tables, tokens, states=states, lengths=lengths), 1, 0, 2)
    within = layers.inside(graph, graph.size(tokens, 1), lengths)
    told = graph.op("And", within, graph.op("Greater", targets, BORDER))
    logs = _log_probabilities(graph, model.words, tables, y)
    chosen = graph.op("GatherElements", logs, graph.unsqueeze(targets, 2), axis=2)
    graph.output("nats", graph.where(told, -graph.squeeze(chosen, 2), 0.0), ["batch", "time"])
    last = graph.op("GatherND", y, graph.unsqueeze(lengths - 1, 1), batch_dims=1)
    after = _log_probabilities(graph, model.words, tables, last)
    graph.output("log_probabilities", after, ["batch", model.words.tokens])

    def trials(run: Run, rng: np.random.Generator) -> Iterator[tuple[Feeds, Feeds]]:
        for rows, steps in SIZES:
            feeds: dict[str, Array] = {
                "tokens": rng.integers(1, model.words.tokens, (rows, steps)),
                "targets": rng.integers(0, model.words.tokens, (rows, steps)),
                "lengths": rng.integers(1, steps + 1, rows),
            }
            feeds["lengths"][0] = steps
            for name, one in states.described.items():
                feeds[name] = 0.5 * rng.standard_normal((rows, *one["shape"]), dtype=np.float32)
            if rows > 1:  # the beginning of a document, and of a text that follows nothing
                feeds["tokens"][1, 0] = BORDER
                for name in states.described:
                    feeds[name][1] = 0.0
            yield _read(model, feeds), run(feeds)

    return Network("whole", WHOLE, graph.model(), trials), states.described


def _step(model: LanguageModel) -> Network:
    graph = Graph("language_step")
    tokens = graph.input("tokens", INT, ["batch"])
    states = States(graph)
    tables = _tables(graph, model.words)
    y = graph.squeeze(_layers(graph, model, tables, graph.unsqueeze(tokens, 1), states=states), 0)
    graph.output(
        "log_probabilities", _log_probabilities(graph, model.words, tables, y), ["batch", model.words.tokens]
    )

    def trials(run: Run, rng: np.random.Generator) -> Iterator[tuple[Feeds, Feeds]]:
        for rows, steps in SIZES:
            tokens = rng.integers(1, model.words.tokens, (rows, steps))
            tokens[:, 0] = BORDER
            with torch.no_grad():
                logs, _ = model.log_probabilities(torch.from_numpy(tokens.T.copy()))
            each: list[Feeds] = [{"tokens": tokens[:, t]} for t in range(steps)]
            for t, answer in enumerate(stepwise(run, states.described, rows, each)):
                yield {"log_probabilities": logs[t].numpy()}, answer

    return Network("step", STEP, graph.model(), trials)


def _layers(
    graph: Graph,
    model: LanguageModel,
    tables: list[Value],
    tokens: Value,
    *,
    states: States,
    lengths: Value | None = None,
) -> Value:
    """(T, B, E) the last layer's outputs of tokens (B, T)."""
    x = graph.transpose(_embedded(graph, model.words, tables, tokens), 1, 0, 2)
    for number, layer in enumerate(model.recurrent()):
        names = [f"{one}{number}" for one in layers.cell_of(layer).states]
        before = [graph.unsqueeze(states.take(one, FLOAT, [layer.hidden_size]), 0) for one in names]
        x, after = layers.recurrent(graph, layer, x, state=before, lengths=lengths)
        for one, s in zip(names, after, strict=True):
            states.give(one, graph.squeeze(s, 0))
    return x


def _tables(graph: Graph, words: TiedTokens) -> list[Value]:
    """The tables of tokens' vectors, which the input and the output share."""
    return [graph.constant(layers.array(one), name="table") for one in words.tables]


def _embedded(graph: Graph, words: TiedTokens, tables: list[Value], tokens: Value) -> Value:
    """(B, T, E) of token numbers (B, T)."""
    if not words.widen:
        return graph.gather(tables[0], tokens)
    found = None
    for k, (begin, end) in enumerate(pairwise((0, *words.ends))):
        rows = graph.gather(tables[k], graph.op("Clip", tokens - begin, 0, end - begin - 1))
        rows = rows if k == 0 else layers.linear(graph, rows, words.widen[k - 1])
        mine = graph.unsqueeze(graph.op("GreaterOrEqual", tokens, begin), 2)
        found = rows if found is None else graph.where(mine, rows, found)
    assert found is not None
    return found


def _log_probabilities(graph: Graph, words: TiedTokens, tables: list[Value], y: Value) -> Value:
    """(..., V) of y (..., E)."""
    biases = [graph.constant(layers.array(one), name="bias") for one in words.biases]
    if not words.widen:
        scores = y @ graph.transpose(tables[0], 1, 0) + biases[0]
        return graph.op("LogSoftmax", scores, axis=-1)
    others = layers.linear(graph, y, words.others, words.others_bias)
    head = graph.concat([y @ graph.transpose(tables[0], 1, 0) + biases[0], others], -1)
    head = graph.op("LogSoftmax", head, axis=-1)
    first = words.ends[0]
    parts = [graph.slice(head, -1, 0, first)]
    for k in range(1, len(words.ends)):
        group = graph.slice(head, -1, first + k - 1, first + k)
        narrow = layers.linear(graph, y, words.widen[k - 1].T)
        inside = narrow @ graph.transpose(tables[k], 1, 0) + biases[k]
        parts.append(group + graph.op("LogSoftmax", inside, axis=-1))
    return graph.concat(parts, -1)


def _read(model: LanguageModel, feeds: Feeds) -> Feeds:
    """What the model itself gives, row by row."""
    found: dict[str, list[Array]] = {}
    for row, length in enumerate(feeds["lengths"].tolist()):
        tokens = torch.from_numpy(feeds["tokens"][row, :length, None].copy())
        targets = torch.from_numpy(feeds["targets"][row, :length, None].copy())
        state = []
        for number, layer in enumerate(model.recurrent()):
            names = [f"{one}{number}" for one in layers.cell_of(layer).states]
            own = tuple(torch.from_numpy(feeds[name][row][None, None].copy()) for name in names)
            state.append(own if len(own) > 1 else own[0])
        with torch.no_grad():
            logs, after = model.log_probabilities(tokens, state)
        nats = -logs.gather(2, targets[..., None])[:, 0, 0] * (targets[:, 0] != BORDER)
        padded = np.zeros(feeds["tokens"].shape[1], dtype=np.float32)
        padded[:length] = nats.numpy()
        flat = [one for s in after for one in (s if isinstance(s, tuple) else (s,))]
        names = [name for name in feeds if name not in ("tokens", "targets", "lengths")]
        answer = {"nats": padded, "log_probabilities": logs[-1, 0].numpy()}
        answer |= {NEXT + name: s[0, 0].numpy() for name, s in zip(names, flat, strict=True)}
        for name, one in answer.items():
            found.setdefault(name, []).append(one)
    return {name: np.stack(rows) for name, rows in found.items()}
