"""Small recurrent classifiers, trained on data in which it is known what decides."""

import numpy as np
import torch
from torch import nn

import recurra
from recurra.data.ragged import Ragged


class Small(nn.Module):
    """A classifier with the parts that influence and the report ask for."""

    def __init__(self, tokens=None, channels=1, classes=2, hidden=24, output="last"):
        super().__init__()
        self.table = nn.Embedding(tokens, 16, padding_idx=0) if tokens else nn.Identity()
        self.recurrent = recurra.nn.GRU(16 if tokens else channels, hidden, batch_first=True)
        self.head = nn.Linear(hidden, classes)
        self.output = output
        self.register_buffer("temperature", torch.ones(()))

    def embed(self, x):
        return self.table(x)

    def _states(self, embedded, lengths):
        return self.recurrent(embedded, lengths=lengths)[0]

    def classify(self, embedded, lengths, x):
        h = self._states(embedded, lengths)
        if self.output == "mean":
            there = torch.arange(h.shape[1]) < lengths[:, None]
            return self.head((h * there[..., None]).sum(1) / lengths.clamp(min=1)[:, None])
        last = h[torch.arange(len(h)), (lengths - 1).clamp(min=0)]
        return self.head(last * (lengths > 0)[:, None])

    def forward(self, x, lengths):
        return self.classify(self.embed(x), lengths, x)

    def running(self, x, lengths):
        return self.head(self._states(self.embed(x), lengths))

    def probabilities(self, logits):
        return (logits / self.temperature).softmax(-1)


def trained(model, x, y, steps=150):
    """Fit a model to sequences and their class numbers."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    y = torch.as_tensor(y)
    for _ in range(steps):
        which = rng.integers(0, len(x), 64)
        loss = nn.functional.cross_entropy(model(*x.padded(which)), y[which])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model.eval()


def words_that_decide(many=400, length=12, seed=0):
    """Token sequences in which one token, 2 or 3, says the class, and where it stands."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, many)
    x, place = [], []
    for label in y:
        one = rng.integers(4, 24, rng.integers(length // 2, length + 1)).astype(np.int32)
        place.append(int(rng.integers(0, len(one))))
        one[place[-1]] = 2 + label
        x.append(one)
    return Ragged.of(x), y, np.array(place)


def bumps_that_decide(many=400, length=60, wide=6, seed=0):
    """Noise in which a bump, up or down, says the class, and where it begins."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, many)
    x, place = [], []
    for label in y:
        one = rng.normal(0, 0.5, (int(rng.integers(length // 2, length + 1)), 1))
        place.append(int(rng.integers(0, len(one) - wide)))
        one[place[-1] : place[-1] + wide] += 2.5 * (1 if label else -1)
        x.append(one.astype(np.float32))
    return Ragged.of(x), y, np.array(place)
