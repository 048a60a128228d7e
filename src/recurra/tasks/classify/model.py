"""The classifier: recurrent networks beside a linear model of what can be counted, weighed by their worth."""

from __future__ import annotations

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
        return torch.cat([network.embed(x) for network in self._networks()], 2)

    def classify(self, embedded: Tensor, lengths: Tensor, x: Tensor) -> Tensor:
        """Logits (B, K) of embedded sequences."""
        networks, counted = self._parts(embedded, x)
        found = [one.classify(part, lengths) for one, part in zip(self._networks(), networks, strict=True)]
        return self._weighed(torch.stack(found).mean(0), self.counted(counted, lengths))

    def running(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Logits (B, T, K) after each step; needs a model that reads in one direction."""
        networks, counted = self._parts(self.embed(x), x)
        found = [one.running(part, lengths) for one, part in zip(self._networks(), networks, strict=True)]
        return self._weighed(torch.stack(found).mean(0), self.counted.running(counted))

    def probabilities(self, logits: Tensor) -> Tensor:
        """Calibrated probabilities of each class, or of each label by itself."""
        z = logits / self.temperature
        return z.sigmoid() if self.several else z.softmax(-1)

    def _weighed(self, networks: Tensor, counted: Tensor) -> Tensor:
        return self.share * networks + (1 - self.share) * counted

    def _parts(self, embedded: Tensor, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """What each network reads, and what is counted."""
        if isinstance(self.counted, Shapes):
            return [embedded] * len(self.networks), embedded
        hidden = (embedded.detach() == 0).all(2)
        return list(embedded.chunk(len(self.networks), 2)), x.masked_fill(hidden, 0)

    def _networks(self) -> list[Network]:
        return [one for one in self.networks if isinstance(one, Network)]
