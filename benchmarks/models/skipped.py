"""A model without its recurrent layers' work: what is left is the time that no faster layer can save."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence


def skipped(model: nn.Module) -> nn.Module:
    """The model, whose recurrent modules hand on the mean of their input instead of running; in place."""
    for module in model.modules():
        for kind in (_Layer, _Cell):
            if isinstance(module, kind.__mro__[1]):
                module.__class__ = kind
    return model


class _Layer(nn.RNNBase):
    """Outputs and states of the right sizes, from which gradients find their way to the input."""

    def forward(self, x: Any, state: Any = None) -> Any:
        data = x.data if isinstance(x, PackedSequence) else x
        directions = 2 if self.bidirectional else 1
        y = _mean(data, self.hidden_size * directions)
        rows = int(x.batch_sizes[0]) if isinstance(x, PackedSequence) else data.shape[1]
        h = data.new_zeros(self.num_layers * directions, rows, self.hidden_size)
        new = (h, h) if self.mode == "LSTM" else h
        return (x._replace(data=y) if isinstance(x, PackedSequence) else y), new


class _Cell(nn.GRUCell):
    """The same for one step of a GRU."""

    def forward(self, x: Tensor, state: Tensor | None = None) -> Tensor:
        y = _mean(x, self.hidden_size)
        return y if state is None else y + state


def _mean(x: Tensor, width: int) -> Tensor:
    return x.mean(-1, keepdim=True).expand(*x.shape[:-1], width)
