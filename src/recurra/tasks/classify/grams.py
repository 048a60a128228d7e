"""n-grams of tokens, counted while they are read: a linear model whose sums need constant memory."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.data.ragged import Ragged
from recurra.tasks.classify.regression import Features
from recurra.tasks.classify.schema import Schema

Array = np.ndarray[Any, np.dtype[Any]]

# Places in the table of n-grams, which share one where they meet by chance.
MOST_PLACES, FEWEST_PLACES = 2**17, 2**12
# n-grams of tokens that are words, of tokens that are characters, and of the characters inside a word.
OF_WORDS, OF_CHARACTERS, INSIDE = (1, 2), (1, 2, 3, 4, 5), (2, 3, 4, 5)
MOST_INSIDE = 24
# Knuth's multiplicative hashing; odd, so that nothing is lost modulo a power of two.
SPREAD = 2654435761
STEPS = 200_000  # numbers of n-grams looked at together


class Grams(nn.Module):
    """Logistic regression over weighted counts of n-grams (tf-idf), as classical text classifiers have it.

    z_t = b + Σ_groups (Σ_{s≤t} Σ_n idf_n w_n) / sqrt(Σ_{s≤t} Σ_n idf_n²): words and pairs of words are one
    group, the characters inside words another.
    """

    inside: Tensor
    idf: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        letters = schema.vocabulary is not None and schema.vocabulary.unit == "characters"
        self.orders = OF_CHARACTERS if letters else OF_WORDS
        inside = np.zeros((schema.width, 0)) if letters else _inside(schema)
        places = 2 ** math.ceil(math.log2(max(1, schema.examples * schema.length * (len(self.orders) + 4))))
        self.places = int(np.clip(places, FEWEST_PLACES, MOST_PLACES))
        self.register_buffer("inside", torch.from_numpy(inside.astype(np.int64)), persistent=False)
        self.register_buffer("idf", torch.zeros(self.places))
        self.register_buffer("weight", torch.zeros(self.places, len(schema.classes)))
        self.register_buffer("bias", torch.zeros(len(schema.classes)))

    def grams(self, x: Tensor) -> list[Tensor]:
        """For each group (B, T, n) places of the n-grams that end at each step; 0 where there is none."""
        found = []
        for order in self.orders:
            code, whole = torch.zeros_like(x), torch.ones_like(x, dtype=torch.bool)
            for back in range(order - 1, -1, -1):
                token = F.pad(x, (back, 0))[:, : x.shape[1]]
                code, whole = (code * 1_000_003 + token * SPREAD + order) % 2**40, whole & (token > 0)
            found.append(torch.where(whole, self._place(code), 0))
        groups = [torch.stack(found, -1)]
        if self.inside.shape[1]:
            inside = self.inside[x]
            groups.append(torch.where(inside > 0, self._place(inside), 0))
        return groups

    def _place(self, code: Tensor) -> Tensor:
        return 1 + (code * SPREAD % 2**40 >> 7) % (self.places - 1)

    def running(self, x: Tensor) -> Tensor:
        """Logits (B, T, K) after each step of tokens (B, T); padding, 0, adds nothing."""
        total = self.bias.expand(*x.shape, -1)
        for places in self.grams(x):
            flat = places.flatten(0, 1)
            idf = self.idf[flat]
            score = F.embedding_bag(flat, self.weight, per_sample_weights=idf, mode="sum")
            score = score.reshape(*x.shape, -1).cumsum(1)
            norm = idf.square().sum(1).reshape(x.shape).cumsum(1)
            total = total + score * norm.clamp(min=1e-12).rsqrt()[..., None]
        return total

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Logits (B, K) of whole sequences."""
        return self.running(x)[torch.arange(len(x)), lengths - 1]

    def features(self, x: Ragged, learn: bool) -> Features:
        """The regression's features of all sequences; `learn` sets the idf weights by them."""
        groups = [self._counted(x, group) for group in range(2 if self.inside.shape[1] else 1)]
        if learn:
            often = sum(np.bincount(column, minlength=self.places) for _, column, _ in groups)
            # As scikit-learn's smooth idf; an n-gram that one sequence alone has says nothing of others.
            idf = np.where(often > 1, np.log((1 + len(x)) / (1 + np.asarray(often))) + 1, 0.0)
            idf[0] = 0.0
            self.idf.copy_(torch.from_numpy(idf))
        idf = self.idf.double().numpy()
        parts = []
        for row, column, many in groups:
            norm = np.bincount(row, many * idf[column] ** 2, minlength=len(x))
            value = many * idf[column] / np.sqrt(np.maximum(norm[row], 1e-12))
            kept = value > 0
            parts.append((row[kept], column[kept], value[kept]))
        row, column, value = (np.concatenate(side) for side in zip(*parts, strict=True))
        return Features(row, column, value, (len(x), self.places))

    def _counted(self, x: Ragged, group: int) -> tuple[Array, Array, Array]:
        """Sequence, place and count of each n-gram of a group."""
        rows, columns, counts = [], [], []
        lengths = x.lengths
        ends = np.searchsorted(np.cumsum(lengths), np.arange(STEPS, int(lengths.sum()) + STEPS, STEPS))
        for part in np.split(np.arange(len(x)), np.unique(ends + 1)):
            if not len(part):
                continue
            # End to end with gaps of padding, over which no n-gram reaches.
            gap = max(self.orders)
            flat = np.zeros(int((lengths[part] + gap).sum()), dtype=np.int64)
            owner = np.repeat(part, lengths[part] + gap)
            inside = np.concatenate([np.arange(n + gap) < n for n in lengths[part]])
            flat[inside] = x.values[x.offsets[part[0]] : x.offsets[part[-1] + 1]]
            places = self.grams(torch.from_numpy(flat)[None])[group][0].numpy()
            key = (owner[:, None] * self.places + places)[places > 0]
            unique, many = np.unique(key, return_counts=True)
            rows.append(unique // self.places)
            columns.append(unique % self.places)
            counts.append(many)
        return tuple(np.concatenate(side) for side in (rows, columns, counts))  # type: ignore[return-value]


def _inside(schema: Schema) -> Array:
    """(V, n) codes of the characters' n-grams inside each token; 0 for none."""
    found = []
    for token in schema.tokens:
        word = f"^{token}$"
        codes = [
            _code(word[at : at + n]) for n in INSIDE for at in range(len(word) - n + 1) if len(token) > 0
        ]
        found.append(list(dict.fromkeys(codes))[:MOST_INSIDE])
    found[1] = []
    table = np.zeros((len(found), max(map(len, found))), dtype=np.int64)
    for row, codes in zip(table, found, strict=True):
        row[: len(codes)] = codes
    return table


def _code(text: str) -> int:
    """A number for a piece of text, the same everywhere."""
    code = 7
    for letter in text:
        code = (code * 1_000_003 + ord(letter)) % 2**40
    return code or 1
