"""Convolution over time that looks back only, with the promise of bits."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.nn.linear import linear

# Numbers in the windows that are laid out at once.
NUMBERS = 1 << 20


def causal(x: Tensor, weight: Tensor, bias: Tensor | None = None, dilation: int = 1) -> Tensor:
    """y_t (B, T, O) = b + Σ_k W_k x_(t - (K - 1 - k)·dilation), x (B, T, C), W (O, C, K); zeros come before.

    Where no gradient is wanted a step's outputs are those of `of_window`, whatever stands beside it.
    """
    tensors = (x, weight) if bias is None else (x, weight, bias)
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        reach = (weight.shape[2] - 1) * dilation
        padded = F.pad(x.transpose(1, 2), (reach, 0))
        return F.conv1d(padded, weight, bias, dilation=dilation).transpose(1, 2)
    seen = windows(x, weight.shape[2], dilation)
    steps = max(1, NUMBERS // max(1, seen[:, :1].numel()))
    found = [of_window(some, weight, bias) for some in torch.split(seen, steps, 1)]
    return found[0] if len(found) == 1 else torch.cat(found, 1)


def windows(x: Tensor, taps: int, dilation: int = 1) -> Tensor:
    """(B, T, K, C) the K steps of x (B, T, C) that each step sees, `dilation` apart; a view of one copy."""
    reach = (taps - 1) * dilation
    return F.pad(x, (0, 0, reach, 0)).unfold(1, reach + 1, 1)[..., ::dilation].transpose(2, 3)


def of_window(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """(…, O) of the K steps x (…, K, C) that filters W (O, C, K) lie on."""
    return linear(x.flatten(-2), flat(weight), bias)


def flat(weight: Tensor) -> Tensor:
    """(O, K·C) of filters (O, C, K): the channels of each step side by side."""
    return weight.transpose(1, 2).flatten(1)
