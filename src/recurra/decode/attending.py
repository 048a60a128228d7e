"""An attentive decoder a step at a time, for many inputs side by side, each with several texts under way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.nn.attending import AttentiveDecoder


class Steps:
    """The decoder's layers by rows. What a row becomes depends on its memory and tokens alone, bit by bit.

    The weights are those of when this was made. It is a Decoder of recurra.decode.beam.
    """

    def __init__(self, model: AttentiveDecoder) -> None:
        self._model = model
        self._rows = [model.lower.rows(), model.upper.rows()]

    def begin(self, memories: Sequence[tuple[Tensor, Tensor]], state: Sequence[Any]) -> None:
        """Take up inputs: of each the values (S, M) and keys (S, A), and the first states of both layers."""
        self._memory = [(values.contiguous(), keys.contiguous()) for values, keys in memories]
        self._state = [_by_name(one) for one in state]
        self._fed = memories[0][0].new_zeros(len(memories), self._model.words.width)

    @torch.no_grad()
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
        context = model.gated(query, torch.cat(contexts))
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
