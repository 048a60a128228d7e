"""A layer of torch.nn and one of Recurra's with the same weights, and what both are asked to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from layers.shapes import Shape
from layers.timing import Call
from recurra import nn

# How far ours may lie from torch's, relative to the largest value of the tensor: sums of thousands of
# products in another order.
TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-11}

Forward = Callable[[], tuple[Tensor, Any]]


@dataclass(frozen=True, slots=True)
class Pair:
    """Both layers, the input x, the gradient dy that comes back, and the rows' lengths if they differ."""

    cell: str
    shape: Shape
    theirs: torch.nn.RNNBase
    ours: Any
    x: Tensor
    dy: Tensor
    lengths: Tensor | None

    @classmethod
    def of(cls, cell: str, shape: Shape, **options: Any) -> Pair:
        """The pair for a cell ("RNN", "GRU", "LSTM"); `options` are for ours alone. Draws from a seed."""
        dice = torch.Generator().manual_seed(1)
        torch.manual_seed(2)
        theirs = getattr(torch.nn, cell)(shape.inputs, shape.units, **shape.options(cell))
        ours = getattr(nn, cell)(shape.inputs, shape.units, **shape.options(cell), **options)
        ours.load_state_dict(theirs.state_dict())
        sizes = (shape.rows, shape.steps) if shape.batch_first else (shape.steps, shape.rows)
        width = (shape.projected(cell) or shape.units) * (2 if shape.bidirectional else 1)
        x = torch.randn(*sizes, shape.inputs, dtype=shape.dtype, generator=dice).requires_grad_()
        dy = torch.randn(*sizes, width, dtype=shape.dtype, generator=dice)
        return cls(cell, shape, theirs, ours, x, dy, shape.lengths() if shape.ragged else None)

    @property
    def sides(self) -> dict[str, tuple[Any, Forward]]:
        """Each side's layer and its forward pass. Ragged batches are packed and padded again for torch.nn."""
        whole = self.lengths is None
        theirs = (lambda: self.theirs(self.x)) if whole else self._packed
        return {"torch": (self.theirs, theirs), "ours": (self.ours, self._ours)}

    def _ours(self) -> tuple[Tensor, Any]:
        found: tuple[Tensor, Any] = (
            self.ours(self.x) if self.lengths is None else self.ours(self.x, lengths=self.lengths)
        )
        return found

    def _packed(self) -> tuple[Tensor, Any]:
        assert self.lengths is not None
        first, steps = self.shape.batch_first, self.shape.steps
        packed = pack_padded_sequence(self.x, self.lengths, first, enforce_sorted=False)
        y, state = self.theirs(packed)
        return pad_packed_sequence(y, first, total_length=steps)[0], state

    def training(self) -> dict[str, Call]:
        """A training step of each side: forward, and backward to the weights and to the input."""
        return {name: _training(*side, self.x, self.dy) for name, side in self.sides.items()}

    def inference(self) -> dict[str, Call]:
        """The forward pass of each side in torch.inference_mode."""
        return {name: _inference(forward) for name, (_, forward) in self.sides.items()}

    def difference(self) -> str | None:
        """What differs between the two beyond rounding: outputs, states or gradients; None if nothing."""
        both = []
        for layer, forward in self.sides.values():
            y, state = forward()
            wanted = {"dx": self.x, **dict(layer.named_parameters())}
            gradients = torch.autograd.grad(y, list(wanted.values()), self.dy)
            found = {"y": y.detach(), **dict(_states(state)), **dict(zip(wanted, gradients, strict=True))}
            both.append(found)
        expected, got = both
        for name, value in expected.items():
            error = float((got[name] - value).abs().max() / value.abs().max().clamp(min=1e-30))
            if not error <= TOLERANCE[self.shape.dtype]:
                return f"{name} of {self.cell}({self.shape.name}) differs from torch.nn's by {error:.1e}"
        return None


def _training(layer: torch.nn.Module, forward: Forward, x: Tensor, dy: Tensor) -> Call:
    def step() -> None:
        _forget(layer, x)
        torch.autograd.backward(forward()[0], dy)

    return step


def _inference(forward: Forward) -> Call:
    def run() -> None:
        with torch.inference_mode():
            forward()

    return run


def _forget(layer: torch.nn.Module, x: Tensor) -> None:
    x.grad = None
    for weight in layer.parameters():
        weight.grad = None


def _states(state: Any) -> Iterator[tuple[str, Tensor]]:
    parts = (state,) if isinstance(state, Tensor) else state
    return ((name, part.detach()) for name, part in zip(("h_n", "c_n"), parts, strict=False))
