"""What an engine is asked to run, and what an engine is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.autograd import forward_ad

from recurra.cells import Cell, State, Weights


@dataclass(frozen=True, slots=True)
class Request:
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
    transformed: bool  # inside torch.func or forward-mode differentiation: every operation must allow them


@runtime_checkable
class Requesting(Protocol):
    """A module that an engine runs."""

    def request(self) -> Request:
        """All that the choice of its engine looks at."""


def transformed() -> bool:
    """Whether a torch.func transform, or forward-mode differentiation, is at work right now."""
    return torch._C._functorch.peek_interpreter_stack() is not None or forward_ad._current_level >= 0


class Engine(Protocol):
    """One way to run a cell over time. A module with these names is one.

    T steps, B rows, I inputs, L layers, D directions, H units, R outputs (H, or `proj_size`).
    """

    @property
    def NAME(self) -> str: ...

    def why_not(self, request: Request) -> str | None:
        """Why this engine cannot run the request, as a clause; None if it can."""

    def run(
        self,
        request: Request,
        x: Tensor,
        state: State,
        weights: Sequence[Weights],
        *,
        lengths: Tensor | None = None,
        reset: Tensor | None = None,
        dropout: float = 0.0,
        training: bool = False,
    ) -> tuple[Tensor, State]:
        """Run all layers and directions over time.

        x        (T, B, I), any strides; what lies beyond a row's length is never looked at
        state    h (L·D, B, R), and c (L·D, B, H) for cells that have one
        weights  L·D of them: layer by layer, forward before reverse
        lengths  (B,) int64, 0 … T; None: every row has T steps
        reset    (T, B) bool: nothing passes from step t - 1 to step t, nor back in the reverse direction
        dropout  probability, between layers, while training
        Returns y (T, B, D·R), zero beyond a row's length, and the state after each row's last step.
        """

    def step(self, request: Request, x: Tensor, state: State, w: Weights) -> State:
        """One step of one layer: x (B, I), states (B, R or H)."""
