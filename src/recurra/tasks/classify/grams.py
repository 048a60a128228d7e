"""n-grams of tokens, counted while they are read: a linear model whose sums need constant memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.data.ragged import Ragged
from recurra.tasks.classify.regression import Features
from recurra.tasks.classify.schema import Schema

Array = np.ndarray[Any, np.dtype[Any]]

# n-grams of tokens that are words, of tokens that are characters, and of the characters inside a word.
OF_WORDS, OF_CHARACTERS, INSIDE = (1, 2), (1, 2, 3, 4, 5), (2, 3, 4, 5)
MOST_INSIDE = 24
# Knuth's multiplicative hashing; odd, so that nothing is lost modulo a power of two.
SPREAD = 2654435761
STEPS = 20_000  # of sequences looked at together


class Grams(nn.Module):
    """Logistic regression over weighted counts of n-grams (tf-idf), as classical text classifiers have it.

    z_t = b + Σ_groups (Σ_{s≤t} Σ_n idf_n w_n) / sqrt(Σ_{s≤t} Σ_n idf_n²): words and pairs of words, with the
    beginning and the end, are one group, the characters inside words another.
    """

    inside: Tensor
    idf: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        letters = schema.vocabulary is not None and schema.vocabulary.unit == "characters"
        self.orders = OF_CHARACTERS if letters else OF_WORDS
        self.begin, self.end = schema.width, schema.width + 1  # as tokens
        inside = np.zeros((schema.width, 0)) if letters else _inside(schema)
        self.places = schema.shape.places
        self.register_buffer("inside", torch.from_numpy(inside.astype(np.int64)), persistent=False)
        self.register_buffer("idf", torch.zeros(self.places))
        self.register_buffer("weight", torch.zeros(self.places, len(schema.classes)))
        self.register_buffer("bias", torch.zeros(len(schema.classes)))

    def grams(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Places of the n-grams that end at each step, for each group (B, T, n); 0 where there is none.

        The second is those that the end of the sequence would close if it came next, (B, T, n - 1).
        """
        before = F.pad(x, (1, 0), value=self.begin)
        own, closing = [], []
        for order in self.orders:
            own.append(self._codes(before, order)[:, 1:])
            if order > 1:
                closing.append(self._codes(before, order, self.end)[:, 1:])
        groups = [torch.stack(own, -1)]
        if self.inside.shape[1]:
            inside = self.inside[x]
            groups.append(torch.where(inside > 0, self._place(inside), 0))
        return groups, torch.stack(closing, -1)

    def _codes(self, x: Tensor, order: int, last: int | None = None) -> Tensor:
        """Places of the n-grams of tokens that end at each step, or with `last` after it."""
        code, whole = torch.zeros_like(x), torch.ones_like(x, dtype=torch.bool)
        for back in range(order - (1 if last is None else 2), -1, -1):
            token = F.pad(x, (back, 0))[:, : x.shape[1]]
            code, whole = (code * 1_000_003 + token * SPREAD + order) % 2**40, whole & (token > 0)
        if last is not None:
            code = (code * 1_000_003 + last * SPREAD + order) % 2**40
        return torch.where(whole, self._place(code), 0)

    def _place(self, code: Tensor) -> Tensor:
        return 1 + (code * SPREAD % 2**40 >> 7) % (self.places - 1)

    def running(self, x: Tensor) -> Tensor:
        """Logits (B, T, K) of tokens (B, T) as if each step were the last; padding, 0, adds nothing."""
        groups, closing = self.grams(x)
        total = self.bias.expand(*x.shape, -1)
        for number, places in enumerate(groups):
            score, norm = (each.cumsum(1) for each in self._scored(places))
            if number == 0:
                more, norm_more = self._scored(closing)
                score, norm = score + more, norm + norm_more
            total = total + score * norm.clamp(min=1e-12).rsqrt()[..., None]
        return total

    def _scored(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """Sums over n-grams (B, T, n) of idf · weight, (B, T, K), and of idf², (B, T)."""
        flat = places.flatten(0, 1)
        idf = self.idf[flat]
        score = F.embedding_bag(flat, self.weight, per_sample_weights=idf, mode="sum")
        return score.reshape(*places.shape[:2], -1), idf.square().sum(1).reshape(places.shape[:2])

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Logits (B, K) of whole sequences."""
        return self.running(x)[torch.arange(len(x)), lengths - 1]

    def learn(self, x: Ragged, seed: int) -> tuple[Features, Array]:
        """Set the idf weights by these sequences; returns the features and the places they have."""
        groups = [self._counted(x, group) for group in range(2 if self.inside.shape[1] else 1)]
        often = np.sum([np.bincount(column, minlength=self.places) for _, column, _ in groups], axis=0)
        # As scikit-learn's smooth idf; an n-gram that one sequence alone has says nothing of others.
        idf = np.where(often > 1, np.log((1 + len(x)) / (1 + often)) + 1, 0.0)
        idf[0] = 0.0
        self.idf.copy_(torch.from_numpy(idf))
        parts = []
        for row, column, many in groups:
            norm = np.bincount(row, many * idf[column] ** 2, minlength=len(x))
            value = many * idf[column] / np.sqrt(np.maximum(norm[row], 1e-12))
            kept = value > 0
            parts.append((row[kept], column[kept], value[kept]))
        row, column, value = (np.concatenate(side) for side in zip(*parts, strict=True))
        places, column = np.unique(column, return_inverse=True)
        return Features(row, column, value, (len(x), len(places))), places

    def _counted(self, x: Ragged, group: int) -> tuple[Array, Array, Array]:
        """Sequence, place and count of each n-gram of a group."""
        rows, columns, counts = [], [], []
        for part in self._parts(x):
            padded, lengths = x.padded(part)
            groups, closing = self.grams(padded)
            places = [groups[group].flatten(1)]
            if group == 0:
                places.append(closing[torch.arange(len(part)), lengths - 1])
            found = torch.cat(places, 1).numpy()
            key = (part[:, None] * self.places + found)[found > 0]
            unique, many = np.unique(key, return_counts=True)
            rows.append(unique // self.places)
            columns.append(unique % self.places)
            counts.append(many)
        return tuple(np.concatenate(side) for side in (rows, columns, counts))  # type: ignore[return-value]

    @staticmethod
    def _parts(x: Ragged) -> list[Array]:
        """All sequences, those of about the same length together, about STEPS steps at a time."""
        order = np.argsort(x.lengths, kind="stable")
        ends = np.cumsum(x.lengths[order]) // STEPS
        return np.split(order, np.flatnonzero(np.diff(ends)) + 1)


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
