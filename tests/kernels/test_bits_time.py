"""Results do not depend on how time is cut: into chunks that carry the state, into steps, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from forms import FORMS, OUTPUTS, Batch, Form, Outcome, batch, only, outcome, same_bits
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from recurra import nn


def in_chunks(layer: Any, given: Batch, sizes: list[int], **told: torch.Tensor) -> Outcome:
    """What a layer gives when each chunk of time begins with the state that the one before it ended with."""
    state, ys, start = given.state, [], 0
    for size in sizes:
        end = start + size
        now = {}
        if "lengths" in told:
            now["lengths"] = (told["lengths"] - start).clamp(0, size)
        if "reset" in told:
            now["reset"] = told["reset"][:, start:end]
        chunk = Batch(given.x[start:end], state, given.dy[start:end], given.dnew)
        found = outcome(layer, chunk, backward=False, **now)
        ys.append(found["y"])
        state = tuple(found[f"{name}_n"] for name in layer.cell.states)
        start = end
    assert start == len(given.x)
    return {"y": torch.cat(ys)} | {f"{n}_n": s for n, s in zip(layer.cell.states, state, strict=True)}


def cuts(steps: int) -> list[list[int]]:
    sizes: list[list[int]] = [[1] * steps, [steps - 1, 1], [1, steps - 1]]
    for size in (2, 3, 8, 16, 31, 64, 255, 256):
        if size < steps:
            sizes.append([size] * (steps // size) + [steps % size] * (steps % size > 0))
    return sizes


@pytest.mark.parametrize("rows", [1, 2, 5, 40])
@pytest.mark.parametrize(("inputs", "units"), [(5, 19), (16, 32)])
def test_chunks(form: Form, dtype: torch.dtype, inputs: int, units: int, rows: int) -> None:
    layer = form(inputs, units, num_layers=2, dtype=dtype)
    given = batch(layer, 37, rows)
    expected = outcome(layer, given, backward=False)
    for sizes in cuts(37):
        same_bits(in_chunks(layer, given, sizes), expected, sizes)


def test_chunks_of_a_long_row(form: Form, dtype: torch.dtype) -> None:
    layer = form(3, 12, dtype=dtype)
    given = batch(layer, 600, 1)
    expected = outcome(layer, given, backward=False)
    for sizes in cuts(600)[3:]:
        same_bits(in_chunks(layer, given, sizes), expected, sizes)


def test_chunks_of_ragged_rows_with_resets(form: Form, dtype: torch.dtype) -> None:
    layer = form(5, 19, num_layers=2, dtype=dtype)
    given = batch(layer, 37, 9)
    told = {"lengths": torch.tensor([37, 0, 1, 36, 16, 17, 8, 30, 2]), "reset": torch.rand(9, 37) < 0.15}
    expected = outcome(layer, given, backward=False, **told)
    for sizes in cuts(37):
        same_bits(in_chunks(layer, given, sizes, **told), expected, sizes)


@examples(st.data())
@settings(max_examples=50, deadline=None)
def test_any_cut(data: st.DataObject) -> None:
    form = FORMS[data.draw(st.sampled_from(list(FORMS)))]
    sizes = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=6))
    torch.manual_seed(data.draw(st.integers(0, 1000)))
    layer = form(data.draw(st.integers(1, 20)), data.draw(st.integers(2, 40)))
    given = batch(layer, sum(sizes), data.draw(st.integers(1, 20)))
    expected = outcome(layer, given, backward=False)
    same_bits(in_chunks(layer, given, sizes), expected, sizes)


def test_a_reset_is_a_fresh_start(form: Form, dtype: torch.dtype) -> None:
    """What comes after a reset is what a row of its own gives from a state of zeros."""
    layer = form(5, 19, num_layers=2, bidirectional=True, dtype=dtype)
    given, at = batch(layer, 20, 4), 7
    reset = torch.zeros(4, 20, dtype=torch.bool)
    reset[:, at] = True
    whole = outcome(layer, given, backward=False, reset=reset)
    states = given.state
    forward = torch.arange(len(states[0])) % 2 == 0
    parts = []
    for enters, part in ((forward, slice(0, at)), (~forward, slice(at, 20))):
        state = tuple(torch.where(enters[:, None, None], s, 0) for s in states)
        parts.append(outcome(layer, Batch(given.x[part], state, given.dy[part], given.dnew), backward=False))
    before, after = parts
    expected = {"y": torch.cat([before.pop("y"), after.pop("y")])}
    expected |= {name: torch.where(forward[:, None, None], after[name], before[name]) for name in before}
    same_bits(whole, expected)


CELLS = {
    "rnn": (nn.RNN, nn.RNNCell, {}),
    "rnn_relu": (nn.RNN, nn.RNNCell, {"nonlinearity": "relu"}),
    "gru": (nn.GRU, nn.GRUCell, {}),
    "lstm": (nn.LSTM, nn.LSTMCell, {}),
}


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no_bias"])
@pytest.mark.parametrize("rows", [1, 3, 17])
@pytest.mark.parametrize("name", CELLS)
def test_cells_step_as_layers_do(name: str, rows: int, bias: bool, dtype: torch.dtype) -> None:
    kind, step, options = CELLS[name]
    layer = kind(5, 19, bias=bias, dtype=dtype, **options)
    cell = step(5, 19, bias=bias, dtype=dtype, **options)
    cell.load_state_dict({key.removesuffix("_l0"): value for key, value in layer.state_dict().items()})
    given = batch(layer, 12, rows)
    state: Any = tuple(s[0] for s in given.state)
    ys = []
    for x in given.x:
        new = cell(x, state if len(state) > 1 else state[0])
        state = new if isinstance(new, tuple) else (new,)
        ys.append(state[0].detach())
    found = {"y": torch.stack(ys)}
    found |= {f"{n}_n": s.detach()[None] for n, s in zip(layer.cell.states, state, strict=True)}
    same_bits(found, only(outcome(layer, given, backward=False), OUTPUTS))
