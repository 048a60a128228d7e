"""The classifier: recurrent networks beside a linear model of what can be counted, weighed by their worth."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from recurra.tasks.classify.grams import Grams
from recurra.tasks.classify.network import Network
from recurra.tasks.classify.schema import Schema
from recurra.tasks.classify.shapes import Shapes


class Classifier(nn.Module):
    """logits = share · mean of the networks + (1 - share) · counted; a temperature makes them probabilities.

    The share and the temperature are fitted on examples that the members were not trained on.
    """

    share: Tensor
    temperature: Tensor

    def __init__(self, schema: Schema, cell: str, bidirectional: bool) -> None:
        super().__init__()
        self.several, self.bidirectional = schema.several, bidirectional
        self.networks = nn.ModuleList(
            Network(schema, cell, bidirectional) for _ in range(schema.shape.networks)
        )
        self.counted: Grams | Shapes = Shapes(schema) if schema.kind == "series" else Grams(schema)
        self.register_buffer("share", torch.ones(()))
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Logits (B, K) of tokens (B, T) or numbers (B, T, C)."""
        return self.classify(self.embed(x), lengths, x)

    def embed(self, x: Tensor) -> Tensor:
        """(B, T, E) what the networks read at each step; zeros there hide a step from all members."""
        if isinstance(self.counted, Shapes):
            return x
        return torch.cat([network.embed(x) for network in self.readers()], 2)

    def classify(self, embedded: Tensor, lengths: Tensor, x: Tensor) -> Tensor:
        """Logits (B, K) of embedded sequences."""
        networks, counted = self._parts(embedded, x)
        found = [one.classify(part, lengths) for one, part in zip(self.readers(), networks, strict=True)]
        return self.weighed(found, self.counted(counted, lengths))

    def running(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Logits (B, T, K) after each step; needs a model that reads in one direction."""
        networks, counted = self._parts(self.embed(x), x)
        found = [one.running(part, lengths) for one, part in zip(self.readers(), networks, strict=True)]
        return self.weighed(found, self.counted.running(counted))

    def probabilities(self, logits: Tensor) -> Tensor:
        """Calibrated probabilities of each class, or of each label by itself."""
        z = logits / self.temperature
        # torch's sigmoid depends on where in memory a number stands; its exponential does not.
        return 1 / (1 + torch.exp(-z)) if self.several else z.softmax(-1)

    def weighed(self, networks: Sequence[Tensor], counted: Tensor) -> Tensor:
        """The logits of all members, from those of each network and of what is counted."""
        total, *others = networks
        for one in others:
            total = total + one
        return self.share * (total / len(networks)) + (1 - self.share) * counted

    def readers(self) -> list[Network]:
        """The networks."""
        return [one for one in self.networks if isinstance(one, Network)]

    def _parts(self, embedded: Tensor, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """What each network reads, and what is counted."""
        if isinstance(self.counted, Shapes):
            return [embedded] * len(self.networks), embedded
        hidden = (embedded.detach() == 0).all(2)
        return list(embedded.chunk(len(self.networks), 2)), x.masked_fill(hidden, 0)
