"""One recurrent network that reads a sequence and says which class it is of."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import recurra.nn
from recurra.nn.causal import causal
from recurra.tasks.classify import pooling
from recurra.tasks.classify.schema import Schema

# Dropout: of whole tokens, of channels of the embedding (the same at all steps: Gal & Ghahramani 2016), and
# of what the answer is made from.
TOKENS, CHANNELS, ANSWER = 0.3, 0.5, 0.5
# Of characters and events, which are few and whose neighbours do not say what they were, less.
LETTERS, CHANNELS_OF_LETTERS = 0.05, 0.3
# Of a series: noise of each value and of each channel's scale, in standard deviations.
NOISE, SCALING = 0.05, 0.1
TAPS = 5  # steps of a series that the recurrent layer sees at once
BOUND = 8.0  # of attention's scores, whose exponentials are summed as they come


class Network(nn.Module):
    """Embedding or convolution, one recurrent layer, and what its states say at the end, pooled or attended.

    output "last": the state after the last step. "mean", "max": over all steps. "attention": the mean with
    weights exp(v·tanh(W y_t)) (Bahdanau et al. 2015). All four are sums or maxima over the steps so far, so
    that there is an answer after each step at no more cost.
    """

    def __init__(self, schema: Schema, cell: str, bidirectional: bool) -> None:
        super().__init__()
        hidden, output, classes = schema.shape.hidden, schema.shape.output, len(schema.classes)
        self.output = output
        self.tokens = schema.kind != "series"
        words = schema.vocabulary is not None and schema.vocabulary.unit != "characters"
        self.lost, self.dropped = (TOKENS, CHANNELS) if words else (LETTERS, CHANNELS_OF_LETTERS)
        if self.tokens:
            self.embedding = nn.Embedding(schema.width, hidden, padding_idx=0)
            nn.init.normal_(self.embedding.weight, std=0.1)
            with torch.no_grad():
                self.embedding.weight[0] = 0.0
            read = hidden
        else:
            self.taps = nn.Conv1d(schema.width, hidden, TAPS)
            read = hidden + schema.width
        layer = getattr(recurra.nn, cell)
        self.recurrent = layer(read, hidden, batch_first=True, bidirectional=bidirectional)
        wide = hidden * (1 + bidirectional)
        if output == "attention":
            self.project = recurra.nn.Linear(wide, hidden)
            self.score = recurra.nn.Linear(hidden, 1, bias=False)
        self.answer = recurra.nn.Linear(wide, classes)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Logits (B, K) of tokens (B, T) or numbers (B, T, C)."""
        return self.classify(self.embed(x), lengths)

    def embed(self, x: Tensor) -> Tensor:
        """(B, T, E) of tokens (B, T); a series (B, T, C) as it is, with noise while training."""
        if not self.tokens:
            if not self.training:
                return x
            scale = 1 + SCALING * torch.randn(x.shape[0], 1, x.shape[2])
            return x * scale + NOISE * torch.randn_like(x)
        if self.training:
            x = torch.where((torch.rand(x.shape) < self.lost) & (x > 0), 1, x)
        return self.embedding(x)  # type: ignore[no-any-return]

    def states(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, D·H) the recurrent layer's outputs."""
        if self.tokens:
            keep = F.dropout(torch.ones_like(embedded[:, :1]), self.dropped, self.training)
            embedded = embedded * keep
        else:
            seen = causal(embedded, self.taps.weight, self.taps.bias).relu()
            embedded = torch.cat([embedded, F.dropout(seen, self.dropped, self.training)], 2)
        return self.recurrent(embedded, lengths=lengths)[0]  # type: ignore[no-any-return]

    def classify(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Logits (B, K) of whole sequences."""
        y = self.states(embedded, lengths)
        inside = torch.arange(y.shape[1]) < lengths[:, None]
        if self.output == "last":
            pooled = y[torch.arange(len(y)), lengths - 1]
            if self.recurrent.bidirectional:  # the reverse direction ends at the first step
                half = y.shape[2] // 2
                pooled = torch.cat([pooled[:, :half], y[:, 0, half:]], 1)
        elif self.output == "max":
            pooled = y.masked_fill(~inside[..., None], -torch.inf).amax(1)
        elif y.requires_grad:
            weight = (inside * self.weight(y))[..., None]
            pooled = (weight * y).sum(1) / weight.sum(1)
        else:
            kept = pooling.fresh(self.output, len(y), y.shape[2])
            pooled = pooling.value(self.output, pooling.add(self.output, kept, y, inside * self.weight(y)))
        return self.answer(F.dropout(pooled, ANSWER, self.training))  # type: ignore[no-any-return]

    def running(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Logits (B, T, K) after each step, of what was read by then."""
        y = self.states(embedded, lengths)
        return self.answer(pooling.running(self.output, y, self.weight(y)))  # type: ignore[no-any-return]

    def weight(self, y: Tensor) -> Tensor:
        """(B, T) of each step, from the outputs y (B, T, D·H)."""
        if self.output != "attention":
            return y.new_ones(y.shape[:2])
        score = self.score(self.project(y).tanh())[..., 0]
        return (BOUND * torch.tanh(score / BOUND)).exp()
