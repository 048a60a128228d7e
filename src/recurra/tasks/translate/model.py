"""The translator: an encoder that reads the source from both ends, a decoder that attends to it."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import recurra.nn
from recurra.data.tokens import UNKNOWN
from recurra.nn.attending import AttentiveDecoder
from recurra.nn.attention import Memory
from recurra.nn.linear import Linear
from recurra.nn.tied import SPREAD
from recurra.tasks.translate.config import TranslateConfig
from recurra.tasks.translate.schema import Schema

# Tokens of the source that are read as unknown while training.
LOST = 0.05


class Batch(NamedTuple):
    """Pairs: source (B, S) and target (B, T), padded with BORDER, and how long each is."""

    source: Tensor
    source_lengths: Tensor
    target: Tensor
    target_lengths: Tensor


class Translator(AttentiveDecoder):
    """p(y_t | y_1 … y_{t-1}, x), and which x_s each y_t is made from.

    Encoder-decoder of Bahdanau, Cho & Bengio (2015): a bidirectional layer over the source is what the
    decoder attends to, and its last states are what the decoder begins with.
    """

    def __init__(self, schema: Schema, config: TranslateConfig) -> None:
        wide, hidden = schema.shape.embedding, schema.shape.hidden
        super().__init__(
            len(schema.target),
            width=wide,
            hidden=hidden,
            memory=2 * hidden,
            cell=config.cell,
            scores=config.attention,
            dropout=schema.shape.dropout,
            feeding=config.input_feeding,
        )
        self.smoothing = config.smoothing
        self.source = None if schema.shared else nn.Embedding(len(schema.source), wide)
        if self.source is not None:
            nn.init.normal_(self.source.weight, std=SPREAD)
        self.encoder = getattr(recurra.nn, config.cell)(wide, hidden, bidirectional=True, batch_first=True)
        self.bridge = Linear(2 * hidden, 2 * hidden)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Readouts (B, T + 1, E) of targets with an end each, and attention (B, T + 1, S)."""
        memory, state = self.encode(batch.source, batch.source_lengths)
        return self.write(batch.target, batch.target_lengths, memory, state)

    def encode(self, source: Tensor, lengths: Tensor) -> tuple[Memory, list[Any]]:
        """What is attended to, and the first states of the decoder's layers, of sources (B, S)."""
        if self.training and LOST:
            source = torch.where(torch.rand(source.shape) < LOST, UNKNOWN, source)
        x = self.dropped(self.words.embed(source) if self.source is None else self.source(source))
        y, last = self.encoder(x, lengths=lengths)
        ends = (last[0] if self.several else last).transpose(0, 1).flatten(1)
        return self.attention.remember(self.dropped(y), lengths), self.start(self.bridge(ends).tanh())

    def loss(self, batch: Batch) -> Tensor:
        """Mean nats of each target token and end, smoothed while training."""
        smoothing = self.smoothing if self.training else 0.0
        nats = self.nats(self(batch)[0], batch.target, batch.target_lengths, smoothing)
        return nats / (batch.target_lengths + 1).sum()

    def surprise(self, batch: Batch) -> Tensor:
        """Sum of the nats of all target tokens and ends."""
        return self.nats(self(batch)[0], batch.target, batch.target_lengths)
