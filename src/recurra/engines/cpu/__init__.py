"""The compiled core: recurrences at the speed of the machine, the same bits whatever stands beside a row."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import dropout as drop

from recurra.cells import State, Weights
from recurra.engines.cpu.arrays import KINDS, Given, mixed
from recurra.engines.cpu.autograd import directly, watched
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
    weights: Sequence[Tensor],
    *,
    lengths: Tensor | None = None,
    reset: Tensor | None = None,
    dropout: float = 0.0,
    training: bool = False,
    rows_first: bool = False,
    memory: str = "stored",
) -> tuple[Tensor, State]:
    dtype, layers = request.dtype, request.num_layers
    if torch.is_autocast_enabled("cpu"):
        x = x.to(dtype)
        state = None if state is None else tuple([s.to(dtype) for s in state])
    if lengths is not None:
        lengths = lengths.to(x.device)
    if reset is not None:
        reset = reset.to(x.device)
    seen = watched((x, *weights, *[t for t in (*(state or ()), lengths, reset) if t is not None]))
    if seen or x.dtype is not dtype:
        _check(request, x, state or (), weights)
    kind, both_ways = KINDS[request.cell], request.bidirectional
    directions = 2 if both_ways else 1
    inputs, units, outputs = request.input_size, request.hidden_size, request.proj_size or request.hidden_size
    traced, unit, steps = torch.compiler.is_compiling(), 0, 1
    if traced:
        # An exported graph must fit any number of steps; a compiled one all up to a power of two.
        memory = "stored" if torch.compiler.is_exporting() else memory
    if memory == "checkpointed":
        steps = _power_of_two(x.size(0)) if traced else x.size(0)

    finals: list[list[Tensor]] = []
    h = c = None
    parts = len(weights) // layers
    for k in range(layers):
        if state is not None:
            of_k = state if layers == 1 else [s[k * directions : (k + 1) * directions] for s in state]
            h, c = of_k if len(of_k) > 1 else (of_k[0], None)
        if seen:
            unit = saved_unit(kind, dtype is torch.float64, memory, steps, (inputs, units, outputs))
        own = weights if layers == 1 else weights[k * parts : (k + 1) * parts]
        given = Given(x, h, c, own, lengths, reset, kind, both_ways)
        room = (rows_first and k + 1 == layers, traced, memory, unit)
        x, *final = OPS.layer.default(*given, *room) if seen else directly(given, *room)
        inputs = directions * outputs
        finals.append(final)
        if k + 1 < layers and training and dropout:
            x = drop(x, dropout)
    if layers == 1:
        return x, tuple(finals[0])
    return x, tuple(torch.cat(s) for s in zip(*finals, strict=True))


def step(request: Request, x: Tensor, state: State | None, w: Weights) -> State:
    over_time = None if state is None else tuple(s.unsqueeze(0) for s in state)
    _, final = run(request, x.unsqueeze(0), over_time, [part for part in w if part is not None])
    return tuple(s.squeeze(0) for s in final)


def _power_of_two(steps: int) -> int:
    """The least that is not below steps: a number, where steps is a symbol."""
    power = 1
    while power < steps:
        power *= 2
    return power


def _check(request: Request, x: Tensor, state: State, weights: Sequence[Tensor]) -> None:
    """Refuse tensors of another precision or on another device, in PyTorch's words."""
    dtype, device = request.dtype, request.device
    if x.device != device:
        raise RuntimeError(_apart("parameter", x.device, device))
    for name, tensors in (("hidden", state), ("parameter", weights)):
        for tensor in tensors:
            if tensor.device != device:
                raise RuntimeError(_apart(name, device, tensor.device))
    for tensor in (x, *state):
        if tensor.dtype is not dtype:
            raise RuntimeError(mixed(tensor.dtype, dtype))


def _apart(name: str, one: torch.device, other: torch.device) -> str:
    """What PyTorch says of tensors on two devices."""
    return (
        f"Input and {name} tensors are not at the same device, "
        f"found input tensor at {one} and {name} tensor at {other}"
    )


__all__ = ["NAME", "OPAQUE", "described", "run", "step", "why_not"]
