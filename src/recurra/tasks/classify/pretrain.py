"""A start from texts without labels: the recurrent layer learns to foretell the next token first.

Howard & Ruder (2018), "Universal Language Model Fine-tuning for Text Classification"; Dai & Le (2015),
"Semi-supervised Sequence Learning".
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.data.ragged import Ragged, buckets
from recurra.tasks.base import Plan
from recurra.tasks.classify.network import Network
from recurra.train.schedule import learning_rate

Array = np.ndarray[Any, np.dtype[Any]]

BATCH = 32
PASSES = 30
# Tokens that are foretold; the others, which are rarer, are only read.
FORETOLD = 4_000
RATE, CLIP = 2e-3, 1.0


def pretrain(network: Network, x: Ragged, operations: float, seed: int) -> None:
    """Train embedding and recurrent layer as a language model, with the embedding as its output as well.

    x: tokens of all texts, with and without labels.  operations: how much work it may be, in multiplications.
    """
    rng = np.random.default_rng([seed, 3])
    wide = network.recurrent.hidden_size
    output = nn.Linear(wide, network.embedding.embedding_dim)
    many = min(FORETOLD, network.embedding.num_embeddings)
    weights = [*network.embedding.parameters(), *network.recurrent.parameters(), *output.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=RATE)
    lengths = x.lengths
    batches = max(1, len(x) // BATCH)
    # A weight is read once forward and twice back, in a multiplication and an addition each.
    each = 6.0 * BATCH * float(lengths.mean()) * (6 * wide * wide + wide * many)
    plan = Plan(max(1, min(PASSES * batches, int(operations / each))), RATE, validate_every=1)
    queue: list[Array] = []
    network.train()
    for step in range(plan.steps):
        queue = queue or buckets(lengths, BATCH, rng)
        loss = _loss(network, output, many, *x.padded(queue.pop()))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(plan, step)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(weights, CLIP)
        optimizer.step()


def _loss(network: Network, output: nn.Linear, many: int, x: Tensor, lengths: Tensor) -> Tensor:
    """Mean log loss of the next token, where it is one of those that are foretold."""
    y = network.states(network.embed(x), lengths)[:, :-1]
    following = x[:, 1:]
    told = (following > 1) & (following < many)
    if not told.any():
        return 0.0 * y.sum()
    logits = output(y[told]) @ network.embedding.weight[:many].T
    return F.cross_entropy(logits, following[told])
