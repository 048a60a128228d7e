"""A product with weights as the core computes it, and as an operator: a row's bits are its own."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from recurra.engines.cpu.arrays import expect
from recurra.engines.cpu.core import core, unusable
from recurra.engines.cpu.ops import LIBRARY, OPS

SCHEMA = "linear(Tensor x, Tensor weight, Tensor? bias) -> Tensor"


def suits(x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    """Whether the core can compute it as it is given."""
    dtype = x.dtype
    return (
        (dtype is torch.float32 or dtype is torch.float64)
        and weight.dtype is dtype
        and weight.dim() == 2
        and x.dim() > 0
        and x.size(-1) == weight.size(1)
        and x.is_cpu
        and weight.is_cpu
        and (bias is None or (bias.dtype is dtype and bias.is_cpu and _one_for_each(bias, weight)))
        and not torch.is_autocast_enabled("cpu")
        and unusable() is None
    )


def _one_for_each(bias: Tensor, weight: Tensor) -> bool:
    return bias.dim() == 1 and bias.size(0) == weight.size(0)


def run(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """y (…, O) of tensors that go together."""
    outputs, inputs = weight.shape
    if x.dim() == 2:
        rows, y = x, x.new_empty(x.size(0), outputs)
    else:
        rows = x.reshape(math.prod(x.shape[:-1]), inputs)
        y = x.new_empty(*x.shape[:-1], outputs)
    step, value = rows.stride()
    if value != 1 and inputs > 1:
        rows, step = rows.contiguous(), inputs
    row, column = weight.stride()
    column = column if inputs > 1 else 1
    if row != 1 and column != 1:
        weight, row, column = weight.contiguous(), inputs, 1
    if bias is not None and not bias.is_contiguous():
        bias = bias.contiguous()
    core.linear(
        x.dtype is torch.float64,
        torch.get_num_threads(),
        (rows.size(0), inputs, outputs),
        (rows.data_ptr(), step),
        (weight.data_ptr(), row, column),
        0 if bias is None else bias.data_ptr(),
        (y.data_ptr(), outputs),
    )
    return y


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The operator's kernel, which takes nothing on trust."""
    if weight.dim() != 2 or not x.dim():
        raise RuntimeError(
            f"Expected rows and a matrix, got {x.dim()} and {weight.dim()} dimensions. "
            "Give x (…, I) and a weight (O, I)."
        )
    if x.dtype not in (torch.float32, torch.float64):
        raise RuntimeError(f"Expected an input in float32 or float64, got {x.dtype}. Convert it: x.float().")
    outputs, inputs = weight.shape
    if x.shape[-1] != inputs:
        raise RuntimeError(f"Expected {inputs} inputs, got {x.shape[-1]}. Give as many as the weights take.")
    expect(weight, (outputs, inputs), x.dtype)
    if bias is not None:
        expect(bias, (outputs,), x.dtype)
    return run(x, weight, bias)


def fake_linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return x.new_empty(*x.shape[:-1], weight.shape[0])


def _setup(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor | None], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:2])


def _backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
    """The gradients, for a graph that was made without them and is differentiated all the same."""
    x, weight = ctx.saved_tensors
    of_x, of_weight, of_bias = ctx.needs_input_grad
    rows = dy.reshape(-1, dy.shape[-1])
    return (
        dy @ weight if of_x else None,
        rows.T @ x.reshape(-1, x.shape[-1]) if of_weight else None,
        rows.sum(0) if of_bias else None,
    )


LIBRARY.define(SCHEMA, tags=(torch.Tag.pt2_compliant_tag,))
LIBRARY.impl("linear", linear, "CPU")
torch.library.register_fake("recurra::linear", fake_linear, lib=LIBRARY)
torch.library.register_autograd("recurra::linear", _backward, setup_context=_setup, lib=LIBRARY)
OPERATOR: Any = OPS.linear.default
