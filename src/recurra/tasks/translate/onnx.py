"""The translator as ONNX: a graph that reads sources, and one that writes a token more of translations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from recurra.data.tokens import BORDER, UNKNOWN
from recurra.decode.beam import Beam
from recurra.onnxgraph import attending, layers
from recurra.onnxgraph.graph import INT, Array, Graph
from recurra.onnxgraph.network import Exported, Feeds, Network, Run
from recurra.onnxgraph.states import NEXT
from recurra.tasks.translate.decoding import LONGER
from recurra.tasks.translate.model import Batch, Translator
from recurra.tasks.translate.schema import Schema

ENCODER = (
    "reads sources: what the decoder attends to (values and keys, beyond a row's length of no meaning), and "
    "the decoder's first states, those that are not zero"
)
STEP = (
    "writes on by one token: log p of the next, what is attended to, and the states; values, keys and "
    "lengths are those of each row's source, or of one source for all rows"
)
SIZES = ((1, 1, 1), (3, 7, 5), (1, 40, 30), (2, 120, 60))  # rows, steps of the source and of the target


def exported(model: Translator, schema: Schema, beam: Beam) -> Exported:
    """The graphs, the tokens of both sides, and how translations are looked for."""
    step, states = _step(model)
    shared = {"target": schema.target.model_dump(mode="json")} if not schema.shared else {}
    reader = {
        "source": schema.source.model_dump(mode="json"),
        **shared,
        "names": list(schema.names),
        "beam": asdict(beam),
        "ratio": schema.ratio,
        "longer": LONGER,
        "border": BORDER,
        # An unknown word is written where one of the source can be copied in its place.
        "never": [] if schema.target.unit == "words" else [UNKNOWN],
        "states": states,
    }
    return Exported((_encoder(model), step), reader)


def _encoder(model: Translator) -> Network:
    graph = Graph("translate_encoder")
    tokens, lengths = graph.input("tokens", INT, ["batch", "time"]), graph.input("lengths", INT, ["batch"])
    table = model.words.tables[0] if model.source is None else model.source.weight
    x = graph.transpose(layers.embedding(graph, tokens, table), 1, 0, 2)
    y, last = layers.recurrent(graph, model.encoder, x, lengths=lengths)
    values = graph.transpose(y, 1, 0, 2)
    keys = attending.linear(graph, values, model.attention.key)
    hidden, wide = model.lower.hidden_size, 2 * model.lower.hidden_size
    ends = graph.reshape(graph.transpose(last[0], 1, 0, 2), graph.size(tokens, 0), wide)
    graph.output("values", values, ["batch", "time", wide])
    graph.output("keys", keys, ["batch", "time", hidden])
    attending.first_states(graph, model, attending.linear(graph, ends, model.bridge))

    def trials(run: Run, rng: np.random.Generator) -> Iterator[tuple[Feeds, Feeds]]:
        for rows, steps, _ in SIZES:
            source, many = _drawn(rng, rows, steps, _tokens_read(model))
            yield _encoded(model, source, many), run({"tokens": source, "lengths": many})

    return Network("encoder", ENCODER, graph.model(), trials)


def _step(model: Translator) -> tuple[Network, dict[str, Any]]:
    graph, states = attending.step(model, "translate_step", ragged=True)

    def trials(run: Run, rng: np.random.Generator) -> Iterator[tuple[Feeds, Feeds]]:
        for rows, steps, many in SIZES:
            yield from _written(model, run, rng, (rows, steps, many), one=False)
        yield from _written(model, run, rng, SIZES[1], one=True)

    return Network("step", STEP, graph.model(), trials), states


def _tokens_read(model: Translator) -> int:
    return model.words.tokens if model.source is None else model.source.num_embeddings


def _drawn(rng: np.random.Generator, rows: int, steps: int, tokens: int) -> tuple[Array, Array]:
    """Random sources, padded, and their lengths, one of which is as long as can be."""
    lengths = rng.integers(1, steps + 1, rows)
    lengths[0] = steps
    source = rng.integers(1, tokens, (rows, steps))
    source[np.arange(steps) >= lengths[:, None]] = BORDER
    return source, lengths


def _encoded(model: Translator, source: Array, lengths: Array) -> Feeds:
    """What the model itself makes of sources."""
    with torch.no_grad():
        memory, state = model.encode(torch.from_numpy(source), torch.from_numpy(lengths))
    first = [(one[0] if model.several else one)[0].numpy() for one in state]
    return {
        "values": memory.values.numpy(),
        "keys": memory.keys.numpy(),
        "lower_h": first[0],
        "upper_h": first[1],
    }


def _written(
    model: Translator, run: Run, rng: np.random.Generator, size: tuple[int, int, int], *, one: bool
) -> Iterator[tuple[Feeds, Feeds]]:
    """Random translations, step by step. one: all are of one source, which is given once."""
    rows, steps, many = size
    source, lengths = _drawn(rng, 1 if one else rows, steps, _tokens_read(model))
    target = rng.integers(1, model.words.tokens, (rows, many))
    sources, long = (np.broadcast_to(each, (rows, *each.shape[1:])).copy() for each in (source, lengths))
    batch = Batch(
        torch.from_numpy(sources), torch.from_numpy(long), torch.from_numpy(target), torch.full((rows,), many)
    )
    with torch.no_grad():
        read, attention = model(batch)
        logs = F.log_softmax(model.words.logits(read.flatten(0, 1)), -1).view(rows, many + 1, -1)
    memory = dict(_encoded(model, source, lengths))
    zeros = np.zeros((rows, model.lower.hidden_size), dtype=np.float32)
    states = {name: np.repeat(memory.pop(name), rows // len(source), 0) for name in ("lower_h", "upper_h")}
    states |= {"lower_c": zeros, "upper_c": zeros} if model.several else {}
    states |= {"fed": np.zeros((rows, model.words.width), dtype=np.float32)} if model.feeding else {}
    before = np.concatenate([np.full((rows, 1), BORDER), target], 1)
    for t in range(many + 1):
        found = run({"tokens": before[:, t], "lengths": lengths, **memory, **states})
        states = {name: np.asarray(found[NEXT + name]) for name in states}
        wanted = {"log_probabilities": logs[:, t].numpy(), "attention": attention[:, t].numpy()}
        yield wanted, found
