"""Pictures to features of their parts: a small residual network, trained from scratch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.nn.convolution import Conv2d, GroupNorm

# Channels of a group that are normed together.
GROUP = 16


class Encoder(nn.Module):
    """The residual network of He et al. (2016), with group norms (Wu & He 2018) and few layers.

    widths, blocks: channels and residual blocks of each stage; a stage's pictures have half the sides of
    those before it, the first stage's a quarter of the picture's.
    """

    def __init__(self, widths: Sequence[int], blocks: Sequence[int]) -> None:
        super().__init__()
        first = max(GROUP, widths[0] // 2)
        self.stem = nn.Sequential(
            Conv2d(3, first, 3, 2, 1, bias=False),
            _norm(first),
            nn.ReLU(),
            Conv2d(first, widths[0], 3, 2, 1, bias=False),
            _norm(widths[0]),
            nn.ReLU(),
        )
        stages: list[nn.Module] = []
        before = widths[0]
        for number, (width, many) in enumerate(zip(widths, blocks, strict=True)):
            for n in range(many):
                stages.append(Block(before, width, 2 if number and not n else 1))
                before = width
        self.stages = nn.Sequential(*stages)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, C, S/16, S/16), with three stages, of pictures (B, 3, S, S) about within [-2, 2]."""
        if self.training:
            x = x.contiguous(memory_format=torch.channels_last)
        y: Tensor = self.stages(self.stem(x))
        return y


class Block(nn.Module):
    """y = ReLU(x' + norm(conv(ReLU(norm(conv(x)))))), x' being x at the block's size."""

    def __init__(self, inputs: int, width: int, step: int) -> None:
        super().__init__()
        self.step = step
        self.first = Conv2d(inputs, width, 3, step, 1, bias=False)
        self.first_norm = _norm(width)
        self.second = Conv2d(width, width, 3, 1, 1, bias=False)
        self.second_norm = _norm(width)
        # A fresh block hands on what it is given.
        nn.init.zeros_(self.second_norm.weight)
        self.short = Conv2d(inputs, width, 1, bias=False) if step > 1 or inputs != width else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.second_norm(self.second(F.relu(self.first_norm(self.first(x)))))
        if self.step > 1:
            x = F.avg_pool2d(x, self.step)
        return F.relu((x if self.short is None else self.short(x)) + y)


def _norm(width: int) -> GroupNorm:
    return GroupNorm(max(1, width // GROUP), width)
