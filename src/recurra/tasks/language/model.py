"""The language model: tokens in, recurrent layers over them, the chances of the next token out."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn

import recurra.nn
from recurra.data.tokens import BORDER
from recurra.nn.dropout import WeightDrop, activation_penalty, token_dropout, variational_dropout
from recurra.nn.tied import TiedTokens
from recurra.tasks.language.adapt import Squares
from recurra.tasks.language.schema import Schema

# Dropout at full strength, as in AWD-LSTM: of tokens, of the embedding, between layers, of what is foretold
# from, and of the weights from state to state. Characters and bytes are few and stand for little alone.
WORDS = (0.1, 0.4, 0.25, 0.4, 0.5)
LETTERS = (0.0, 0.1, 0.3, 0.4, 0.4)
# Penalties of large activations and of large changes between steps.
ALPHA, BETA = 2.0, 1.0
# Steps that are read at once where nothing is learnt.
PIECE = 512

State = list[Any]


class LanguageModel(nn.Module):
    """p(token_{t+1} | token_1 … token_t) = softmax of the last layer's state and the tokens' vectors.

    Bengio et al. (2003), Mikolov et al. (2010); tied weights and the regularisers of AWD-LSTM (Merity et al.
    2018). A state is a list with each layer's, h (1, B, H) or LSTM's (h, c).
    """

    def __init__(self, schema: Schema, cell: str) -> None:
        super().__init__()
        shape = schema.shape
        self.letters = schema.tokens.unit in ("characters", "bytes")
        self.dropout = tuple(shape.dropout * p for p in (LETTERS if self.letters else WORDS))
        self.strength = shape.dropout
        self.words = TiedTokens(len(schema.tokens), shape.embedding, shape.groups)
        widths = [shape.embedding, *[shape.hidden] * (shape.layers - 1), shape.embedding]
        layer = getattr(recurra.nn, cell)
        self.layers = nn.ModuleList(
            WeightDrop(layer(inside, outside), self.dropout[4]) for inside, outside in pairwise(widths)
        )
        if cell == "LSTM":
            for inner in self.recurrent():
                # A fresh network that remembers learns sooner to (Jozefowicz et al. 2015).
                forget = slice(inner.hidden_size, 2 * inner.hidden_size)
                nn.init.ones_(cast(Tensor, inner.bias_hh_l0).data[forget])
        self.squares = Squares(list(self.parameters()))

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """The last layer's outputs (T, B, E) for tokens (T, B), and the state after them."""
        of_tokens, of_embedding, between, _, _ = self.dropout
        x = token_dropout(self.words.embed(tokens), tokens, self.words.tokens, of_tokens, self.training)
        x = variational_dropout(x, of_embedding, self.training)
        borders = tokens == BORDER
        reset = borders.T if bool(borders.any()) else None
        after: State = []
        for number, layer in enumerate(self.layers):
            if number:
                x = variational_dropout(x, between, self.training)
            x, last = layer(x, None if state is None else state[number], reset=reset)
            after.append(last)
        return x, after

    def loss(self, tokens: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Mean nats of tokens[1:], tokens (T + 1, B), given those before, and penalties; and the state."""
        y, state = self(tokens[:-1], state)
        dropped = variational_dropout(y, self.dropout[3], self.training)
        nats = self._surprise(dropped, tokens[1:])
        told = (tokens[1:] != BORDER).sum().clamp(min=1)
        loss = nats.sum() / told
        if self.training and self.strength:
            loss = loss + activation_penalty(y, dropped, self.strength * ALPHA, self.strength * BETA)
        return loss, state

    def surprise(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """(T - 1, B) nats of tokens[1:], tokens (T, B), given those before, 0 for BORDER; and the state."""
        pieces = []
        for begin in range(0, max(1, len(tokens) - 1), PIECE):
            piece = tokens[begin : begin + PIECE + 1]
            y, state = self(piece[:-1], state)
            pieces.append(self._surprise(y, piece[1:]))
        assert state is not None
        return torch.cat(pieces), state

    def _surprise(self, y: Tensor, tokens: Tensor) -> Tensor:
        """(T, B) nats of tokens (T, B) from outputs y (T, B, E), 0 for BORDER."""
        flat, wide = tokens.reshape(-1), y.reshape(-1, y.size(-1))
        told = torch.nonzero(flat != BORDER)[:, 0]
        nats = wide.new_zeros(len(flat))
        if len(told) == len(flat):
            nats = self.words.surprise(wide, flat)
        elif len(told):
            nats = nats.index_copy(0, told, self.words.surprise(wide[told], flat[told]))
        return nats.view(tokens.shape)

    def log_probabilities(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """(T, B, V) logarithms of the chances of each next token after tokens (T, B), and the state."""
        y, state = self(tokens, state)
        flat = self.words.log_probabilities(y.reshape(-1, y.size(-1)))
        return flat.view(*tokens.shape, -1), state

    def recurrent(self) -> list[nn.RNNBase]:
        """The recurrent layers, from the first."""
        return [cast(WeightDrop, layer).layer for layer in self.layers]
