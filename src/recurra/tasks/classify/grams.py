"""n-grams of tokens, counted while they are read: a linear model whose sums need constant memory."""

from __future__ import annotations

from collections.abc import Sequence
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
# How much more a rare n-gram counts than a common one, as a power of its idf. Of characters it is chosen by
# trial: long texts are told apart by rare n-grams, names by common ones.
RARE, RARE_CHARACTERS = (1.0,), (1.0, 0.0)
# Knuth's multiplicative hashing; odd, so that nothing is lost modulo a power of two.
SPREAD = 2654435761
LOW = 2**40 - 1  # of a code's bits
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
        self.tried = RARE_CHARACTERS if letters else RARE
        self.longest = max(self.orders)
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
        windows = self._windows(x)
        own, closing = self.ending(windows), self.closed(windows)
        return [own, self.within(x)] if self.inside.shape[1] else [own], closing

    def _windows(self, x: Tensor) -> Tensor:
        """(B, T, N) the last tokens up to each step, as many as the longest n-gram has; 0 for none."""
        before = F.pad(F.pad(x, (1, 0), value=self.begin), (self.longest - 1, 0))
        return before.unfold(1, self.longest, 1)[:, 1:]

    def ending(self, x: Tensor) -> Tensor:
        """Places (…, n) of the n-grams that end with the last of the tokens x (…, N); tokens 0 are none."""
        tokens = x.numpy()
        found = [self._codes(tokens[..., self.longest - order :], order) for order in self.orders]
        return torch.from_numpy(np.stack(found, -1))

    def closed(self, x: Tensor) -> Tensor:
        """Places (…, n - 1) of the n-grams that the end makes with the last of the tokens x (…, N)."""
        tokens = x.numpy()
        found = [
            self._codes(tokens[..., self.longest - order + 1 :], order, self.end)
            for order in self.orders
            if order > 1
        ]
        return torch.from_numpy(np.stack(found, -1))

    def within(self, x: Tensor) -> Tensor:
        """Places (…, n) of the n-grams of characters inside tokens (…)."""
        inside = self.inside[x]
        return torch.where(inside > 0, self._place(inside), 0)

    def _codes(self, x: Array, order: int, last: int | None = None) -> Array:
        """Places (…) of the n-grams that tokens (…, n) are, or are with `last` after them."""
        code = np.zeros(x.shape[:-1], dtype=np.int64)
        for at in range(x.shape[-1]):
            code = (code * 1_000_003 + x[..., at] * SPREAD + order) & LOW
        if last is not None:
            code = (code * 1_000_003 + last * SPREAD + order) & LOW
        return np.where((x > 0).all(-1), self._place(code), 0)

    def _place(self, code: Any) -> Any:
        return 1 + ((code * SPREAD & LOW) >> 7) % (self.places - 1)

    def scored(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """Sums over n-grams (…, n) of idf · weight, (…, K), and of idf², (…), one n-gram after another."""
        score = self.weight.new_zeros(*places.shape[:-1], self.weight.shape[1])
        norm = self.idf.new_zeros(places.shape[:-1])
        idf = self.idf[places]
        squared = idf.square()
        for n, place in enumerate(places.unbind(-1)):
            score += idf[..., n, None] * self.weight[place]
            norm += squared[..., n]
        return score, norm

    def scored_within(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The same of the n-grams inside tokens (…), each different one looked at once."""
        different, which = torch.unique(x, return_inverse=True)
        score, norm = self.scored(self.within(different))
        return score[which], norm[which]

    def answer(self, sums: Sequence[tuple[Tensor, Tensor]], closing: tuple[Tensor, Tensor]) -> Tensor:
        """Logits (…, K) from each group's sums over the steps, (…, K) and (…) float64, and of what closes."""
        total = self.bias.double()
        first, *others = sums
        for score, norm in ((first[0] + closing[0], first[1] + closing[1]), *others):
            total = total + score / norm.clamp(min=1e-12).sqrt()[..., None]
        return total.float()

    def running(self, x: Tensor) -> Tensor:
        """Logits (B, T, K) of tokens (B, T) as if each step were the last; padding, 0, adds nothing.

        Sums over the steps are running sums in float64, so that they do not depend on how many follow.
        """
        windows = self._windows(x)
        return self.answer(self._sums(x, windows), self.scored(self.closed(windows)))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Logits (B, K) of whole sequences."""
        windows, at = self._windows(x), (torch.arange(len(x)), lengths - 1)
        sums = [(score[at], norm[at]) for score, norm in self._sums(x, windows)]
        return self.answer(sums, self.scored(self.closed(windows[at])))

    def _sums(self, x: Tensor, windows: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Of each group, the sums (B, T, K) and (B, T) float64 up to each step."""
        found = [self.scored(self.ending(windows))]
        if self.inside.shape[1]:
            found.append(self.scored_within(x))
        return [(score.double().cumsum(1), norm.double().cumsum(1)) for score, norm in found]

    def learn(self, x: Ragged, seed: int, rare: float = 1.0) -> tuple[Features, Array]:
        """Set the idf weights by these sequences; returns the features and the places they have."""
        groups = [self._counted(x, group) for group in range(2 if self.inside.shape[1] else 1)]
        often = np.sum([np.bincount(column, minlength=self.places) for _, column, _ in groups], axis=0)
        # As scikit-learn's smooth idf; an n-gram that one sequence alone has says nothing of others.
        idf = np.where(often > 1, (np.log((1 + len(x)) / (1 + often)) + 1) ** rare, 0.0)
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
