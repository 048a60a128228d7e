"""Shapes in series, counted while they are read: a linear model whose sums need constant memory."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.data.ragged import Ragged
from recurra.tasks.classify.regression import Dense
from recurra.tasks.classify.schema import Schema
from recurra.tasks.classify.shape import TAPS

Array = np.ndarray[Any, np.dtype[Any]]

HIGH = 3  # taps of a kernel that are 2 rather than -1
KERNELS = tuple(combinations(range(TAPS), HIGH))
THRESHOLDS = 4
CHUNK = 2_000_000  # outputs that are looked at together
LEARNT_FROM = 256  # sequences whose values set the thresholds


class Shapes(nn.Module):
    """Logistic regression over how often each of many fixed shapes occurs in a series.

    MiniRocket (Dempster, Schmidt & Webb 2021): kernels of nine taps, three of them 2 and six -1, at dilations
    1, 2, 4, …; each with thresholds that are quantiles of its output on the training part. A feature is the
    share of steps so far at which the output was above its threshold. Kernels here look back only; with
    several channels each looks at some of them.
    """

    kernels: Tensor
    thresholds: Tensor
    weight: Tensor
    bias: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        self.dilations = schema.shape.dilations
        shapes, channels = len(self.dilations) * len(KERNELS), schema.width
        self.register_buffer("kernels", torch.zeros(shapes, channels, TAPS))
        self.register_buffer("thresholds", torch.zeros(shapes, THRESHOLDS))
        self.register_buffer("weight", torch.zeros(shapes * THRESHOLDS, len(schema.classes)))
        self.register_buffer("bias", torch.zeros(len(schema.classes)))
        self.register_buffer("mean", torch.zeros(shapes * THRESHOLDS))
        self.register_buffer("scale", torch.ones(shapes * THRESHOLDS))

    def learn(self, x: Ragged, seed: int) -> tuple[Dense, Array]:
        """Set kernels, thresholds and scales; returns the regression's features and the places they have."""
        rng = np.random.default_rng([seed, 1])
        self._draw(rng)
        self._set_thresholds(x, rng)
        size = max(1, CHUNK // max(1, int(x.lengths.max(initial=1)) * len(self.kernels)))
        parts = [np.arange(at, min(at + size, len(x))) for at in range(0, len(x), size)]
        found = torch.cat([self.shares(*x.padded(part)) for part in parts])
        self.mean.copy_(found.mean(0))
        self.scale.copy_(found.std(0, correction=0).clamp(min=1e-3) * math.sqrt(found.shape[1]))
        return Dense((found - self.mean) / self.scale), np.arange(found.shape[1])

    def _draw(self, rng: np.random.Generator) -> None:
        """The kernels, each over some of the channels."""
        shapes, channels, _ = self.kernels.shape
        one = np.full((len(KERNELS), TAPS), -1.0)
        for row, places in zip(one, KERNELS, strict=True):
            row[list(places)] = 2.0
        most = min(channels, TAPS)
        kernels = np.zeros((shapes, channels, TAPS))
        for n in range(shapes):
            many = int(2 ** rng.uniform(0, math.log2(most + 1)))
            kernels[n, rng.choice(channels, many, replace=False)] = one[n % len(KERNELS)]
        self.kernels.copy_(torch.from_numpy(kernels))

    def _set_thresholds(self, x: Ragged, rng: np.random.Generator) -> None:
        """Quantiles of each kernel's output on some of the sequences."""
        shapes = len(self.kernels)
        some = rng.permutation(len(x))[:LEARNT_FROM]
        # Quantiles that are spread without a pattern, as there: the golden ratio's multiples.
        spread = np.modf(np.arange(1, shapes * THRESHOLDS + 1) * (math.sqrt(5) - 1) / 2)[0]
        share = torch.from_numpy(spread).reshape(shapes, THRESHOLDS).float()
        outputs: list[Tensor] = []
        for n in some:
            outputs.append(self.outputs(torch.from_numpy(x[int(n)])[None])[0])
        output = torch.cat(outputs, 1)
        keep = torch.from_numpy(rng.permutation(output.shape[1])[:4096])
        ordered = output[:, keep].sort(1).values
        place = (share * (ordered.shape[1] - 1)).long()
        self.thresholds.copy_(ordered.gather(1, place))

    def outputs(self, x: Tensor) -> Tensor:
        """(B, shapes, T) of series (B, T, C); zeros stand before the beginning."""
        found, many = [], len(KERNELS)
        for n, dilation in enumerate(self.dilations):
            padded = F.pad(x.transpose(1, 2), ((TAPS - 1) * dilation, 0))
            found.append(F.conv1d(padded, self.kernels[n * many : (n + 1) * many], dilation=dilation))
        return torch.cat(found, 1)

    def shares(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(B, F) share of steps above each threshold."""
        output = self.outputs(x)
        inside = torch.arange(x.shape[1]) < lengths[:, None]
        counts = [
            ((output > self.thresholds[:, n, None]) & inside[:, None]).sum(2) for n in range(THRESHOLDS)
        ]
        return torch.stack(counts, 2).flatten(1) / lengths[:, None]

    def running(self, x: Tensor) -> Tensor:
        """Logits (B, T, K) after each step."""
        output = self.outputs(x)
        weight = (self.weight / self.scale[:, None]).reshape(len(self.kernels), THRESHOLDS, -1)
        score = sum(
            torch.einsum("bft,fk->btk", (output > self.thresholds[:, n, None]).float(), weight[:, n])
            for n in range(THRESHOLDS)
        )
        assert isinstance(score, Tensor)
        steps = torch.arange(1, x.shape[1] + 1)[:, None]
        return score.cumsum(1) / steps + self.bias - (self.mean / self.scale) @ self.weight

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Logits (B, K) of whole series."""
        return (self.shares(x, lengths) - self.mean) / self.scale @ self.weight + self.bias
