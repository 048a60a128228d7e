"""A product with weights that gives a row the same bits whatever stands beside it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y (..., O) = x (..., I)·Wᵀ + b, W (O, I), b (O,): `torch.nn.functional.linear`, with the promise of bits.

    Where no gradient is wanted, on a CPU in float32 and float64, an output is one sum in one order, whatever
    the other rows. Elsewhere it is `torch.nn.functional.linear` itself.
    """
    given = (x, weight) if bias is None else (x, weight, bias)
    wanted = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in given)
    if wanted or x.device.type != "cpu" or x.dtype not in (torch.float32, torch.float64):
        return F.linear(x, weight, bias)
    y = x.new_zeros(*x.shape[:-1], len(weight)) if bias is None else bias.expand(*x.shape[:-1], len(weight))
    for k in range(x.shape[-1]):
        y = y + x[..., k : k + 1] * weight[:, k]
    return y


class Linear(torch.nn.Linear):
    """torch.nn.Linear, with the same arguments and weights; its forward is `linear`."""

    def forward(self, input: Tensor) -> Tensor:
        return linear(input, self.weight, self.bias)
