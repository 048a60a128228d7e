"""Tensors as the compiled core takes them: checked sizes, addresses and strides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

import torch
from torch import Tensor

from recurra.cells import GRU, LSTM, RNN, Cell, Weights

# The core's names of the cells.
KINDS: dict[Cell, str] = {
    RNN("tanh"): "rnn_tanh",
    RNN("relu"): "rnn_relu",
    GRU(): "gru",
    GRU(reset_after=False): "gru_reset_before",
    LSTM(): "lstm",
    LSTM(peephole=True): "lstm_peephole",
}
CELLS = {kind: cell for cell, kind in KINDS.items()}
LSTMS = ("lstm", "lstm_peephole")

Shape = tuple[int, ...]


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


class Layout(NamedTuple):
    """What the sizes of the weights say."""

    inputs: int
    units: int
    outputs: int
    places: tuple[int, ...]  # of a direction's weights among the core's six, which are those of `Weights`
    arranged: tuple[Callable[[Any], tuple[int, ...]], ...]  # each direction's six, from all addresses and a 0


class Prepared(NamedTuple):
    """What every call of the core begins with, and what it points to."""

    calls: list[tuple[Any, ...]]  # the arguments up to the state, for each direction
    layout: Layout
    lengths: Tensor | None
    kept: list[Tensor]  # copies that must live until the core returns


def prepared(given: Given, memory: str) -> Prepared:
    """Check every size, since the core trusts them, and take addresses."""
    x, h, c, weights, lengths, reset, kind, both_ways = given
    if x.dim() != 3:
        raise RuntimeError(
            f"Expected an input of 3 dimensions, got {x.dim()}. Give it a size for steps, rows and inputs."
        )
    found = layout(kind, both_ways, tuple([weight.shape for weight in weights]))
    _, units, outputs, _, arranged = found
    if c is not None and kind not in LSTMS:
        raise RuntimeError(f"Expected no c for the cell {kind!r}, got a tensor. Give c to an LSTM alone.")
    steps, rows, inputs = x.shape
    dtype = x.dtype
    if dtype is not torch.float32 and dtype is not torch.float64:
        raise RuntimeError(f"Expected an input in float32 or float64, got {dtype}. Convert it: x.float().")
    if inputs != found.inputs:
        raise RuntimeError(f"Expected {found.inputs} inputs, got {inputs}. Give as many as the weights take.")
    x = innermost(x)
    kept = [x]
    pointers = []
    for weight in weights:
        if weight.dtype is not dtype:
            raise RuntimeError(mixed(weight.dtype, dtype))
        if not weight.is_contiguous():
            weight = weight.contiguous()  # noqa: PLW2901
            kept.append(weight)
        pointers.append(weight.data_ptr())
    pointers.append(0)

    directions = len(arranged)
    h_at, h_size = _state(h, (directions, rows, outputs), dtype, kept)
    c_at, c_size = _state(c, (directions, rows, units), dtype, kept) if kind in LSTMS else (0, 0)
    lengths_at = 0
    if lengths is not None:
        lengths = lengths.clamp(0, steps).contiguous()
        expect(lengths, (rows,), torch.int64)
        lengths_at = lengths.data_ptr()
    reset_at = (0, 0, 0)
    if reset is not None:
        expect(reset, (steps, rows), torch.bool)
        reset_at = (reset.data_ptr(), reset.stride(0), reset.stride(1))

    double, threads = dtype is torch.float64, torch.get_num_threads()
    sizes = (steps, rows, inputs, units, outputs)
    step, row, _ = x.stride()
    sequence = (x.data_ptr(), step, row)
    calls = []
    for d, six in enumerate(arranged):
        state = (h_at + d * h_size, c_at + d * c_size)
        by_row = (sequence, lengths_at, reset_at)
        calls.append((kind, double, d == 1, threads, memory, sizes, *by_row, six(pointers), state))
    return Prepared(calls, found, lengths, kept)


@lru_cache(1024)
def layout(kind: str, both_ways: bool, shapes: tuple[Shape, ...]) -> Layout:
    """What the sizes of the weights say. Raises RuntimeError where they don't go together."""
    if kind not in CELLS:
        raise RuntimeError(f"Expected a cell, one of {[*CELLS]}, got {kind!r}. Name one of these.")
    directions = 2 if both_ways else 1
    parts = len(shapes) // directions
    if parts < 2 or any(len(shape) != 2 for shape in shapes[:2]):
        raise RuntimeError(f"Expected matrices of weights, got sizes {[*map(tuple, shapes)]}. {ADVICE}")
    (_, inputs), (gates, outputs) = shapes[:2]
    units = gates // len(CELLS[kind].gates)
    gates = units * len(CELLS[kind].gates)
    if kind not in LSTMS:
        outputs = units  # no other cell has a projection
    expected: dict[int, Shape] = {0: (gates, inputs), 1: (gates, outputs)}
    extra: dict[int, Shape] = {} if outputs == units else {4: (outputs, units)}
    extra |= {5: (3, units)} if kind == "lstm_peephole" else {}
    expected |= {2: (gates,), 3: (gates,)} if parts == 4 + len(extra) else {}
    expected |= extra
    wanted = [*expected.values()] * directions
    if [tuple(shape) for shape in shapes] != wanted:
        raise RuntimeError(f"Expected weights of sizes {wanted}, got {[*map(tuple, shapes)]}. {ADVICE}")
    places, none = tuple(expected), len(shapes)
    arranged = []
    for d in range(directions):
        indices = {place: d * parts + k for k, place in enumerate(places)}
        arranged.append(itemgetter(*(indices.get(place, none) for place in range(len(Weights._fields)))))
    return Layout(inputs, units, outputs, places, tuple(arranged))


ADVICE = "Give the layer weights of the sizes that it was made with."


def innermost(sequence: Tensor) -> Tensor:
    """The sequence (T, B, N) with its values side by side; what is repeated stays repeated."""
    if sequence.stride()[2] == 1 or sequence.shape[2] == 1:
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
    """A state's address, and the bytes from one direction to the next; zeros for the core's zeros."""
    if state is None:
        return 0, 0
    expect(state, shape, dtype)
    if not state.is_contiguous():
        state = state.contiguous()
        kept.append(state)
    return state.data_ptr(), shape[1] * shape[2] * state.element_size()


def expect(tensor: Tensor, shape: Shape, dtype: torch.dtype) -> None:
    if tensor.dtype is not dtype:
        raise RuntimeError(mixed(tensor.dtype, dtype))
    if tensor.shape != shape:
        raise RuntimeError(
            f"Expected a tensor of size {shape}, got {tuple(tensor.shape)}. Give one value for each place."
        )
