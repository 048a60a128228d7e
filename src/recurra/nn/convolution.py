"""Convolutions and group norms over pictures, each picture with the same bits whatever stands beside it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.nn.linear import linear


def alone(x: Tensor, *weights: Tensor | None) -> bool:
    """Whether no gradient is wanted of x or the weights: then rows must not depend on each other."""
    watched = any(one.requires_grad for one in (x, *weights) if one is not None)
    return not (torch.is_grad_enabled() and watched)


class Conv2d(nn.Conv2d):
    """torch.nn.Conv2d with zeros around, no groups and no dilation; x (B, C, H, W) to (B, O, H', W').

    Where no gradient is wanted each picture is unfolded to patches, (H'·W', C·K·K), whose product with the
    weights gives each patch the same bits whatever the batch, the threads and the instruction set (see
    `recurra.nn.linear`). Where one is wanted it is torch's own convolution.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not alone(input, self.weight, self.bias):
            return super().forward(input)
        return torch.stack([self._one(x) for x in input])

    def _one(self, x: Tensor) -> Tensor:
        (high, wide), (step, _), (around, _) = self.kernel_size, self.stride, int_pair(self.padding)
        rows, columns = (
            (n + 2 * around - k) // step + 1 for n, k in zip(x.shape[1:], (high, wide), strict=True)
        )
        if high == wide == step == 1 and not around:
            patches = x.flatten(1).T
        else:
            patches = F.unfold(x[None], self.kernel_size, padding=around, stride=step)[0].T
        y = linear(patches.contiguous(), self.weight.flatten(1), self.bias)
        return y.T.reshape(-1, rows, columns)


def int_pair(padding: str | tuple[int, ...]) -> tuple[int, int]:
    """Zeros above and beside."""
    assert not isinstance(padding, str)
    return padding[0], padding[-1]


class GroupNorm(nn.GroupNorm):
    """torch.nn.GroupNorm (Wu & He 2018): y = (x − μ) / √(σ² + ε) · γ + β, μ and σ of a picture's group.

    Where no gradient is wanted μ and σ² are summed up in float64, channel by channel first: no sum is so long
    that it would be shared out among threads, which changes its order.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not alone(input, self.weight, self.bias):
            return super().forward(input)
        many, x = self.num_channels // self.num_groups, input.double().flatten(2)
        mean = self._mean(x, many)
        variance = self._mean((x - mean[:, :, None]) ** 2, many)
        scale = (variance + self.eps).rsqrt() * self.weight
        shift = self.bias - mean * scale
        scale, shift = (one.to(input.dtype)[:, :, None, None] for one in (scale, shift))
        return input * scale + shift

    def _mean(self, x: Tensor, many: int) -> Tensor:
        """Of each channel's group, (B, C): x (B, C, H·W), and `many` channels of a group."""
        groups = x.mean(2).view(len(x), self.num_groups, many).mean(2)
        return groups.repeat_interleave(many, 1)
