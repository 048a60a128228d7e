"""Shapes in series, counted while they are read: a linear model whose sums need constant memory."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recurra.data.ragged import Ragged
from recurra.nn.causal import causal, flat, windows
from recurra.nn.linear import linear
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
        output = torch.cat(outputs).T
        keep = torch.from_numpy(rng.permutation(output.shape[1])[:4096])
        ordered = output[:, keep].sort(1).values
        place = (share * (ordered.shape[1] - 1)).long()
        self.thresholds.copy_(ordered.gather(1, place))

    def outputs(self, x: Tensor) -> Tensor:
        """(B, T, shapes) of series (B, T, C); zeros stand before the beginning."""
        kernels = torch.split(self.kernels, len(KERNELS))
        found = [causal(x, some, None, d) for some, d in zip(kernels, self.dilations, strict=True)]
        return torch.cat(found, 2)

    def above(self, output: Tensor) -> Tensor:
        """(…, F) bool, whether outputs (…, shapes) are above each threshold."""
        return (output[..., None] > self.thresholds).flatten(-2)

    def counts(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(B, F) int32, at how many steps outputs are above each threshold."""
        outside = torch.arange(x.shape[1]) >= lengths[:, None]
        many = max(1, CHUNK // (x.shape[1] * max(len(KERNELS), TAPS * x.shape[2])))
        parts = zip(torch.split(x, many), torch.split(outside, many), strict=True)
        return torch.cat([self._counted(*part) for part in parts])

    def _counted(self, x: Tensor, outside: Tensor) -> Tensor:
        """The same of a few series; outside: (B, T) bool, the steps that do not count."""
        found: list[Tensor] = []
        for some, dilation in zip(torch.split(self.kernels, len(KERNELS)), self.dilations, strict=True):
            # The same products as those of `outputs`, laid out so that a shape's steps lie side by side.
            seen = windows(x, TAPS, dilation).flatten(2).flatten(0, 1)
            output = linear(flat(some), seen).view(-1, *outside.shape)
            if outside.any():
                output.masked_fill_(outside, -torch.inf)
            thresholds = self.thresholds[len(found) * len(KERNELS) :][: len(KERNELS), :, None, None]
            above = [
                (output > one).view(torch.uint8).sum(2, dtype=torch.int32) for one in thresholds.unbind(1)
            ]
            found.append(torch.stack(above, 2))
        return torch.cat(found).transpose(0, 1).flatten(1)

    def shares(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(B, F) share of steps above each threshold."""
        return share(self.counts(x, lengths), lengths[:, None])

    def answer(self, counts: Tensor, steps: Tensor) -> Tensor:
        """Logits (…, K) from counts (…, F) over so many steps (…, 1)."""
        features = (share(counts, steps) - self.mean) / self.scale
        return linear(features, self.weight.T, self.bias)

    def running(self, x: Tensor) -> Tensor:
        """Logits (B, T, K) after each step."""
        output = self.outputs(x)
        counts = torch.zeros(len(x), 1, self.weight.shape[0], dtype=torch.int64)
        many = max(1, CHUNK // counts.numel())
        found = []
        for begin in range(0, x.shape[1], many):
            above = self.above(output[:, begin : begin + many])
            so_far = counts + above.cumsum(1)
            counts = so_far[:, -1:]
            found.append(self.answer(so_far, torch.arange(begin, begin + above.shape[1])[:, None] + 1))
        return torch.cat(found, 1)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Logits (B, K) of whole series."""
        return self.answer(self.counts(x, lengths), lengths[:, None])


def share(counts: Tensor, steps: Tensor) -> Tensor:
    """float32; of any number of steps."""
    return (counts.double() / steps).float()
