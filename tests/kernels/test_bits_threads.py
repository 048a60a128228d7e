"""Results and gradients do not depend on the number of threads, nor on who else is calling."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch
from forms import FORMS, MEMORY, Form, batch, outcome, same_bits, threads

# (T, B, I, H): few rows and many, short and long, and units enough to be shared out where rows are not.
SHAPES = [
    (5, 1, 3, 4),
    (40, 2, 16, 32),
    (300, 3, 8, 20),
    (12, 33, 20, 48),
    (9, 64, 33, 65),
    (70, 16, 5, 16),
    (3, 1, 40, 600),
    (4, 5, 530, 516),
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def test_any_number_of_threads(form: Form, dtype: torch.dtype, shape: tuple[int, int, int, int]) -> None:
    steps, rows, inputs, units = shape
    layer = form(inputs, units, dtype=dtype)
    given = batch(layer, steps, rows)
    expected = outcome(layer, given)
    for count in (2, 3, 4):
        with threads(count):
            same_bits(outcome(layer, given), expected, f"{count} threads")


@pytest.mark.parametrize("memory", MEMORY)
def test_any_number_of_threads_on_ragged_rows(form: Form, dtype: torch.dtype, memory: str) -> None:
    layer = form(6, 21, num_layers=2, bidirectional=True, memory=memory, dtype=dtype)
    given = batch(layer, 40, 13)
    told = {"lengths": torch.randint(0, 41, (13,)), "reset": torch.rand(13, 40) < 0.1}
    expected = outcome(layer, given, **told)
    for count in (2, 4):
        with threads(count):
            same_bits(outcome(layer, given, **told), expected, f"{count} threads")


@pytest.mark.parametrize("rows", [45, 100, 300])
def test_more_blocks_of_rows_than_threads(form: Form, rows: int) -> None:
    """Each thread adds its blocks' sums in their turn, also those of rows without a step."""
    layer = form(6, 21, bidirectional=True)
    given = batch(layer, 12, rows)
    few = torch.randint(0, 13, (rows,)) * (torch.arange(rows) < rows // 2)
    for told in ({}, {"lengths": torch.randint(0, 13, (rows,))}, {"lengths": few}):
        with threads(20):
            expected = outcome(layer, given, **told)
        for count in (1, 2, 3, 5):
            with threads(count):
                same_bits(outcome(layer, given, **told), expected, f"{count} threads")


@pytest.mark.parametrize("count", [1, 2, pytest.param(4, marks=pytest.mark.slow)])
def test_a_hundred_times(form: Form, count: int) -> None:
    layer = form(9, 18)
    given = batch(layer, 12, 9)
    expected = outcome(layer, given)
    with threads(count):
        for repeat in range(100):
            same_bits(outcome(layer, given), expected, f"repeat {repeat}")


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES[-2:], ids=lambda shape: "x".join(map(str, shape)))
def test_a_hundred_times_where_units_are_shared_out(form: Form, shape: tuple[int, int, int, int]) -> None:
    steps, rows, inputs, units = shape
    layer = form(inputs, units)
    given = batch(layer, steps, rows)
    expected = outcome(layer, given)
    with threads(4):
        for repeat in range(100):
            same_bits(outcome(layer, given), expected, f"repeat {repeat}")


def test_callers_at_once() -> None:
    """Eight callers, each with a layer, a shape and a number of threads of its own, start together."""
    callers = []
    for k, form in enumerate(FORMS.values()):
        layer = form(4 + k, 10 + 3 * k, num_layers=1 + k % 2, memory=MEMORY[k % 3])
        given = batch(layer, 15 + 10 * k, 1 + 4 * k, seed=k)
        callers.append((layer, given, 1 + k % 4, outcome(layer, given)))
    start = Barrier(len(callers))

    def call(k: int) -> None:
        layer, given, count, expected = callers[k]
        torch.set_num_threads(count)
        start.wait()
        for repeat in range(20):
            same_bits(outcome(layer, given), expected, f"caller {k}, repeat {repeat}")

    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(len(callers)) as pool:
            for done in [pool.submit(call, k) for k in range(len(callers))]:
                done.result(timeout=120)
    finally:
        torch.set_num_threads(before)


def test_one_layer_called_by_many(form: Form) -> None:
    layer = form(8, 24)
    given = [batch(layer, 30, 1 + k, seed=k) for k in range(4)]
    expected = [outcome(layer, g) for g in given]

    def call(k: int) -> None:
        for _ in range(20):
            same_bits(outcome(layer, given[k]), expected[k], f"caller {k}")

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(call, k) for k in range(4)]:
            done.result(timeout=120)


def test_a_backward_in_another_thread_than_its_forward(form: Form) -> None:
    layer = form(8, 24)
    given = batch(layer, 30, 5)
    expected = outcome(layer, given)["weight_ih_l0.grad"]
    with ThreadPoolExecutor(1) as pool:
        y, _ = pool.submit(layer, given.x).result()
        state = tuple(torch.zeros_like(s) for s in given.state)
    y_here, _ = layer(given.x, state if len(state) > 1 else state[0])
    grads = [torch.autograd.grad(out, layer.weight_ih_l0, given.dy)[0] for out in (y, y_here)]
    assert grads[0].equal(grads[1])
    assert grads[0].shape == expected.shape
