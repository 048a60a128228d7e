"""Many streams of one layer: a pool for whoever has a layer and no bundle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.errors import ConfigError, PoolFull, StreamError
from recurra.nn.recurrent import Recurrent


class LayerPool:
    """Streams through a layer of `recurra.nn`; any of them go on in one call, each with the bits of its own.

    Their states lie in so many slots, whose memory is taken at once. The weights are those that the layer has
    when the pool is made. Without gradients. Not for two threads at once.
    """

    def __init__(self, layer: Recurrent, slots: int) -> None:
        if slots < 1:
            raise ConfigError(f"expected 1 slot or more, got {slots}. Name how many streams there may be.")
        self.slots = slots
        self.rows = layer.rows()
        self.states = self.rows.fresh(slots)
        self._layers, self._parts = layer.num_layers, layer.cell.states
        self._free = list(range(slots - 1, -1, -1))
        self._open = torch.zeros(slots, dtype=torch.bool)

    def __len__(self) -> int:
        """How many streams are open."""
        return self.slots - len(self._free)

    @property
    def bytes_per_stream(self) -> int:
        """Size of a stream's state, now and for ever."""
        return sum(state.nbytes for state in self.states.values()) // self.slots

    def open(self) -> int:
        """The slot of a new stream, whose state is zero. Raises PoolFull."""
        if not self._free:
            raise PoolFull(self.slots)
        slot = self._free.pop()
        self._open[slot] = True
        for state in self.states.values():
            state[slot] = 0
        return slot

    def close(self, slot: int) -> None:
        """End a stream; its slot is free. Raises StreamError for one that is not open."""
        self._check(torch.tensor([slot]))
        self._open[slot] = False
        self._free.append(slot)

    def step(self, which: Tensor | Sequence[int], x: Tensor) -> Tensor:
        """One step of the streams in slots `which` (B,), all different: y (B, R) from x (B, I).

        Raises StreamError for a stream that is not open, ValueError for one that is named twice, RuntimeError
        for another size; nothing has changed then.
        """
        which = torch.as_tensor(which, dtype=torch.int64)
        self._check(which)
        return self.rows(x, self.states, which)

    def state(self, slot: int) -> Any:
        """A copy of a stream's state, as the layer has it without a batch: h (L, R), LSTM's (h, c)."""
        self._check(torch.tensor([slot]))
        parts = [
            torch.stack([self.states[f"{part}{k}"][slot] for k in range(self._layers)])
            for part in self._parts
        ]
        return tuple(parts) if len(parts) > 1 else parts[0]

    def load(self, slot: int, state: Any) -> None:
        """Let a stream go on from a state as `state` gives it. Raises StreamError where it does not fit."""
        self._check(torch.tensor([slot]))
        given = tuple(state) if len(self._parts) > 1 else (state,)
        for part, tensor in zip(self._parts, given, strict=True):
            size = (self._layers, self.rows.sizes[f"{part}0"])
            if tensor.shape != size:
                got = tuple(tensor.shape)
                raise StreamError(f"expected {part} of size {size}, got {got}. Give the state of one stream.")
        for part, tensor in zip(self._parts, given, strict=True):
            for k in range(self._layers):
                self.states[f"{part}{k}"][slot] = tensor[k].detach()

    def _check(self, which: Tensor) -> None:
        try:
            if self._open.index_select(0, which).all():
                return
        except IndexError:
            pass  # which one, is said below
        for slot in which.flatten().tolist():
            if not (0 <= slot < self.slots and self._open[slot]):
                raise StreamError(f"expected open streams, got slot {slot}. Open it first, with open().")
