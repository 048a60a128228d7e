"""What an engine is asked to run, and what an engine is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.autograd import forward_ad

from recurra.cells import Cell, State, Weights


class Request(NamedTuple):
    """All that the choice of an engine may look at.

    Batch size, length and thread count are left out on purpose: a layer runs on the same engine whatever it
    is fed, so that a row's result never depends on its neighbours through the choice.
    """

    cell: Cell
    input_size: int
    hidden_size: int
    num_layers: int
    bidirectional: bool
    bias: bool
    proj_size: int
    dtype: torch.dtype
    device: torch.device
    one_step: bool  # a module of single steps: what is laid out for many steps does not pay
    transformed: bool  # inside torch.func or forward-mode differentiation: every operation must allow them


@runtime_checkable
class Requesting(Protocol):
    """A module that an engine runs."""

    def request(self) -> Request:
        """All that the choice of its engine looks at."""


def transformed() -> bool:
    """Whether a torch.func transform, or forward-mode differentiation, is at work right now."""
    return _in_transform() or forward_ad._current_level >= 0


def _in_transform() -> bool:
    return torch._C._functorch.maybe_current_level() is not None


# What torch.compiler.assume_constant_result does, which would load Dynamo; it watches over transforms itself.
_in_transform._dynamo_marked_constant = True  # type: ignore[attr-defined]


class Engine(Protocol):
    """One way to run a cell over time. A module with these names is one.

    T steps, B rows, I inputs, L layers, D directions, H units, R outputs (H, or `proj_size`).
    """

    @property
    def NAME(self) -> str: ...

    @property
    def OPAQUE(self) -> bool:
        """Whether torch.compile sees a layer as one operator; else it must stay out, or it unrolls it."""

    def why_not(self, request: Request) -> str | None:
        """Why this engine cannot run the request, as a clause; None if it can."""

    def run(
        self,
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
        """Run all layers and directions over time.

        x        (T, B, I), any strides; what lies beyond a row's length is never looked at
        state    h (L·D, B, R), and c (L·D, B, H) for cells that have one; None: zeros
        weights  as in torch.nn, layer by layer, forward before reverse: see `named`
        lengths  (B,) int64, 0 … T; None: every row has T steps
        reset    (T, B) bool: nothing passes from step t - 1 to step t, nor back in the reverse direction
        dropout  probability, between layers, while training
        rows_first, memory: wishes, for an engine that knows them. y will be read rows first, so it is best
                 laid out so; what is kept for the backward pass, one of MEMORY
        Returns y (T, B, D·R), zero beyond a row's length, and the state after each row's last step.
        """

    def step(self, request: Request, x: Tensor, state: State | None, w: Weights) -> State:
        """One step of one layer: x (B, I), states (B, R or H); None: zeros."""


# What the backward pass finds kept: all that it needs; the outputs, from which it computes the rest again,
# for all steps at once; or the states at about the root of T steps, from which it runs each stretch again.
MEMORY = ("stored", "recomputed", "checkpointed")


def named(request: Request, weights: Sequence[Tensor]) -> list[Weights]:
    """The weights of each layer and direction by name, from a list of those that there are."""
    given = iter(weights)
    peephole = getattr(request.cell, "peephole", False)
    return [
        Weights(
            ih,
            next(given),
            next(given) if request.bias else None,
            next(given) if request.bias else None,
            next(given) if request.proj_size else None,
            next(given) if peephole else None,
        )
        for ih in given
    ]


def given_state(request: Request, x: Tensor, state: State | None) -> State:
    """The state, or zeros for x (..., B, I): each (..., B, R or H), with L·D in front over time."""
    if state is not None:
        return state
    widths = {"h": request.proj_size or request.hidden_size, "c": request.hidden_size}
    over_time = x.dim() == 3
    layers = [request.num_layers * (2 if request.bidirectional else 1)] if over_time else []
    return tuple(x.new_zeros(*layers, x.shape[-2], widths[name]) for name in request.cell.states)
