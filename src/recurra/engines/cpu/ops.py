"""The operators that PyTorch sees: a layer over time, the same with what its gradients need, and those.

Each stands for both directions of one layer. torch.compile and torch.export take them as they are, by the
sizes that the fake kernels tell; nothing in them is unrolled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.engines.cpu.arrays import LSTMS, Given, Layout, Prepared, expect, innermost, layout, prepared
from recurra.engines.cpu.core import core

# From this many bytes on, what is saved comes from the core's recycled memory: fresh pages cost more than
# the sums that fill them.
RECYCLED = 1 << 18
# Modes of memory that leave a record for the backward pass.
RECORDS = ("stored", "recomputed", "checkpointed")

GIVEN = (
    "Tensor x, Tensor? h, Tensor? c, Tensor[] weights, Tensor? lengths, Tensor? reset, "
    "str kind, bool both_ways"
)
# rows_first: y's memory, which is (T, B, D·R) all the same. full: save as if no row were shorter than T, for
# whoever traces cannot know lengths. memory: one of MEMORY, or "none". unit: see `saved_unit`.
ROOM = "bool rows_first, bool full, str memory, int unit"
# Returns y (T, B, D·R), h_n (D, B, R) and LSTM's c_n (D, B, H).
LAYER = f"layer({GIVEN}, {ROOM}) -> Tensor[]"
# What `layer` does where gradients are wanted. Returns what is saved for them, too.
SAVING = f"layer_saving({GIVEN}, {ROOM}) -> Tensor[]"
# Returns the gradients of x, h, c and each weight, those that are wanted, in this order.
BACKWARD = (
    f"layer_backward({GIVEN}, str memory, Tensor? y, Tensor saved, Tensor? dy, Tensor? dh, Tensor? dc, "
    "bool[] wanted) -> Tensor[]"
)


def layer_without_gradients(*args: Any) -> list[Tensor]:
    return run(Given(*args[:8]), args[8])


def layer_with_what_is_saved(*args: Any) -> list[Tensor]:
    _expect_a_record(args[10])
    return run(Given(*args[:8]), *args[8:])


def run(
    given: Given, rows_first: bool, full: bool = True, memory: str = "none", unit: int = 0
) -> list[Tensor]:
    """Both directions of a layer, and what is saved unless memory is "none"."""
    ready = prepared(given, memory)
    steps, rows, _, units, outputs = sizes = ready.calls[0][5]
    results = _outputs(given, ready.layout, rows_first)
    y, h_n = results[:2]
    size = y.element_size()
    saved, each = 0, 0
    if memory != "none":
        pairs = steps * rows if full else _pairs(ready)
        # A graph may come from a machine whose instructions need less room.
        needed = core.saved_size(given.kind, size == 8, memory, sizes, pairs)
        each = max(needed, _saved_size(unit, memory, rows, pairs, y.dtype))
        results.append(_memory(each * len(ready.calls), y.dtype))
        saved = results[-1].data_ptr()
    if not rows:
        return results
    at, step, row = _sequence(y)
    h_at, c_at = h_n.data_ptr(), results[2].data_ptr() if given.kind in LSTMS else 0
    for d, call in enumerate(ready.calls):
        final = (h_at + d * rows * outputs * size, c_at + d * rows * units * size)
        core.forward(*call, (at + d * outputs * size, step, row), final, saved + d * each * size)
    return results


def layer_backward(*args: Any) -> list[Tensor]:
    given, memory = Given(*args[:8]), args[8]
    y, saved, dy, dh, dc, wanted = args[9:]
    ready = prepared(given, memory)
    _, rows, _, units, outputs = ready.calls[0][5]
    _check_backward(given, ready, memory, args[9:])
    dx, dh_0, dc_0, *dweights = gradients = _gradients(given, wanted)
    if not rows:
        return [g.zero_() for g in gradients if g is not None]

    places = ready.layout.places
    size, parts = saved.element_size(), len(places)
    each = saved.numel() // len(ready.calls) * size
    y, dy = (None if sequence is None else innermost(sequence) for sequence in (y, dy))
    dh, dc = (None if g is None else g.contiguous() for g in (dh, dc))
    for d, call in enumerate(ready.calls):
        pointers = [0] * 6
        for place, g in zip(places, dweights[d * parts : (d + 1) * parts], strict=True):
            pointers[place] = _address(g)
        of_h, of_c = d * rows * outputs * size, d * rows * units * size
        core.backward(
            *call,
            _sequence(y, d * outputs * size),
            saved.data_ptr() + d * each,
            _sequence(dy, d * outputs * size),
            (_address(dh, of_h), _address(dc, of_c)),
            (*_sequence(dx), d == 1),  # the second direction adds its share to the first's
            tuple(pointers),
            (_address(dh_0, of_h), _address(dc_0, of_c)),
        )
    return [g for g in gradients if g is not None]


def _check_backward(given: Given, ready: Prepared, memory: str, rest: Sequence[Any]) -> None:
    """Check what the backward pass takes beyond `given`, since the core reads it all."""
    y, saved, dy, dh, dc, wanted = rest
    steps, rows, _, units, outputs = sizes = ready.calls[0][5]
    directions, dtype = len(ready.calls), given.x.dtype
    _expect_a_record(memory)
    if len(wanted) != 3 + len(given.weights):
        raise RuntimeError(
            f"Expected {3 + len(given.weights)} marks of what is wanted, got {len(wanted)}. "
            "Give one for x, h, c and each weight."
        )
    if y is None and memory != "checkpointed":
        raise RuntimeError(f"Expected y where memory is {memory!r}, got none. Give the layer's output.")
    if dc is not None and given.kind not in LSTMS:
        raise RuntimeError(f"Expected no dc for the cell {given.kind!r}, got a tensor. Give it for an LSTM.")
    shapes = {"y": (steps, rows, directions * outputs)}
    shapes |= {"h": (directions, rows, outputs), "c": (directions, rows, units)}
    for tensor, of in ((y, "y"), (dy, "y"), (dh, "h"), (dc, "c")):
        if tensor is not None:
            expect(tensor, shapes[of], dtype)
    needed = core.saved_size(given.kind, dtype is torch.float64, memory, sizes, _pairs(ready)) * directions
    expect(saved, (saved.numel(),), dtype)
    if saved.numel() < needed or not saved.is_contiguous():
        raise RuntimeError(
            f"Expected saved to be contiguous, of at least {needed} values, got {saved.numel()} with strides "
            f"{saved.stride()}. Give what the forward pass saved."
        )


def _expect_a_record(memory: str) -> None:
    if memory not in RECORDS:
        raise RuntimeError(
            f"Expected a memory mode for gradients, one of {[*RECORDS]}, got {memory!r}. Name one of these."
        )


def _pairs(ready: Prepared) -> int:
    """Steps of all rows."""
    steps, rows, *_ = ready.calls[0][5]
    pairs: int = steps * rows if ready.lengths is None else int(ready.lengths.sum())
    return pairs


def saved_unit(kind: str, wide: bool, memory: str, steps: int, sizes: tuple[int, int, int]) -> int:
    """Values that one direction saves for each step of each row; checkpointed, for each row as a whole.

    For whoever traces: so asked, the number of rows and, unless checkpointed, of steps need not be known.
    sizes: I, H and R.
    """
    one, two = (core.saved_size(kind, wide, memory, (steps, rows, *sizes), rows) for rows in (1, 2))
    unit: int = two - one
    return unit


# What torch.compiler.assume_constant_result does, which would load Dynamo: the number goes into the graph.
saved_unit._dynamo_marked_constant = True  # type: ignore[attr-defined]


def _saved_size(unit: int, memory: str, rows: int, pairs: int, dtype: torch.dtype) -> int:
    """Values that one direction saves."""
    head: int = core.saved_size("gru", dtype is torch.float64, "stored", (0, 0, 0, 0, 0), 0)
    return head + unit * (rows if memory == "checkpointed" else pairs)


def _outputs(given: Given, layout: Layout, rows_first: bool) -> list[Tensor]:
    """Room for y, h_n and LSTM's c_n."""
    x = given.x
    steps, rows, _ = x.shape
    directions = len(layout.arranged)
    width = directions * layout.outputs
    # By strides, since autograd lets nobody change a view that was made in here.
    strides = (width, steps * width, 1) if rows_first else (rows * width, width, 1)
    y = x.new_empty_strided((steps, rows, width), strides)
    results = [y, x.new_empty(directions, rows, layout.outputs)]
    if given.kind in LSTMS:
        results.append(x.new_empty(directions, rows, layout.units))
    return results


