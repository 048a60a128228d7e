"""The compiled core: recurrences at the speed of the machine, the same bits whatever stands beside a row."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import dropout as drop

from recurra.cells import State, Weights
from recurra.engines.cpu import autograd as _autograd  # noqa: F401  # gives the operator its derivative
from recurra.engines.cpu.arrays import KINDS, mixed
from recurra.engines.cpu.core import described, unusable
from recurra.engines.cpu.ops import OPS, saved_unit
from recurra.engines.request import Request

NAME = "cpu"
OPAQUE = True


def why_not(request: Request) -> str | None:
    if request.device.type != "cpu":
        return f"the compiled core runs on CPUs, not on {request.device.type}"
    if request.dtype not in (torch.float32, torch.float64):
        return f"the compiled core computes in float32 and float64, not in {str(request.dtype)[6:]}"
    if request.cell not in KINDS:
        return f"the compiled core has no {request.cell}"
    if request.transformed:
        return "the compiled core has no rules for torch.func transforms and forward-mode differentiation"
    return unusable()


def run(
    request: Request,
    x: Tensor,
    state: State | None,
    weights: Sequence[Weights],
    *,
    lengths: Tensor | None = None,
    reset: Tensor | None = None,
    dropout: float = 0.0,
    training: bool = False,
    rows_first: bool = False,
    memory: str = "stored",
) -> tuple[Tensor, State]:
    x, state = _fitting(request, x, state, weights)
    kind, both_ways = KINDS[request.cell], request.bidirectional
    directions = 2 if both_ways else 1
    last = request.num_layers - 1
    inputs, outputs = request.input_size, request.proj_size or request.hidden_size
    wide = request.dtype is torch.float64
    traced = torch.compiler.is_compiling()
    steps = x.size(0)
    if traced:
        # An exported graph must fit any number of steps; a compiled one all up to a power of two.
        memory = "stored" if torch.compiler.is_exporting() else memory
        steps = _power_of_two(steps) if memory == "checkpointed" else 1
    if lengths is not None:
        lengths = lengths.to(x.device)
    if reset is not None:
        reset = reset.to(x.device)

    finals: list[list[Tensor]] = []
    states: list[Tensor | None] = [None, None]
    for k in range(last + 1):
        own = weights[k * directions : (k + 1) * directions]
        if state is not None:
            parts = state if last == 0 else [s[k * directions : (k + 1) * directions] for s in state]
            states = [*parts, None]
        x, *final = OPS.layer.default(
            x,
            states[0],
            states[1],
            [part for w in own for part in w if part is not None],
            lengths,
            reset,
            kind,
            both_ways,
            rows_first and k == last,
            traced,
            memory,
            saved_unit(kind, wide, memory, steps, (inputs, request.hidden_size, outputs)),
        )
        inputs = directions * outputs
        finals.append(final)
        if k < last and training and dropout:
            x = drop(x, dropout)
    if last == 0:
        return x, tuple(finals[0])
    return x, tuple(torch.cat(s) for s in zip(*finals, strict=True))


def step(request: Request, x: Tensor, state: State | None, w: Weights) -> State:
    over_time = None if state is None else tuple(s.unsqueeze(0) for s in state)
    _, final = run(request, x.unsqueeze(0), over_time, [w])
    return tuple(s.squeeze(0) for s in final)


def _power_of_two(steps: int) -> int:
    """The least that is not below steps: a number, where steps is a symbol."""
    power = 1
    while power < steps:
        power *= 2
    return power


def _fitting(
    request: Request, x: Tensor, state: State | None, weights: Sequence[Weights]
) -> tuple[Tensor, State | None]:
    """Input and state in the weights' precision under autocast; else refused where they differ."""
    dtype, device = request.dtype, request.device
    if torch.is_autocast_enabled("cpu"):
        x = x.to(dtype)
        state = None if state is None else tuple(s.to(dtype) for s in state)
    given = [("input", x), *(("hidden", s) for s in state or ())]
    if x.device != device:
        raise RuntimeError(_apart("parameter", x.device, device))
    for name, tensor in given:
        if tensor.device != x.device:
            raise RuntimeError(_apart(name, x.device, tensor.device))
        if tensor.dtype is not dtype:
            raise RuntimeError(mixed(tensor.dtype, dtype))
    for w in weights:
        for part in w:
            if part is not None and part.device != device:
                raise RuntimeError(_apart("parameter", x.device, part.device))
    return x, state


def _apart(name: str, one: torch.device, other: torch.device) -> str:
    """What PyTorch says of tensors on two devices."""
    return (
        f"Input and {name} tensors are not at the same device, "
        f"found input tensor at {one} and {name} tensor at {other}"
    )


__all__ = ["NAME", "OPAQUE", "described", "run", "step", "why_not"]
