"""One step at a time: torch.nn's cells, run by an engine."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.rnn import RNNCellBase

from recurra import cells
from recurra.cells import Cell, State, Weights
from recurra.engines import Request, choose, transformed

WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class Step(RNNCellBase):
    """A cell of torch.nn whose step is run by an engine of Recurra's."""

    @property
    def cell(self) -> Cell:
        """The recurrence, with this module's options."""
        raise NotImplementedError

    def request(self) -> Request:
        """All that the choice of this cell's engine looks at."""
        return self._request(self.weight_ih)

    def _request(self, weight: Tensor) -> Request:
        return Request(
            self.cell,
            self.input_size,
            self.hidden_size,
            1,
            False,
            self.bias,
            0,
            weight.dtype,
            weight.device,
            True,
            transformed(),
        )

    def forward(self, input: Tensor, state: Any = None, *, hx: Any = None) -> Any:
        """The next state, from x (B, I) or (I,) and a state of (B, H) or (H,) parts, zeros by default.

        Raises what torch.nn raises, in its words.
        """
        if hx is not None:
            if state is not None:
                raise TypeError("Expected one initial state, got state and hx. Give one of them.")
            state = hx
        single = len(self.cell.states) == 1
        given: State | None = state if state is None else (state,) if single else tuple(state)
        self._check_dims(input, given)
        batched = input.dim() == 2
        x = input if batched else input.unsqueeze(0)
        if given is not None and not batched:
            given = tuple([s.unsqueeze(0) for s in given])
        self._check_sizes(x, given)

        own = self._parameters  # their own way by name takes longer
        weights: Any = [own[name] if name in own else getattr(self, name) for name in WEIGHTS]
        request = self._request(weights[0])
        new = choose(request).step(request, x, given, Weights(*weights))
        new = new if batched else tuple([s.squeeze(0) for s in new])
        return new[0] if single else new

    def _check_dims(self, input: Tensor, state: State | None) -> None:
        kind = type(self.cell).__name__ + "Cell"
        if input.dim() not in (1, 2):
            raise ValueError(f"{kind}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        for k, s in enumerate(state or ()):
            if s.dim() not in (1, 2):
                name = "hidden" if len(self.cell.states) == 1 else f"hx[{k}]"
                raise ValueError(f"{kind}: Expected {name} to be 1D or 2D, got {s.dim()}D instead")

    def _check_sizes(self, x: Tensor, state: State | None) -> None:
        if x.size(1) != self.input_size:
            raise RuntimeError(
                f"input has inconsistent input_size: got {x.size(1)} expected {self.input_size}"
            )
        for k, s in enumerate(state or ()):
            if len(s) != len(x):
                raise RuntimeError(f"Input batch size {len(x)} doesn't match hidden{k} batch size {len(s)}")
            if s.size(1) != self.hidden_size:
                raise RuntimeError(
                    f"hidden{k} has inconsistent hidden_size: got {s.size(1)}, expected {self.hidden_size}"
                )


class RNNCell(Step, torch.nn.RNNCell):  # type: ignore[misc]  # more keywords than torch's
    """torch.nn.RNNCell, with the same arguments."""

    @property
    def cell(self) -> Cell:
        if self.nonlinearity not in cells.rnn.ACTIVATIONS:
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return cells.RNN(self.nonlinearity)


class GRUCell(Step, torch.nn.GRUCell):  # type: ignore[misc]  # more keywords than torch's
    """torch.nn.GRUCell, with the same arguments."""

    cell: Cell = cells.GRU()


class LSTMCell(Step, torch.nn.LSTMCell):  # type: ignore[misc]  # more keywords than torch's
    """torch.nn.LSTMCell, with the same arguments."""

    cell: Cell = cells.LSTM()