def _gradients(given: Given, wanted: Sequence[bool]) -> list[Tensor | None]:
    """Room for the gradients of x, h, c and each weight that are wanted."""
    contiguous = torch.contiguous_format
    dx = None
    if wanted[0]:
        dx = torch.empty_like(innermost(given.x))
        if dx.stride(2) != 1:  # of an input that overlaps itself
            dx = torch.empty_like(given.x, memory_format=contiguous)
    room: list[Tensor | None] = [dx]
    for tensor, is_wanted in zip((given.h, given.c, *given.weights), wanted[1:], strict=True):
        given_room = None
        if is_wanted and tensor is not None:
            given_room = torch.empty_like(tensor, memory_format=contiguous)
        room.append(given_room)
    return room


def _memory(count: int, dtype: torch.dtype) -> Tensor:
    """Uninitialised memory for what the forward pass saves."""
    size = count * dtype.itemsize
    if size < RECYCLED:
        return torch.empty(count, dtype=dtype)
    return torch.frombuffer(core.buffer(size), dtype=dtype)


def _address(tensor: Tensor | None, offset: int = 0) -> int:
    return 0 if tensor is None else tensor.data_ptr() + offset


def _sequence(tensor: Tensor | None, offset: int = 0) -> tuple[int, int, int]:
    """A sequence's address and strides over steps and rows."""
    return (0, 0, 0) if tensor is None else (tensor.data_ptr() + offset, tensor.stride(0), tensor.stride(1))


