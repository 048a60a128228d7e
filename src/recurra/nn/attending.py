"""A recurrent decoder that looks back at a memory with every token that it writes."""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import recurra.nn
from recurra.data.tokens import BORDER
from recurra.nn.attention import Attention, Memory, Scores
from recurra.nn.linear import Linear
from recurra.nn.tied import TiedTokens

Cell = Literal["LSTM", "GRU", "RNN"]

# Output positions whose chances are worked out at once; there are as many logits as that times the tokens.
AT_ONCE = 4096


class AttentiveDecoder(nn.Module):
    """p(y_t | y_1 … y_{t-1}, memory), and what in the memory each y_t is made from.

    The decoder of Bahdanau, Cho & Bengio (2015), laid out so that no step waits for another's attention: the
    lower layer reads the text alone, its states ask the memory, and the upper layer reads them with what they
    were answered. Each layer runs over all steps at once; the two are the halves of the "conditional GRU" of
    Sennrich et al. (2017), less the way back from the upper one to the lower. The output shares its table
    with the embedding (Press & Wolf 2017).

    tokens, width   of the vocabulary; of a token's vector
    hidden, memory  units of each layer; channels of the memory's values
    feeding         the lower layer reads the attentional vector of the step before, too (Luong et al. 2015,
                    "input feeding"), step by step
    gated           what is answered counts by β_t = σ(w·query + b), so that words which nothing in the memory
                    tells of need not look (Xu et al. 2015, "Show, Attend and Tell", 4.2.1)
    dropout         share of channels that are left out while training, at all steps of a text alike
    """

    def __init__(
        self,
        tokens: int,
        *,
        width: int,
        hidden: int,
        memory: int,
        cell: Cell,
        scores: Scores,
        dropout: float,
        feeding: bool = False,
        gated: bool = False,
    ) -> None:
        super().__init__()
        self.p, self.feeding, self.several = dropout, feeding, cell == "LSTM"
        layer = getattr(recurra.nn, cell)
        self.words = TiedTokens(tokens, width)
        self.attention = Attention(hidden, memory, scores)
        self.gate = Linear(hidden, 1) if gated else None
        self.lower = layer(width * (1 + feeding), hidden, batch_first=True)
        self.upper = layer(hidden + memory, hidden, batch_first=True)
        self.readout = Linear(hidden + memory, width)

    def start(self, hidden: Tensor) -> list[Any]:
        """The first states of both layers, from what they are to begin with, (B, 2·H)."""
        states: list[Any] = [h[None].contiguous() for h in hidden.chunk(2, 1)]
        return [(h, torch.zeros_like(h)) for h in states] if self.several else states

    def write(
        self, target: Tensor, lengths: Tensor, memory: Memory, state: list[Any]
    ) -> tuple[Tensor, Tensor]:
        """Readouts (B, T + 1, E) of targets (B, T) with an end each, and attention (B, T + 1, S)."""
        x = self.dropped(self.words.embed(F.pad(target, (1, 0), value=BORDER)))
        if self.feeding:
            return self._step_by_step(x, memory, state)
        query, _ = self.lower(x, state[0], lengths=lengths + 1)
        query = self.dropped(query)
        context, weight = self.attention(query, memory)
        context = self.gated(query, context)
        y, _ = self.upper(torch.cat([query, context], 2), state[1], lengths=lengths + 1)
        return self.read_out(y, context), weight

    def _step_by_step(self, x: Tensor, memory: Memory, state: list[Any]) -> tuple[Tensor, Tensor]:
        lower, upper = state
        fed = x.new_zeros(len(x), 1, self.words.width)
        read, weights = [], []
        for t in range(x.shape[1]):
            query, lower = self.lower(torch.cat([x[:, t : t + 1], fed], 2), lower)
            context, weight = self.attention(query, memory)
            context = self.gated(query, context)
            y, upper = self.upper(torch.cat([query, context], 2), upper)
            fed = self.read_out(y, context)
            read.append(fed)
            weights.append(weight)
        return torch.cat(read, 1), torch.cat(weights, 1)

    def gated(self, query: Tensor, context: Tensor) -> Tensor:
        """What the memory answered (…, M), as far as it counts."""
        return context if self.gate is None else context * self.gate(query).sigmoid()

    def read_out(self, y: Tensor, context: Tensor) -> Tensor:
        """The attentional vector (…, E), which is compared with the tokens' vectors."""
        return self.dropped(self.readout(torch.cat([y, context], -1)).tanh())

    def nats(self, read: Tensor, target: Tensor, lengths: Tensor, smoothing: float = 0.0) -> Tensor:
        """Sum of the nats of all target tokens and ends, smoothed (Szegedy et al. 2016)."""
        there = torch.arange(read.shape[1]) < (lengths + 1)[:, None]
        told = F.pad(target, (0, 1), value=BORDER)[there]
        nats = [
            F.cross_entropy(self.words.logits(y), tokens, label_smoothing=smoothing, reduction="sum")
            for y, tokens in zip(torch.split(read[there], AT_ONCE), torch.split(told, AT_ONCE), strict=True)
        ]
        return torch.stack(nats).sum()

    def dropped(self, x: Tensor) -> Tensor:
        """x (B, T, C) with channels of a sequence left out at all steps alike (Gal & Ghahramani 2016)."""
        if not self.training or not self.p:
            return x
        return x * F.dropout(x.new_ones(len(x), 1, x.shape[2]), self.p)
