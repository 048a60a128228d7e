"""One stream, one step a call, without PyTorch in between."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.engines.cpu.arrays import KINDS
from recurra.engines.cpu.core import core
from recurra.engines.request import Request, named


class Stepper:
    """A layer's compiled step for one stream: fill `x`, call `run()`, read `y`. Layers' `stepper` makes it.

    The tensors are bound to the core's own memory, so reading and writing them is reading and writing the
    stream; hand on a clone of what must outlive the next step. L layers, I inputs, H units, R outputs.

    x    (I,) the input of the next step
    y    (R,) the last layer's output; the same memory as h[-1]
    h    L tensors (R,), each layer's output and state
    c    L tensors (H,), LSTM's cell states; empty for the other cells
    run  one step of all layers, from x to y; returns nothing

    The weights are those that the layer had when this was made, in a copy. Without gradients. Not for two
    threads at once.
    """

    x: Tensor
    y: Tensor
    h: tuple[Tensor, ...]
    c: tuple[Tensor, ...]
    run: Callable[[], None]

    def __init__(self, request: Request, weights: Sequence[Tensor], narrow: bool) -> None:
        layers, units = request.num_layers, request.hidden_size
        outputs = request.proj_size or units
        kept = [[None if p is None else p.detach().contiguous() for p in w] for w in named(request, weights)]
        pointers = [tuple(0 if p is None else p.data_ptr() for p in parts) for parts in kept]
        wide = request.dtype is torch.float64
        sizes = (request.input_size, units, outputs, layers)
        step = core.Step(KINDS[request.cell], wide, narrow, *sizes, pointers)
        with torch.inference_mode(False):
            self.x = _bound(step, step.x, request.input_size, request.dtype)
            self.h = tuple(_bound(step, step.h(k), outputs, request.dtype) for k in range(layers))
            has_c = "c" in request.cell.states
            self.c = tuple(
                _bound(step, step.c(k), units, request.dtype) for k in range(layers if has_c else 0)
            )
        self.y = self.h[-1]
        self.run = step.__call__
        self.reset()

    def __call__(self, x: Tensor) -> Tensor:
        """One step from x (I,); returns the bound `y`. Raises RuntimeError for an input of another size."""
        if x.shape != self.x.shape:
            raise RuntimeError(
                f"Expected x of size {tuple(self.x.shape)}, got {tuple(x.shape)}. Give one step."
            )
        self.x.copy_(x.detach())
        self.run()
        return self.y

    def __reduce__(self) -> Any:
        raise TypeError(
            "Expected a stepper to stay where it was made, got a copy or pickle of it. "
            "Make another with the layer's stepper(), and load this one's state."
        )

    def reset(self) -> None:
        """Begin anew: all states zero."""
        for part in (*self.h, *self.c):
            part.zero_()

    @property
    def state(self) -> Any:
        """A copy of the state as the layer takes and gives it without a batch: h (L, R), LSTM's (h, c)."""
        h = torch.stack(self.h)
        return (h, torch.stack(self.c)) if self.c else h

    def load(self, state: Any) -> None:
        """Go on from a state, h (L, R) or LSTM's (h, c), or the same with a batch of one, (L, 1, R).

        Raises RuntimeError for another size.
        """
        given = tuple(state) if self.c else (state,)
        parts = [(self.h, given[0])] + ([(self.c, given[1])] if self.c else [])
        for bound, s in parts:
            size = (len(bound), len(bound[0]))
            if s.shape not in (size, (size[0], 1, size[1])):
                raise RuntimeError(
                    f"Expected a state of size {size}, got {tuple(s.shape)}. Give the state of one stream."
                )
        for bound, s in parts:
            for to, value in zip(bound, s.detach().reshape(len(bound), -1), strict=True):
                to.copy_(value)


def _bound(owner: Any, address: int, count: int, dtype: torch.dtype) -> Tensor:
    """The owner's memory as a tensor, which keeps the owner alive."""
    memory: Any = (ctypes.c_char * (count * dtype.itemsize)).from_address(address)
    memory.owner = owner
    return torch.frombuffer(memory, dtype=dtype)
