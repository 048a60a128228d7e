"""Word language models: Zaremba et al. (2014), and the dropped weights of Merity et al. (2018)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, dropout

from models.kind import Batch, Kind
from models.texts import penn_treebank

WORDS, ROWS, STEPS = 10_000, 20, 35


class LanguageModel(nn.Module):
    """Embeddings, layers of LSTM with dropout on what goes up and not on what goes on, and a softmax."""

    def __init__(self, units: int, layers: int, drop: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, units)
        self.lstm = nn.LSTM(units, units, layers, dropout=drop)
        self.out = nn.Linear(units, WORDS)
        self.drop = nn.Dropout(drop)
        self.state: Any = None
        for weight in self.parameters():
            nn.init.uniform_(weight, -0.05, 0.05)

    def forward(self, words: Tensor, following: Tensor) -> Tensor:
        """Mean loss (); words and the words that follow are (T, B). The state goes on to the next batch."""
        y, state = self.lstm(self.drop(self.embedding(words)), self.state)
        self.state = tuple(part.detach() for part in state)
        return cross_entropy(self.out(self.drop(y)).flatten(0, 1), following.flatten())


class DroppedWeights(nn.Module):
    """A layer whose recurrent weights are dropped anew for each sequence."""

    def __init__(self, lstm: nn.LSTM, drop: float) -> None:
        super().__init__()
        self.lstm, self.drop = lstm, drop
        weight = lstm._parameters.pop("weight_hh_l0")
        assert weight is not None
        self.whole = nn.Parameter(weight.detach().clone())

    def forward(self, x: Tensor, state: Any) -> Any:
        """The layer's y and state."""
        self.lstm.weight_hh_l0 = dropout(self.whole, self.drop, self.training)
        return self.lstm(x, state)


class WeightDropped(nn.Module):
    """Layers with dropped weights, the same units dropped at all steps between them, and tied embeddings."""

    def __init__(self, width: int, units: int, drop: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, width)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        sizes = pairwise((width, units, units, width))
        self.layers = nn.ModuleList(DroppedWeights(nn.LSTM(*size), drop) for size in sizes)
        self.bias = nn.Parameter(torch.zeros(WORDS))
        self.drop = drop
        self.states: Any = [None] * len(self.layers)

    def forward(self, words: Tensor, following: Tensor) -> Tensor:
        """As LanguageModel's."""
        y = self.embedding(words)
        for k, layer in enumerate(self.layers):
            y, state = layer(y * dropout(y.new_ones(y.shape[1:]), self.drop, self.training), self.states[k])
            self.states[k] = tuple(part.detach() for part in state)
        logits = nn.functional.linear(y, self.embedding.weight, self.bias)
        return cross_entropy(logits.flatten(0, 1), following.flatten())


def batches() -> tuple[Iterator[Batch], str]:
    """Words and the words that follow, (T, B) each: ROWS readers of the text, from as many places."""
    sentences, text = penn_treebank()
    words = torch.tensor([word for sentence in sentences for word in sentence])
    rows = words[: len(words) // ROWS * ROWS].view(ROWS, -1).T.contiguous()

    def go() -> Iterator[Batch]:
        for start in range(0, len(rows) - STEPS - 1, STEPS):
            yield rows[start : start + STEPS], rows[start + 1 : start + STEPS + 1]

    return go(), text


ZAREMBA = Kind(
    "word language model",
    "Zaremba et al. (2014), the medium one",
    "2 layers of LSTM, 650 units; 10,000 words; 20 rows of 35 steps; dropout 0.5",
    lambda: LanguageModel(650, 2, 0.5),
    batches,
    learning_rate=1.0,
    clip=5.0,
)
MERITY = Kind(
    "word language model with dropped weights",
    "Merity et al. (2018), half as wide",
    "3 layers of LSTM, 200, 576, 576 and 200 wide; 10,000 words; 20 rows of 35 steps; weights dropped by 0.5",
    lambda: WeightDropped(200, 576, 0.5),
    batches,
    learning_rate=30.0,
    clip=0.25,
)
