"""What a cell is: the equations of one step."""

from __future__ import annotations

from typing import ClassVar, NamedTuple, Protocol

from torch import Tensor

State = tuple[Tensor, ...]  # what a cell carries from step to step, its output h first; each (..., H or R)


class Weights(NamedTuple):
    """The weights of one layer in one direction. G gates, I inputs, H units, R outputs (H or `proj_size`)."""

    ih: Tensor  # (G·H, I)
    hh: Tensor  # (G·H, R)
    b_ih: Tensor | None = None  # (G·H,)
    b_hh: Tensor | None = None  # (G·H,)
    hr: Tensor | None = None  # (R, H), LSTM's projection
    peephole: Tensor | None = None  # (3, H), LSTM's looks at c


class Cell(Protocol):
    """A recurrence. A frozen dataclass whose fields are the options that change its equations."""

    gates: ClassVar[tuple[str, ...]]  # blocks of H rows in `Weights.ih` and `.hh`, in torch.nn's order
    states: ClassVar[tuple[str, ...]]  # names of what `State` holds
    paper: ClassVar[str]

    def step(self, a: Tensor, state: State, w: Weights) -> State:
        """The next state; a (..., G·H) is the input's share of the gates, W_ih·x + b_ih."""
