"""Right: against PyTorch in float64, on sizes around every edge of a tile, a panel and a chunk of time."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import pytest
import torch
from forms import FORMS, MEMORY, Form, batch, close, outcome, right, threads
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

# Around multiples of 4, 8, 16, 32 and 48; all up to 9.
EDGES = [
    *range(1, 10), 11, 12, 13, 15, 16, 17, 23, 24, 25, 31, 32, 33, 39, 40, 41, 47, 48, 49, 63, 64, 65, 70,
]  # fmt: skip
ROWS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 33]


def check(layer: Any, steps: int, rows: int, where: Any, **told: Any) -> None:
    given = batch(layer, steps, rows)
    close(outcome(layer, given, **told), right(layer, given, **told), where)


def some_rows(size: int) -> list[int]:
    """Four of ROWS, others for the next size: every pair of a size and a row count would take minutes."""
    return [ROWS[(4 * size + k) % len(ROWS)] for k in range(4)]


@pytest.mark.parametrize("units", EDGES)
def test_units(form: Form, dtype: torch.dtype, units: int) -> None:
    units = max(units, 2) if form.projected else units
    for rows, inputs in zip(some_rows(units), cycle([1, 5, 16, 19, 48]), strict=False):
        check(form(inputs, units, dtype=dtype), 4, rows, (rows, inputs, units))


@pytest.mark.parametrize("inputs", EDGES)
def test_inputs(form: Form, dtype: torch.dtype, inputs: int) -> None:
    for rows, units in zip(some_rows(inputs), cycle([17, 4, 8, 31, 16]), strict=False):
        check(form(inputs, units, dtype=dtype), 3, rows, (rows, inputs, units))


@pytest.mark.slow
@pytest.mark.parametrize("rows", ROWS)
def test_units_inputs_and_rows(form: Form, dtype: torch.dtype, rows: int) -> None:
    for units in EDGES[1:]:
        for inputs in (1, 4, 15, 16, 17, 33):
            check(form(inputs, units, dtype=dtype), 3, rows, (rows, inputs, units))


@pytest.mark.parametrize("outputs", [1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 39])
@pytest.mark.parametrize("name", ["lstm_projected", "lstm_peephole_projected"])
def test_sizes_of_a_projection(name: str, outputs: int, dtype: torch.dtype) -> None:
    for units in (40, 48, 65):
        for rows in (1, 4, 7, 17):
            layer = FORMS[name](6, units, proj_size=outputs, dtype=dtype)
            check(layer, 5, rows, (rows, units, outputs))


CROSSING = [
    (1, 255), (255, 1), (256, 1), (257, 1), (128, 2), (51, 5), (43, 6), (19, 27), (16, 32), (511, 1),
    (171, 3), (64, 8), (29, 35), (8, 128), (31, 33), (1030, 1), (515, 2), (103, 10), (10, 103), (2, 512),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "rows"), CROSSING)
def test_chunks_of_time(form: Form, steps: int, rows: int) -> None:
    layer = form(9, 18)
    given = batch(layer, steps, rows)
    expected = right(layer, given)
    for memory in MEMORY:
        layer.memory = memory
        close(outcome(layer, given), expected, memory)


@pytest.mark.parametrize("shape", [(20, 7, 300, 300), (3, 40, 64, 300), (6, 1, 300, 300), (5, 3, 700, 260)])
def test_more_units_than_are_kept_close(form: Form, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    steps, rows, inputs, units = shape
    layer = form(inputs, units, dtype=dtype)
    check(layer, steps, rows, shape)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_layers_and_directions(
    *, form: Form, dtype: torch.dtype, layers: int, bidirectional: bool, bias: bool
) -> None:
    layer = form(5, 18, num_layers=layers, bidirectional=bidirectional, bias=bias, dtype=dtype)
    check(layer, 9, 6, "whole")
    told = {"lengths": torch.tensor([3, 9, 0, 9, 1, 6]), "reset": torch.rand(6, 9) < 0.2}
    check(layer, 9, 6, "ragged", **told)


@st.composite
def runs(draw: st.DrawFn) -> tuple[Any, int, int, dict[str, Any], int]:
    """A layer, T, B, lengths and resets, and how many threads run it."""
    torch.manual_seed(draw(st.integers(0, 10_000)))
    form = FORMS[draw(st.sampled_from(list(FORMS)))]
    units = draw(st.integers(1, 70))
    options: dict[str, Any] = {}
    if form.projected:
        units = max(units, 2)
        options["proj_size"] = draw(st.integers(1, units - 1))
    layer = form(
        draw(st.integers(1, 70)),
        units,
        num_layers=draw(st.integers(1, 2)),
        bidirectional=draw(st.booleans()),
        bias=draw(st.booleans()),
        memory=draw(st.sampled_from(MEMORY)),
        dtype=draw(st.sampled_from([torch.float32, torch.float64])),
        **options,
    )
    steps, rows = draw(st.integers(1, 40)), draw(st.integers(1, 35))
    told = {}
    if draw(st.booleans()):
        told["lengths"] = torch.randint(0, steps + 1, (rows,))
    if draw(st.booleans()):
        told["reset"] = torch.rand(rows, steps) < draw(st.floats(0, 1))
    return layer, steps, rows, told, draw(st.integers(1, 4))


@examples(runs())
@settings(max_examples=120, deadline=None)
def test_any_size(run: tuple[Any, int, int, dict[str, Any], int]) -> None:
    layer, steps, rows, told, count = run
    given = batch(layer, steps, rows)
    with threads(count):
        found = outcome(layer, given, **told)
    close(found, right(layer, given, **told))


@pytest.mark.slow
@examples(runs())
@settings(max_examples=2000, deadline=None)
def test_any_size_at_length(run: tuple[Any, int, int, dict[str, Any], int]) -> None:
    test_any_size.hypothesis.inner_test(run)  # type: ignore[attr-defined]
