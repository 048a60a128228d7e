"""Many streams, one step a call, as the core takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.engines.cpu.arrays import KINDS
from recurra.engines.cpu.core import core
from recurra.engines.request import Request, named


class PackedRows:
    """A layer's weights, packed once, and its step for streams whose states lie in slots."""

    def __init__(self, request: Request, weights: Sequence[Tensor]) -> None:
        kept = [[None if p is None else p.detach().contiguous() for p in w] for w in named(request, weights)]
        pointers = [tuple(0 if p is None else p.data_ptr() for p in parts) for parts in kept]
        self.outputs = request.proj_size or request.hidden_size
        self.names = [
            (f"h{k}", f"c{k}" if "c" in request.cell.states else None) for k in range(request.num_layers)
        ]
        wide = request.dtype is torch.float64
        sizes = (request.input_size, request.hidden_size, self.outputs)
        self._step: Any = core.ManySteps(KINDS[request.cell], wide, *sizes, pointers)

    def __call__(self, x: Tensor, state: Mapping[str, Tensor], which: Tensor) -> Tensor:
        """y (B, R) from checked tensors; the core looks at the slots itself, and raises ValueError."""
        if x.stride(1) != 1 and x.shape[1] > 1:
            x = x.contiguous()
        which = which.contiguous()
        y = torch.empty(len(which), self.outputs, dtype=x.dtype)
        self._step(
            len(which),
            which.data_ptr(),
            len(state["h0"]),
            (x.data_ptr(), x.stride(0)),
            [(*_slots(state[h]), *((0, 0) if c is None else _slots(state[c]))) for h, c in self.names],
            (y.data_ptr(), self.outputs),
            torch.get_num_threads(),
        )
        return y


def _slots(tensor: Tensor) -> tuple[int, int]:
    """The address of slot 0, and values from one slot to the next."""
    return tensor.data_ptr(), tensor.stride(0)
