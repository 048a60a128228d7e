"""The simple recurrent network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import linear

from recurra.cells.cell import State, Weights

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"tanh": torch.tanh, "relu": torch.relu}


@dataclass(frozen=True)
class RNN:
    """h' = tanh(W_ih·x + b_ih + W_hh·h + b_hh), or relu for tanh.

    h (..., H). No projection, no peepholes.
    """

    nonlinearity: str = "tanh"

    gates: ClassVar[tuple[str, ...]] = ("h",)
    states: ClassVar[tuple[str, ...]] = ("h",)
    paper: ClassVar[str] = "Elman 1990, Finding structure in time, Cognitive Science 14(2)"

    def step(self, a: Tensor, state: State, w: Weights) -> State:
        (h,) = state
        return (ACTIVATIONS[self.nonlinearity](a + linear(h, w.hh, w.b_hh)),)
