"""The layer of long short-term memory."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.parameter import Parameter

from recurra import cells
from recurra.cells import Cell
from recurra.nn.recurrent import Recurrent


class LSTM(Recurrent, torch.nn.LSTM):  # type: ignore[misc]  # more keywords than torch's
    """torch.nn.LSTM, with `lengths` and `reset` in `forward`; takes the same arguments, and two more.

    LSTM(input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
    bidirectional=False, proj_size=0, device=None, dtype=None, *, peephole=False,
    memory="stored"). Equations: recurra.cells.LSTM.

    peephole: whether the gates look at the cell state (Gers and Schmidhuber 2000). Adds weight_peephole_l0
    and so on, (3, H): the rows p_i, p_f, p_o, drawn like the other weights and after them.
    memory: what training keeps for the backward pass, "stored", "recomputed" or "checkpointed": less memory
    for more time, with the same bits. docs/layers.md has them.
    """

    def __init__(self, *args: Any, peephole: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not isinstance(peephole, bool):
            raise TypeError(f"peephole should be of type bool, got: {type(peephole).__name__}")
        self.peephole = peephole
        if peephole:
            self._add_peepholes()

    def _add_peepholes(self) -> None:
        like = cast(Tensor, self.weight_ih_l0)
        bound = self.hidden_size**-0.5
        flat = []
        for names in self._all_weights:
            names.append(names[0].replace("ih", "peephole"))
            weight = Parameter(torch.empty(3, self.hidden_size, device=like.device, dtype=like.dtype))
            self.register_parameter(names[-1], weight)
            torch.nn.init.uniform_(weight, -bound, bound)
            flat += names
        self._flat_weights_names = flat
        self._init_flat_weights()

    @property
    def cell(self) -> Cell:
        return cells.LSTM(self.peephole)

    def flatten_parameters(self) -> None:
        """Lay the weights out as cuDNN wants them, unless there are peepholes, which it does not know."""
        if not self.peephole:
            super().flatten_parameters()

    def extra_repr(self) -> str:
        return super().extra_repr() + (", peephole=True" if self.peephole else "")
