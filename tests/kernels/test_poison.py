"""Memory that nothing was written to never shows, whatever it was used for before."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from forms import MEMORY, Form, batch, outcome, same_bits, threads


@pytest.fixture(autouse=True)
def _empty_tensors_hold_nan() -> Iterator[None]:
    """torch.empty gives NaN, inside the test."""
    torch.use_deterministic_algorithms(True)
    assert torch.empty(3).isnan().all()
    yield
    torch.use_deterministic_algorithms(False)


def told(steps: int, rows: int) -> list[dict[str, Any]]:
    lengths, reset = torch.randint(0, steps + 1, (rows,)), torch.rand(rows, steps) < 0.2
    return [{}, {"lengths": lengths}, {"reset": reset}, {"lengths": lengths, "reset": reset}]


# (T, B, I, H): none a multiple of a tile or a panel, and buffers from small to above two MiB.
SHAPES = [(1, 1, 1, 2), (7, 5, 3, 19), (40, 13, 9, 21), (90, 30, 5, 67)]


@pytest.mark.parametrize("memory", MEMORY)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def test_after_numbers_that_were_not(form: Form, shape: tuple[int, ...], memory: str) -> None:
    steps, rows, inputs, units = shape
    layer = form(inputs, units, num_layers=2, bidirectional=True, memory=memory)
    given = batch(layer, steps, rows)
    for ragged in told(steps, rows):
        expected = outcome(layer, given, **ragged)
        assert all(part.isfinite().all() for part in expected.values())
        # The same run with NaN everywhere leaves NaN in every piece of memory that it used.
        ruined = outcome(layer, given.map(lambda tensor: torch.full_like(tensor, math.nan)))
        assert ruined["y"].isnan().all()
        del ruined
        same_bits(outcome(layer, given, **ragged), expected, sorted(ragged))


def test_after_another_threads_numbers(form: Form, dtype: torch.dtype) -> None:
    layer = form(9, 21, dtype=dtype)
    given = batch(layer, 40, 13)
    ragged = told(40, 13)[-1]
    expected = outcome(layer, given, **ragged)
    for count in (1, 4, 2):
        with threads(count):
            outcome(layer, given.map(lambda tensor: torch.full_like(tensor, math.nan)))
            same_bits(outcome(layer, given, **ragged), expected, count)


def test_one_layer_after_another(form: Form) -> None:
    """Buffers that have served larger layers serve smaller ones."""
    small, large = form(3, 10), form(30, 70)
    given, more = batch(small, 12, 4), batch(large, 30, 9)
    expected = outcome(small, given)
    outcome(large, more.map(lambda tensor: torch.full_like(tensor, math.nan)))
    same_bits(outcome(small, given), expected)


def test_results_stay_when_later_calls_come(form: Form) -> None:
    """Nothing that was handed out is used again while it is held."""
    layer = form(9, 21, num_layers=2)
    given = batch(layer, 40, 13)
    held = outcome(layer, given)
    copies = {name: part.clone() for name, part in held.items()}
    for seed in range(5):
        outcome(layer, batch(layer, 40, 13, seed))
    same_bits(held, copies)


@pytest.mark.parametrize("memory", MEMORY)
def test_graphs_stay_when_later_calls_come(form: Form, memory: str) -> None:
    """Several calls whose backward passes come later, and in another order."""
    layer = form(9, 21, memory=memory)
    batches = [batch(layer, 20, 1 + seed, seed) for seed in range(4)]
    weights = list(layer.parameters())
    expected = [torch.autograd.grad(layer(given.x)[0], weights, given.dy) for given in batches]
    outputs = [layer(given.x)[0] for given in batches]
    dropped = layer(batches[0].x)[0]
    del dropped  # a graph that is let go before its backward pass
    for k in (2, 0, 3, 1):
        found = torch.autograd.grad(outputs[k], weights, batches[k].dy)
        assert all(a.equal(b) for a, b in zip(found, expected[k], strict=True))
