"""The cells' own equations, step by step in torch operations: runs everything; all others must equal it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import dropout as drop
from torch.nn.functional import linear

from recurra.cells import State, Weights
from recurra.engines.request import Request, given_state, named

NAME = "reference"
OPAQUE = False


def why_not(request: Request) -> str | None:
    return None


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
    state = given_state(request, x, state)
    if _rounds(x.device):
        with torch.autocast(x.device.type, enabled=False):
            x, state = x.to(request.dtype), tuple(s.to(request.dtype) for s in state)
            drops: Any = {"dropout": dropout, "training": training}
            return run(request, x, state, weights, lengths=lengths, reset=reset, **drops)

    directions = 2 if request.bidirectional else 1
    live = None
    if lengths is not None:
        live = (torch.arange(x.shape[0], device=x.device)[:, None] < lengths.to(x.device)).unsqueeze(-1)
        # A NaN in the padding would reach the weights' gradients even where `where` hides it.
        x = torch.where(live, x, 0)
    cut = None
    if reset is not None:
        cut = reset.to(x.device).unsqueeze(-1)
        cut = cut if live is None else cut & live

    of_each = named(request, weights)
    finals: list[State] = []
    for layer in range(request.num_layers):
        outputs: list[Tensor] = []
        for d in range(directions):
            k = layer * directions + d
            initial = tuple(s[k] for s in state)
            y, final = _over_time(request, x, initial, of_each[k], live=live, cut=cut, backwards=d == 1)
            outputs.append(y)
            finals.append(final)
        x = torch.cat(outputs, dim=-1)
        if layer + 1 < request.num_layers:
            x = drop(x, dropout, training)
    return x, tuple(torch.stack(s) for s in zip(*finals, strict=True))


def _over_time(
    request: Request,
    x: Tensor,
    state: State,
    w: Weights,
    *,
    live: Tensor | None,
    cut: Tensor | None,
    backwards: bool,
) -> tuple[Tensor, State]:
    """One layer in one direction: y (T, B, R) and the last state. live and cut are (T, B, 1)."""
    gates = linear(x, w.ih, w.b_ih).unbind(0)
    last = len(gates) - 1
    outputs: list[Tensor] = []
    for t in range(last, -1, -1) if backwards else range(len(gates)):
        # Walking back, the cut before step t + 1 is the one that is crossed on the way to step t.
        crossed = t + 1 if backwards else t
        if cut is not None and crossed <= last:
            state = tuple(torch.where(cut[crossed], 0, s) for s in state)
        new = request.cell.step(gates[t], state, w)
        if live is not None:
            # Beyond its length a row keeps its state, so walking back it starts at its own end.
            new = tuple(torch.where(live[t], n, s) for n, s in zip(new, state, strict=True))
        state = new
        outputs.append(state[0])
    y = torch.stack(outputs[::-1] if backwards else outputs)
    return (y if live is None else torch.where(live, y, 0)), state


def step(request: Request, x: Tensor, state: State | None, w: Weights) -> State:
    state = given_state(request, x, state)
    if _rounds(x.device):
        with torch.autocast(x.device.type, enabled=False):
            return step(request, x.to(request.dtype), tuple(s.to(request.dtype) for s in state), w)
    return request.cell.step(linear(x, w.ih, w.b_ih), state, w)


def _rounds(device: torch.device) -> bool:
    """Whether autocast is at work. Its rounding would add up step by step, so it stays out of here."""
    return torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type)
