"""The simple recurrent layer."""

from __future__ import annotations

import torch

from recurra import cells
from recurra.cells import Cell
from recurra.nn.recurrent import Recurrent


class RNN(Recurrent, torch.nn.RNN):  # type: ignore[misc]  # more keywords than torch's
    """torch.nn.RNN, with `lengths` and `reset` in `forward`; takes the same arguments, and one more.

    RNN(input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False, dropout=0.0,
    bidirectional=False, device=None, dtype=None, *, memory="stored"). Equations: recurra.cells.RNN.

    memory: what training keeps for the backward pass, "stored", "recomputed" or "checkpointed": less memory
    for more time, with the same bits. docs/layers.md has them.
    """

    @property
    def cell(self) -> Cell:
        return cells.RNN(self.nonlinearity)
