"""A product with weights that gives a row the same bits whatever stands beside it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import _C, Tensor

from recurra.engines import forced, transformed
from recurra.engines.cpu import linear as product
from recurra.engines.cpu.autograd import PLAIN, watched


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y (…, O) = x (…, I)·Wᵀ + b, W (O, I), b (O,): `torch.nn.functional.linear`, with the promise of bits.

    Where no gradient is wanted, on a CPU in float32 and float64, each output is one chain of fused multiply-
    adds, b + w₀x₀ + w₁x₁ + …, whatever the other rows, the number of threads and the instruction set. Where
    one is wanted, and elsewhere, it is `torch.nn.functional.linear` itself, whose order depends on the sizes.
    """
    tensors = (x, weight) if bias is None else (x, weight, bias)
    wanted = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    if wanted or transformed() or forced() not in (None, "cpu") or not product.suits(x, weight, bias):
        return F.linear(x, weight, bias)
    if not watched(tensors):
        return product.run(x, weight, bias)
    traced = torch.compiler.is_compiling() or _C._len_torch_dispatch_stack() > 0
    if traced or PLAIN.issuperset([_C._dispatch_keys(tensor).raw_repr() for tensor in tensors]):
        y: Tensor = product.OPERATOR(x, weight, bias)
        return y
    return F.linear(x, weight, bias)


class Linear(torch.nn.Linear):
    """torch.nn.Linear, with the same arguments and weights; its forward is `linear`."""

    def forward(self, input: Tensor) -> Tensor:
        return linear(input, self.weight, self.bias)
