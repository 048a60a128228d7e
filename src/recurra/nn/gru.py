"""The layer of gated recurrent units."""

from __future__ import annotations

from typing import Any

import torch

from recurra import cells
from recurra.cells import Cell
from recurra.nn.recurrent import Recurrent


class GRU(Recurrent, torch.nn.GRU):  # type: ignore[misc]  # more keywords than torch's
    """torch.nn.GRU, with `lengths` and `reset` in `forward`; takes the same arguments, and two more.

    GRU(input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False,
    device=None, dtype=None, *, reset_after=True, memory="stored"). Equations: recurra.cells.GRU.

    reset_after: whether the reset gate acts after the product with W_hn, as in torch.nn and cuDNN, or before
    it, as in Cho et al. 2014, Keras with reset_after=False and ONNX with linear_before_reset=0. The weights
    are the same.
    memory: what training keeps for the backward pass, "stored", "recomputed" or "checkpointed": less memory
    for more time, with the same bits. docs/layers.md has them.
    """

    reset_after: bool = True

    def __init__(self, *args: Any, reset_after: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not isinstance(reset_after, bool):
            raise TypeError(f"reset_after should be of type bool, got: {type(reset_after).__name__}")
        self.reset_after = reset_after

    @property
    def cell(self) -> Cell:
        return cells.GRU(self.reset_after)

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.reset_after else ", reset_after=False")
