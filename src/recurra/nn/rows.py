"""One step of many streams, whose states lie in slots."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.engines import Engine, Request, choose, cpu
from recurra.engines.cpu.rows import PackedRows

Step = Callable[[Tensor, Mapping[str, Tensor], Tensor], Tensor]


class Rows:
    """A layer's step for many streams. The layer's `rows()` makes it; it holds no stream.

    States of S streams, by name: "h0", "h1", … (S, R), one for each layer, and LSTM's "c0", "c1", … (S, H).
    Their values lie side by side in each slot; slots may lie apart.

    The weights are those that the layer had when this was made, in a copy. Without gradients. Several threads
    may call it at once for streams of their own.
    """

    def __init__(self, request: Request, weights: Sequence[Tensor]) -> None:
        widths = {"h": request.proj_size or request.hidden_size, "c": request.hidden_size}
        parts = [(part, k) for part in request.cell.states for k in range(request.num_layers)]
        self.sizes = {f"{part}{k}": widths[part] for part, k in parts}
        self.inputs, self.dtype, self.device = request.input_size, request.dtype, request.device
        engine = choose(request)
        packed = engine.NAME == cpu.NAME
        self._step: Step = PackedRows(request, weights) if packed else _Through(engine, request, weights)

    def fresh(self, slots: int) -> dict[str, Tensor]:
        """States of streams that have seen nothing: zeros (slots, R or H) by name."""
        return {
            name: torch.zeros(slots, size, dtype=self.dtype, device=self.device)
            for name, size in self.sizes.items()
        }

    def __call__(self, x: Tensor, state: Mapping[str, Tensor], which: Tensor) -> Tensor:
        """One step of the streams in slots `which` (B,) int64, all different: y (B, R) from x (B, I).

        Their states change in place; the other slots are not looked at. Raises RuntimeError for tensors of
        another size or kind, ValueError for a slot that is not there or named twice; then nothing changes.
        """
        self._check(x, state, which)
        return self._step(x, state, which)

    def _check(self, x: Tensor, state: Mapping[str, Tensor], which: Tensor) -> None:
        if which.dim() != 1 or which.dtype is not torch.int64:
            raise RuntimeError(
                f"Expected slots (B,) in torch.int64, got {tuple(which.shape)} in {which.dtype}. "
                "Give a number for each row."
            )
        if x.shape != (len(which), self.inputs) or x.dtype is not self.dtype:
            raise RuntimeError(
                f"Expected x of size {(len(which), self.inputs)} in {self.dtype}, got {tuple(x.shape)} in "
                f"{x.dtype}. Give one step of each stream."
            )
        slots = None
        for name, size in self.sizes.items():
            tensor = state.get(name)
            if tensor is None:
                raise RuntimeError(
                    f"Expected states {', '.join(self.sizes)}, got {', '.join(state) or 'none'}. "
                    "Begin with those of fresh()."
                )
            slots = len(tensor) if slots is None else slots
            if tensor.shape != (slots, size) or tensor.dtype is not self.dtype or tensor.stride(1) != 1:
                raise RuntimeError(
                    f"Expected {name} of size {(slots, size)} in {self.dtype}, a slot's values side by side, "
                    f"got {tuple(tensor.shape)} in {tensor.dtype} with strides {tensor.stride()}. "
                    "Begin with those of fresh()."
                )

    def __reduce__(self) -> Any:
        raise TypeError(
            "Expected rows to stay where they were made, got a copy or pickle of them. "
            "Make others with the layer's rows(); the states are tensors of your own."
        )


class _Through:
    """The same by way of an engine that knows no slots."""

    def __init__(self, engine: Engine, request: Request, weights: Sequence[Tensor]) -> None:
        self.engine, self.request = engine, request
        self.weights = [weight.detach().clone() for weight in weights]

    @torch.no_grad()
    def __call__(self, x: Tensor, state: Mapping[str, Tensor], which: Tensor) -> Tensor:
        _check_slots(which, len(state["h0"]))
        layers = range(self.request.num_layers)
        given = tuple(
            torch.stack([state[f"{part}{k}"].index_select(0, which) for k in layers])
            for part in self.request.cell.states
        )
        y, new = self.engine.run(self.request, x.unsqueeze(0), given, self.weights)
        for part, tensors in zip(self.request.cell.states, new, strict=True):
            for k in layers:
                state[f"{part}{k}"].index_copy_(0, which, tensors[k])
        return y[0]


def _check_slots(which: Tensor, slots: int) -> None:
    """Raise what the core raises."""
    seen: set[int] = set()
    for row, slot in enumerate(which.tolist()):
        if not 0 <= slot < slots or slot in seen:
            again = " again" if slot in seen else ""
            raise ValueError(
                f"Expected slots from 0 to {slots - 1}, all different, got {slot}{again} in row {row}. "
                "Name each stream once."
            )
        seen.add(slot)
