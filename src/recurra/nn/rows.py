"""One step of many streams, whose states lie in slots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.engines import Request, choose


class Rows:
    """A layer's step for many streams. The layer's `rows()` makes it; it holds no stream.

    State of S streams, by name: "h0", "h1", … (S, R), a layer's each, and LSTM's "c0", "c1", … (S, H).
    The weights are those that the layer had when this was made, in a copy. Without gradients.
    """

    def __init__(self, request: Request, weights: Sequence[Tensor]) -> None:
        self.request = request
        self.weights = [weight.detach().clone() for weight in weights]
        widths = {"h": request.proj_size or request.hidden_size, "c": request.hidden_size}
        self.sizes = {
            f"{part}{k}": widths[part] for part in request.cell.states for k in range(request.num_layers)
        }

    def fresh(self, slots: int) -> dict[str, Tensor]:
        """States of streams that have seen nothing: (slots, R or H) zeros by name."""
        request = self.request
        return {
            name: torch.zeros(slots, size, dtype=request.dtype, device=request.device)
            for name, size in self.sizes.items()
        }

    @torch.no_grad()
    def __call__(self, x: Tensor, state: Mapping[str, Tensor], which: Tensor) -> Tensor:
        """One step of the streams in slots `which` (B,) int64, all different: y (B, R) from x (B, I).

        Their states change in place; the other slots' are not looked at.
        """
        given = tuple(
            torch.stack([state[f"{part}{k}"][which] for k in range(self.request.num_layers)])
            for part in self.request.cell.states
        )
        engine: Any = choose(self.request)
        y, new = engine.run(self.request, x.unsqueeze(0), given, self.weights)
        for part, tensors in zip(self.request.cell.states, new, strict=True):
            for k, tensor in enumerate(tensors):
                state[f"{part}{k}"].index_copy_(0, which, tensor)
        out: Tensor = y[0]
        return out
