"""Tensors as the compiled core takes them: checked sizes, addresses and strides."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from recurra.cells import GRU, LSTM, RNN, Cell

# The core's names of the cells, and how many gates each has.
KINDS: dict[Cell, str] = {
    RNN("tanh"): "rnn_tanh",
    RNN("relu"): "rnn_relu",
    GRU(): "gru",
    GRU(reset_after=False): "gru_reset_before",
    LSTM(): "lstm",
    LSTM(peephole=True): "lstm_peephole",
}
CELLS = {kind: cell for cell, kind in KINDS.items()}
GATES = {kind: len(cell.gates) for kind, cell in CELLS.items()}

Shape = tuple[int, ...]
NO_SEQUENCE = (0, 0, 0)


class Given(NamedTuple):
    """What every operator begins with: T steps, B rows, I inputs, D directions, H units, R outputs."""

    x: Tensor  # (T, B, I)
    h: Tensor | None  # (D, B, R); None: zeros
    c: Tensor | None  # (D, B, H); None: zeros, or not an LSTM
    weights: Sequence[Tensor]  # each direction's in the order of `Weights`, without those that are None
    lengths: Tensor | None  # (B,) int64
    reset: Tensor | None  # (T, B) bool
    kind: str
    both_ways: bool


class Room(NamedTuple):
    """How an operator lays out what it gives."""

    rows_first: bool  # y's memory, which is (T, B, D·R) all the same
    full: bool  # save as if no row were shorter than T: whoever traces cannot know lengths
    memory: str  # one of MEMORY, or "none" where no gradient will be asked for
    unit: int  # see `saved_unit`


class Prepared(NamedTuple):
    """What every call of the core begins with, and what it points to."""

    calls: list[tuple[Any, ...]]  # the arguments up to the state, for each direction
    sizes: tuple[int, int, int, int, int]  # T, B, I, H, R
    shapes: list[tuple[int, Shape]]  # of each weight: its place among the core's six, and its size
    lengths: Tensor | None
    kept: list[Tensor]  # copies that must live until the core returns


def prepared(given: Given, memory: str) -> Prepared:
    """Check every size, since the core trusts them, and take addresses."""
    x, h, c, weights, lengths, reset, kind, both_ways = given
    steps, rows, inputs = x.shape
    directions = 2 if both_ways else 1
    parts = len(weights) // directions
    units, outputs = sized(given)
    sizes = (steps, rows, inputs, units, outputs)
    dtype = x.dtype
    double = dtype is torch.float64
    if not double and dtype is not torch.float32:
        raise RuntimeError(f"Expected an input in float32 or float64, got {dtype}. Convert it: x.float().")
    x = innermost(x)
    kept = [x]

    shapes = places(kind, inputs, units, outputs, parts)
    pointers: list[list[int]] = []
    for k, weight in enumerate(weights):
        if k % parts == 0:
            pointers.append([0] * 6)
        place, shape = shapes[k % parts]
        if weight.shape != shape:
            raise RuntimeError(
                f"Expected a weight of size {shape}, got {tuple(weight.shape)}. "
                "Give the layer the weights that it was made with."
            )
        if weight.dtype is not dtype:
            raise RuntimeError(mixed(weight.dtype, dtype))
        if not weight.is_contiguous():
            weight = weight.contiguous()  # noqa: PLW2901
            kept.append(weight)
        pointers[-1][place] = weight.data_ptr()

    h_at, h_size = _state(h, (directions, rows, outputs), dtype, kept)
    c_at, c_size = 0, 0
    if kind.startswith("lstm"):
        c_at, c_size = _state(c, (directions, rows, units), dtype, kept)
    lengths_at = 0
    if lengths is not None:
        lengths = lengths.clamp(0, steps).contiguous()
        _expect(lengths, (rows,), torch.int64)
        lengths_at = lengths.data_ptr()
    reset_at = NO_SEQUENCE
    if reset is not None:
        _expect(reset, (steps, rows), torch.bool)
        reset_at = (reset.data_ptr(), reset.stride(0), reset.stride(1))

    threads = torch.get_num_threads()
    sequence = (x.data_ptr(), x.stride(0), x.stride(1))
    calls = [
        (
            kind,
            double,
            d == 1,
            threads,
            memory,
            sizes,
            sequence,
            lengths_at,
            reset_at,
            tuple(pointers[d]),
            (h_at and h_at + d * h_size, c_at and c_at + d * c_size),
        )
        for d in range(directions)
    ]
    return Prepared(calls, sizes, shapes, lengths, kept)


def sized(given: Given) -> tuple[int, int]:
    """H and R, from the recurrent weight (G·H, R)."""
    rows, outputs = given.weights[1].shape
    return rows // GATES[given.kind], outputs


@lru_cache
def places(kind: str, inputs: int, units: int, outputs: int, parts: int) -> list[tuple[int, Shape]]:
    """Of each of a direction's weights: its place among the core's six, and its size."""
    gates = GATES[kind] * units
    shapes: list[tuple[int, Shape]] = [(0, (gates, inputs)), (1, (gates, outputs))]
    extra: list[tuple[int, Shape]] = [(4, (outputs, units))] if outputs != units else []
    extra += [(5, (3, units))] if kind == "lstm_peephole" else []
    if parts == 4 + len(extra):
        shapes += [(2, (gates,)), (3, (gates,))]
    elif parts != 2 + len(extra):
        raise RuntimeError(
            f"Expected {2 + len(extra)} weights, or {4 + len(extra)} with biases, got {parts}. "
            "Give the layer the weights that it was made with."
        )
    return shapes + extra


def innermost(sequence: Tensor) -> Tensor:
    """The sequence (T, B, N) with its values side by side; what is repeated stays repeated."""
    if sequence.stride(2) == 1 or sequence.shape[2] == 1:
        return sequence
    once = sequence
    for dim in (0, 1):
        if sequence.stride(dim) == 0 and sequence.shape[dim] > 1:
            once = once.narrow(dim, 0, 1)
    return once.contiguous().expand(sequence.shape)


def mixed(one: torch.dtype, other: torch.dtype) -> str:
    """What PyTorch says of two precisions that meet."""
    names = {torch.float32: "Float", torch.float64: "Double", torch.float16: "Half", torch.int64: "Long"}
    first, second = (names.get(dtype) or str(dtype)[6:].title() for dtype in (one, other))
    return f"mat1 and mat2 must have the same dtype, but got {first} and {second}"


def _state(state: Tensor | None, shape: Shape, dtype: torch.dtype, kept: list[Tensor]) -> tuple[int, int]:
    """A state's address, and the bytes from one direction to the next."""
    if state is None:
        state = torch.zeros(shape, dtype=dtype)
        kept.append(state)
    _expect(state, shape, dtype)
    if not state.is_contiguous():
        state = state.contiguous()
        kept.append(state)
    return state.data_ptr(), shape[1] * shape[2] * state.element_size()


def _expect(tensor: Tensor, shape: Shape, dtype: torch.dtype) -> None:
    if tensor.dtype is not dtype:
        raise RuntimeError(mixed(tensor.dtype, dtype))
    if tensor.shape != shape:
        raise RuntimeError(
            f"Expected a tensor of size {shape}, got {tuple(tensor.shape)}. Give one value for each place."
        )
