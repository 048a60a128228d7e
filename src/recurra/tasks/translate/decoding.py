"""The decoder a step at a time, for many sources side by side, each with several translations under way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.data.frequency import Array
from recurra.data.ragged import Ragged
from recurra.data.tokens import BORDER, UNKNOWN
from recurra.decode.beam import Beam, Hypothesis, Progress, search
from recurra.tasks.translate.model import Translator
from recurra.tasks.translate.schema import Schema

# Sources that are translated side by side, and tokens of them at most.
TOGETHER, TOKENS = 32, 2048
# A translation is at most so many tokens longer than the ratio of training says.
LONGER = 10


class Steps:
    """The decoder's layers by rows. What a row becomes depends on its source and tokens alone, bit by bit.

    The weights are those of when this was made.
    """

    def __init__(self, model: Translator) -> None:
        self._model = model
        self._rows = [model.lower.rows(), model.upper.rows()]

    @torch.no_grad()
    def begin(self, sources: Sequence[Array]) -> None:
        """Read the sources (T,), each 1 token or more."""
        model = self._model
        lengths = torch.tensor([len(one) for one in sources])
        padded = np.zeros((len(sources), int(lengths.max())), dtype=np.int64)
        for row, one in zip(padded, sources, strict=True):
            row[: len(one)] = one
        memory, state = model.encode(torch.from_numpy(padded), lengths)
        self._memory = [
            (values[:many].contiguous(), keys[:many].contiguous())
            for values, keys, many in zip(memory.values, memory.keys, lengths.tolist(), strict=True)
        ]
        self._state = [_by_name(one) for one in state]
        self._fed = memory.values.new_zeros(len(sources), model.words.width)

    def step(self, parents: Tensor, inputs: Sequence[int], tokens: Tensor) -> tuple[Tensor, list[Tensor]]:
        """See recurra.decode.beam.Decoder."""
        model, rows = self._model, torch.arange(len(parents))
        self._state = [{k: v.index_select(0, parents) for k, v in one.items()} for one in self._state]
        x = model.words.embed(tokens)
        if model.feeding:
            x = torch.cat([x, self._fed.index_select(0, parents)], 1)
        query = self._rows[0](x, self._state[0], rows)
        contexts, weights = [], []
        for number, begin, end in _runs(inputs):
            context, weight = model.attention.alone(query[begin:end], *self._memory[number])
            contexts.append(context)
            weights.append(weight)
        context = torch.cat(contexts)
        y = self._rows[1](torch.cat([query, context], 1), self._state[1], rows)
        self._fed = model.read_out(y, context)
        return F.log_softmax(model.words.logits(self._fed), 1), weights


def _by_name(state: Any) -> dict[str, Tensor]:
    """A layer's first state (1, B, H), or LSTM's two, as its rows name them."""
    if isinstance(state, tuple):
        return {"h0": state[0][0], "c0": state[1][0]}
    return {"h0": state[0]}


def _runs(inputs: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Each input, and which rows are its own."""
    begin = 0
    for at in range(1, len(inputs) + 1):
        if at == len(inputs) or inputs[at] != inputs[begin]:
            yield inputs[begin], begin, at
            begin = at


def translated(
    model: Translator, schema: Schema, sources: Ragged, beam: Beam, progress: Progress | None = None
) -> list[list[Hypothesis]]:
    """The best translations of each source, the best first; of one without tokens the empty one."""
    empty = Hypothesis([], 0.0, 0.0, np.zeros((0, 0), dtype=np.float32))
    found: list[list[Hypothesis]] = [[empty] for _ in range(len(sources))]
    model.eval()
    steps = Steps(model)
    for group in _groups(sources.lengths):
        steps.begin([sources[n] for n in group])
        most = [_most(schema, int(many), beam) for many in sources.lengths[group]]
        told = None if progress is None else _numbered(progress, group)
        # An unknown token is written where a word of the source can be copied in its place.
        never = () if schema.target.unit == "words" else (UNKNOWN,)
        texts = search(steps, most, beam, begin=BORDER, end=BORDER, never=never, progress=told)
        for n, one in zip(group, texts, strict=True):
            found[n] = one or [empty]
    return found


def _most(schema: Schema, tokens: int, beam: Beam) -> int:
    most = int(np.ceil(schema.ratio * (tokens + 1))) + LONGER
    return most if beam.most is None else min(most, beam.most)


def _numbered(progress: Progress, group: Array) -> Progress:
    return lambda number, tokens: progress(int(group[number]), tokens)


def _groups(lengths: Array) -> Iterator[Array]:
    """Numbers of sources that are translated together, of about the same length; none without tokens."""
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]
    at = 0
    while at < len(order):
        size = max(1, min(TOGETHER, TOKENS // int(lengths[order[min(at + TOGETHER, len(order)) - 1]])))
        yield order[at : at + size]
        at += size
