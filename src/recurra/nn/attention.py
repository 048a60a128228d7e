"""Attention: for each query a weighted mean of a memory, by how well its entries match.

Additive scores: Bahdanau, Cho & Bengio (2015), "Neural Machine Translation by Jointly Learning to Align and
Translate". Multiplicative ones ("general"): Luong, Pham & Manning (2015), "Effective Approaches to
Attention-based Neural Machine Translation".
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from recurra.nn.linear import Linear, linear

Scores = Literal["bahdanau", "luong"]
# Sums of queries and keys that are in memory at once, 256 MB of them.
SUMS = 1 << 26


class Memory(NamedTuple):
    """What is attended to: values (B, S, M), their keys (B, S, A), and outside (B, S) where none stand."""

    values: Tensor
    keys: Tensor
    outside: Tensor


class Attention(nn.Module):
    """Attention of queries (…, Q) to memories (…, M).

    scores   "luong": qᵀ·W·m, W (Q, M), scaled by 1/√Q so that fresh scores are small.  "bahdanau":
             vᵀ·tanh(W_q q + W_m m + b), v (A,), where A is Q
    """

    def __init__(self, query: int, memory: int, scores: Scores = "luong") -> None:
        super().__init__()
        self.scores = scores
        self.key = Linear(memory, query, bias=scores == "bahdanau")
        if scores == "bahdanau":
            self.query = Linear(query, query, bias=False)
            self.score = Linear(query, 1, bias=False)
        self.scale = query**-0.5

    def remember(self, values: Tensor, lengths: Tensor) -> Memory:
        """A memory of values (B, S, M), of which the first `lengths` (B,) count."""
        outside = torch.arange(values.shape[1], device=values.device) >= lengths[:, None]
        return Memory(values, self.key(values), outside)

    def forward(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Contexts (B, T, M) of queries (B, T, Q), and the weights (B, T, S), which add up to 1."""
        if self.scores == "luong":
            z = torch.bmm(query * self.scale, memory.keys.transpose(1, 2))
        else:
            z = self._sums(self.query(query), memory.keys)
        weight = z.masked_fill(memory.outside[:, None], -torch.inf).softmax(-1)
        return torch.bmm(weight, memory.values), weight

    def _sums(self, query: Tensor, keys: Tensor) -> Tensor:
        """Additive scores (B, T, S) of queries (B, T, A) and keys (B, S, A).

        The sums are as many numbers as all scores times A: of many queries some are worked out at a time, and
        again for the gradient, which would keep them all.
        """
        part = max(1, SUMS // max(1, keys.numel()))
        if query.shape[1] <= part:
            return self._sum(query, keys)
        parts = torch.split(query, part, 1)
        if not torch.is_grad_enabled():
            return torch.cat([self._sum(one, keys) for one in parts], 1)
        return torch.cat([checkpoint(self._sum, one, keys, use_reentrant=False) for one in parts], 1)

    def _sum(self, query: Tensor, keys: Tensor) -> Tensor:
        scores: Tensor = self.score((query[:, :, None] + keys[:, None]).tanh())[..., 0]
        return scores

    def alone(self, query: Tensor, values: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """The same of queries (K, Q) and one memory, values (S, M) and keys (S, A), with no others beside it.

        Without gradients: each product is a chain of its own, so that the bits are those of this memory
        whatever is worked out in the same batch.
        """
        if self.scores == "luong":
            z = linear(query * self.scale, keys)
        else:
            z = self.score((self.query(query)[:, None] + keys).tanh())[..., 0]
        weight = z.softmax(-1)
        return linear(weight, values.T.contiguous()), weight