def fake_layer(*args: Any) -> list[Tensor]:
    given = Given(*args[:8])
    return _outputs(given, _traced_layout(given), args[8])


def fake_saving(*args: Any) -> list[Tensor]:
    rows_first, _, memory, unit = args[8:]
    given = Given(*args[:8])
    steps, rows, _ = given.x.shape
    each = _saved_size(unit, memory, rows, steps * rows, given.x.dtype)
    saved = given.x.new_empty(each * (2 if given.both_ways else 1))
    return [*_outputs(given, _traced_layout(given), rows_first), saved]


def _traced_layout(given: Given) -> Layout:
    """The layout, where sizes may be symbols; those of the weights become numbers."""
    return layout(given.kind, given.both_ways, tuple(tuple(map(int, w.shape)) for w in given.weights))


def fake_backward(*args: Any) -> list[Tensor]:
    return [g for g in _gradients(Given(*args[:8]), args[-1]) if g is not None]


LIBRARY: Any = torch.library.Library("recurra", "DEF")  # type: ignore[no-untyped-call]
KERNELS = (
    (LAYER, layer_without_gradients, fake_layer),
    (SAVING, layer_with_what_is_saved, fake_saving),
    (BACKWARD, layer_backward, fake_backward),
)
for schema, kernel, fake in KERNELS:
    name = schema.partition("(")[0]
    LIBRARY.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
    LIBRARY.impl(name, kernel, "CPU")
    torch.library.register_fake(f"recurra::{name}", fake, lib=LIBRARY)
OPS = torch.ops.recurra
