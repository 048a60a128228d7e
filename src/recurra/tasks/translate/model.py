"""The translator: an encoder that reads the source from both ends, a decoder that attends to it."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import recurra.nn
from recurra.data.tokens import BORDER, UNKNOWN
from recurra.nn.attention import Attention, Memory
from recurra.nn.linear import Linear
from recurra.nn.tied import SPREAD, TiedTokens
from recurra.tasks.translate.config import TranslateConfig
from recurra.tasks.translate.schema import Schema

# Tokens of the source that are read as unknown while training.
LOST = 0.05
# Output positions whose chances are worked out at once; there are as many logits as that times the tokens.
AT_ONCE = 4096


class Batch(NamedTuple):
    """Pairs: source (B, S) and target (B, T), padded with BORDER, and how long each is."""

    source: Tensor
    source_lengths: Tensor
    target: Tensor
    target_lengths: Tensor


class Translator(nn.Module):
    """p(y_t | y_1 … y_{t-1}, x), and which x_s each y_t is made from.

    Encoder-decoder of Bahdanau, Cho & Bengio (2015), laid out so that no step waits for another's attention:
    the decoder's lower layer reads the target alone, its states ask the source, and the upper layer reads
    them with what they were answered. Each layer runs over all steps at once; the two are the halves of the
    "conditional GRU" of Sennrich et al. (2017), less the way back from the upper one to the lower. The output
    shares its table with the target's embedding (Press & Wolf 2017).

    input_feeding: the lower layer reads the attentional vector of the step before, too (Luong et al. 2015),
    step by step.
    """

    def __init__(self, schema: Schema, config: TranslateConfig) -> None:
        super().__init__()
        wide, hidden = schema.shape.embedding, schema.shape.hidden
        self.p, self.smoothing, self.feeding = schema.shape.dropout, config.smoothing, config.input_feeding
        self.words = TiedTokens(len(schema.target), wide)
        self.source = None if schema.shared else nn.Embedding(len(schema.source), wide)
        if self.source is not None:
            nn.init.normal_(self.source.weight, std=SPREAD)
        layer = getattr(recurra.nn, config.cell)
        self.encoder = layer(wide, hidden, bidirectional=True, batch_first=True)
        self.bridge = Linear(2 * hidden, 2 * hidden)
        self.attention = Attention(hidden, 2 * hidden, config.attention)
        self.lower = layer(wide * (1 + self.feeding), hidden, batch_first=True)
        self.upper = layer(3 * hidden, hidden, batch_first=True)
        self.readout = Linear(3 * hidden, wide)
        self.several = config.cell == "LSTM"

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Readouts (B, T + 1, E) of targets with an end each, and attention (B, T + 1, S)."""
        memory, state = self.encode(batch.source, batch.source_lengths)
        return self._decode(
            F.pad(batch.target, (1, 0), value=BORDER), batch.target_lengths + 1, memory, state
        )

    def encode(self, source: Tensor, lengths: Tensor) -> tuple[Memory, list[Any]]:
        """What is attended to, and the first states of the decoder's layers, of sources (B, S)."""
        if self.training and LOST:
            source = torch.where(torch.rand(source.shape) < LOST, UNKNOWN, source)
        x = self._dropped(self.words.embed(source) if self.source is None else self.source(source))
        y, last = self.encoder(x, lengths=lengths)
        ends = (last[0] if self.several else last).transpose(0, 1).flatten(1)
        state = [self._first(h) for h in self.bridge(ends).tanh().chunk(2, 1)]
        return self.attention.remember(self._dropped(y), lengths), state

    def _first(self, h: Tensor) -> Any:
        h = h[None].contiguous()
        return (h, torch.zeros_like(h)) if self.several else h

    def _decode(
        self, before: Tensor, lengths: Tensor, memory: Memory, state: list[Any]
    ) -> tuple[Tensor, Tensor]:
        x = self._dropped(self.words.embed(before))
        if self.feeding:
            return self._step_by_step(x, memory, state)
        query, _ = self.lower(x, state[0], lengths=lengths)
        query = self._dropped(query)
        context, weight = self.attention(query, memory)
        y, _ = self.upper(torch.cat([query, context], 2), state[1], lengths=lengths)
        return self.read_out(y, context), weight

    def _step_by_step(self, x: Tensor, memory: Memory, state: list[Any]) -> tuple[Tensor, Tensor]:
        lower, upper = state
        fed = x.new_zeros(len(x), 1, self.words.width)
        read, weights = [], []
        for t in range(x.shape[1]):
            query, lower = self.lower(torch.cat([x[:, t : t + 1], fed], 2), lower)
            context, weight = self.attention(query, memory)
            y, upper = self.upper(torch.cat([query, context], 2), upper)
            fed = self.read_out(y, context)
            read.append(fed)
            weights.append(weight)
        return torch.cat(read, 1), torch.cat(weights, 1)

    def read_out(self, y: Tensor, context: Tensor) -> Tensor:
        """The attentional vector (…, E), which is compared with the tokens' vectors."""
        return self._dropped(self.readout(torch.cat([y, context], -1)).tanh())

    def loss(self, batch: Batch) -> Tensor:
        """Mean nats of each target token and end, smoothed while training (Szegedy et al. 2016)."""
        read, _ = self(batch)
        nats = self._surprise(read, batch, self.smoothing if self.training else 0.0)
        return nats / (batch.target_lengths + 1).sum()

    def surprise(self, batch: Batch) -> Tensor:
        """Sum of the nats of all target tokens and ends, float64."""
        read, _ = self(batch)
        return self._surprise(read, batch, 0.0)

    def _surprise(self, read: Tensor, batch: Batch, smoothing: float) -> Tensor:
        many = batch.target_lengths + 1
        there = torch.arange(read.shape[1]) < many[:, None]
        told = F.pad(batch.target, (0, 1), value=BORDER)[there]
        nats = [
            F.cross_entropy(self.words.logits(y), tokens, label_smoothing=smoothing, reduction="sum")
            for y, tokens in zip(torch.split(read[there], AT_ONCE), torch.split(told, AT_ONCE), strict=True)
        ]
        return torch.stack(nats).sum()

    def _dropped(self, x: Tensor) -> Tensor:
        """x (B, T, C) with channels of a sequence left out at all steps alike (Gal & Ghahramani 2016)."""
        if not self.training or not self.p:
            return x
        return x * F.dropout(x.new_ones(len(x), 1, x.shape[2]), self.p)
