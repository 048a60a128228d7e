"""The operators that PyTorch sees: a layer over time, the same with what its gradients need, and those.

Each stands for both directions of one layer. torch.compile and torch.export take them as they are, by the
sizes that the fake kernels tell; nothing in them is unrolled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.engines.cpu.arrays import Given, Room, innermost, prepared, sized
from recurra.engines.cpu.core import core

# From this many bytes on, what is saved comes from the core's recycled memory: fresh pages cost more than
# the sums that fill them.
RECYCLED = 1 << 18

GIVEN = (
    "Tensor x, Tensor? h, Tensor? c, Tensor[] weights, Tensor? lengths, Tensor? reset, "
    "str kind, bool both_ways"
)
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
    return _run(Given(*args[:8]), Room(*args[8:])._replace(memory="none"))


def layer_with_what_is_saved(*args: Any) -> list[Tensor]:
    return _run(Given(*args[:8]), Room(*args[8:]))


def _run(given: Given, room: Room) -> list[Tensor]:
    ready = prepared(given, room.memory)
    steps, rows, _, units, outputs = ready.sizes
    results = _outputs(given, room.rows_first)
    y, h_n = results[:2]
    size, saved, each = y.element_size(), 0, 0
    if room.memory != "none":
        lengths = None if room.full else ready.lengths
        pairs = steps * rows if lengths is None else int(lengths.sum())
        # A graph may come from a machine whose instructions need less room.
        needed = core.saved_size(given.kind, size == 8, room.memory, ready.sizes, pairs)
        each = max(needed, saved_size(room, rows, pairs))
        results.append(_memory(each * len(ready.calls), y.dtype))
        saved = results[-1].data_ptr()
    if rows:
        at, step, row = _sequence(y)
        h_at, c_at = h_n.data_ptr(), results[2].data_ptr() if given.kind.startswith("lstm") else 0
        for d, call in enumerate(ready.calls):
            final = (h_at + d * rows * outputs * size, c_at and c_at + d * rows * units * size)
            core.forward(*call, (at + d * outputs * size, step, row), final, saved + d * each * size)
    return results


def layer_backward(*args: Any) -> list[Tensor]:
    given, memory = Given(*args[:8]), args[8]
    y, saved, dy, dh, dc, wanted = args[9:]
    ready = prepared(given, memory)
    rows, units, outputs = ready.sizes[1], *ready.sizes[3:]
    dx, dh_0, dc_0, *dweights = gradients = _gradients(given, wanted)
    if not rows:
        return [g.zero_() for g in gradients if g is not None]

    size, parts = saved.element_size(), len(ready.shapes)
    each = saved.numel() // len(ready.calls) * size
    dy = None if dy is None else innermost(dy)
    dh, dc = (None if g is None else g.contiguous() for g in (dh, dc))
    for d, call in enumerate(ready.calls):
        pointers = [0] * 6
        for (place, _), g in zip(ready.shapes, dweights[d * parts : (d + 1) * parts], strict=True):
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


def saved_unit(kind: str, wide: bool, memory: str, steps: int, sizes: tuple[int, int, int]) -> int:
    """Values that one direction saves for each step of each row; checkpointed, for each row as a whole.

    Asked so, the number of rows and, unless checkpointed, of steps need not be known while tracing. sizes: I,
    H and R.
    """
    steps = steps if memory == "checkpointed" else 1
    unit: int = core.saved_size(kind, wide, memory, (steps, 1, *sizes), steps)
    return unit


# What torch.compiler.assume_constant_result does, which would load Dynamo: the number goes into the graph.
saved_unit._dynamo_marked_constant = True  # type: ignore[attr-defined]


def saved_size(room: Room, rows: int, pairs: int) -> int:
    """Values that one direction saves."""
    return room.unit * (rows if room.memory == "checkpointed" else pairs)


def _outputs(given: Given, rows_first: bool) -> list[Tensor]:
    """Room for y, h_n and LSTM's c_n."""
    x = given.x
    steps, rows, _ = x.shape
    units, outputs = sized(given)
    directions = 2 if given.both_ways else 1
    dtype, device, width = x.dtype, x.device, directions * outputs
    if rows_first:
        y = torch.empty((rows, steps, width), dtype=dtype, device=device).transpose(0, 1)
    else:
        y = torch.empty((steps, rows, width), dtype=dtype, device=device)
    results = [y, torch.empty((directions, rows, outputs), dtype=dtype, device=device)]
    if given.kind.startswith("lstm"):
        results.append(torch.empty((directions, rows, units), dtype=dtype, device=device))
    return results


def _gradients(given: Given, wanted: Sequence[bool]) -> list[Tensor | None]:
    """Room for the gradients of x, h, c and each weight that are wanted."""
    contiguous = torch.contiguous_format
    room: list[Tensor | None] = [torch.empty_like(innermost(given.x)) if wanted[0] else None]
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
    return _outputs(Given(*args[:8]), args[8])


def fake_saving(*args: Any) -> list[Tensor]:
    given, room = Given(*args[:8]), Room(*args[8:])
    steps, rows, _ = given.x.shape
    each = saved_size(room, rows, steps * rows)
    saved = given.x.new_empty(each * (2 if given.both_ways else 1))
    return [*_outputs(given, room.rows_first), saved]


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
