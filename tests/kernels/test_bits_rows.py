"""Many streams whose states lie in slots: each has the layer's bits, whatever goes on beside it."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from forms import Batch, Form, Outcome, batch, each_instruction_set, outcome, same_bits, threads
from torch import Tensor


def slots(layer: Any, rows: Any, given: Batch, order: Tensor, count: int) -> dict[str, Tensor]:
    """States of `count` slots, those of a batch's rows in the slots that `order` names, NaN in the others."""
    state = {name: part.fill_(math.nan) for name, part in rows.fresh(count).items()}
    for part, tensor in zip(layer.cell.states, given.state, strict=True):
        for k in range(layer.num_layers):
            state[f"{part}{k}"][order] = tensor[k]
    return state


def found(layer: Any, y: Tensor, state: dict[str, Tensor], order: Tensor) -> Outcome:
    """What a layer would have given."""
    layers = range(layer.num_layers)
    parts = {f"{p}_n": torch.stack([state[f"{p}{k}"][order] for k in layers]) for p in layer.cell.states}
    return {"y": y} | parts


def streamed(layer: Any, given: Batch, seed: int = 1) -> Outcome:
    """A whole batch, all rows at each step, in slots of any order."""
    rows, count = layer.rows(), given.x.shape[1]
    order = torch.randperm(count + 3, generator=torch.Generator().manual_seed(seed))[:count]
    state = slots(layer, rows, given, order, count + 3)
    y = torch.stack([rows(x, state, order) for x in given.x])
    others = torch.ones(count + 3, dtype=torch.bool)
    others[order] = False
    assert all(part[others].isnan().all() for part in state.values())
    return found(layer, y, state, order)


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("size", [(1, 2), (5, 19), (16, 32), (33, 17), (70, 130)])
@pytest.mark.parametrize("count", [1, 7, 30])
def test_the_bits_of_the_layer(
    form: Form, dtype: torch.dtype, size: tuple[int, int], layers: int, count: int
) -> None:
    layer = form(*size, num_layers=layers, dtype=dtype)
    given = batch(layer, 5, count)
    same_bits(streamed(layer, given), outcome(layer, given, backward=False))


def test_more_rows_than_are_taken_at_once(form: Form) -> None:
    layer = form(5, 19, num_layers=2, bias=False)
    given = batch(layer, 2, 501)
    expected = outcome(layer, given, backward=False)
    for count in (1, 2, 3, 5):
        with threads(count):
            same_bits(streamed(layer, given), expected, count)


def test_many_threads_at_a_heavy_layer(form: Form) -> None:
    layer = form(40, 130)
    given = batch(layer, 2, 97)
    expected = outcome(layer, given, backward=False)
    for count in (1, 2, 4, 7):
        with threads(count):
            same_bits(streamed(layer, given), expected, count)


def test_every_instruction_set(form: Form, dtype: torch.dtype) -> None:
    layer = form(7, 37, num_layers=2, dtype=dtype)
    given = batch(layer, 4, 29)
    expected = outcome(layer, given, backward=False)
    for name in each_instruction_set():
        same_bits(streamed(layer, given), expected, name)


def test_streams_that_go_on_at_times_of_their_own(form: Form, dtype: torch.dtype) -> None:
    """Each call takes some of them, in some order."""
    layer = form(5, 19, num_layers=2, dtype=dtype)
    given, rows = batch(layer, 6, 40), layer.rows()
    state, dice = slots(layer, rows, given, torch.arange(40), 40), torch.Generator().manual_seed(3)
    expected = outcome(layer, given, backward=False)
    steps, y = torch.zeros(40, dtype=torch.int64), torch.zeros_like(expected["y"])
    while len(left := (steps < 6).nonzero()[:, 0]):
        count = int(torch.randint(1, 10, (), generator=dice))
        some = left[torch.randperm(len(left), generator=dice)[:count]]
        y[steps[some], some] = rows(given.x[steps[some], some], state, some)
        steps[some] += 1
    same_bits(found(layer, y, state, torch.arange(40)), expected)


def test_slots_that_lie_apart_and_inputs_of_any_stride(form: Form, dtype: torch.dtype) -> None:
    layer = form(5, 19, num_layers=2, dtype=dtype)
    given, rows, order = batch(layer, 4, 9), layer.rows(), torch.arange(9)
    expected = outcome(layer, given, backward=False)
    whole = slots(layer, rows, given, order, 9)
    wide = torch.full((9, 3 + sum(part.shape[1] for part in whole.values())), math.nan, dtype=dtype)
    state, at = {}, 1
    for name, part in whole.items():
        state[name] = wide[:, at : at + part.shape[1]].copy_(part)
        at += part.shape[1]
    x = given.x.transpose(0, 2).contiguous().transpose(0, 2)
    assert x.stride(2) != 1
    some = torch.stack((order, order), 1)[:, 0]  # every other number
    y = torch.stack([rows(step, state, some) for step in x])
    same_bits(found(layer, y, state, order), expected)
    assert wide[:, :1].isnan().all()
    assert wide[:, -2:].isnan().all()


def test_after_numbers_that_were_not(form: Form, dtype: torch.dtype) -> None:
    """NaN in one call's streams stays in them, and in no memory."""
    layer = form(9, 21, num_layers=2, dtype=dtype)
    given = batch(layer, 3, 50)
    expected = outcome(layer, given, backward=False)
    ruined = streamed(layer, given.map(lambda tensor: torch.full_like(tensor, math.nan)))
    assert ruined["y"].isnan().all()
    same_bits(streamed(layer, given), expected)
    given.x[1, 17] = math.nan
    beside = [row for row in range(50) if row != 17]
    after = streamed(layer, given)
    same_bits({n: p[:, beside] for n, p in after.items()}, {n: p[:, beside] for n, p in expected.items()})
    same_bits(after, outcome(layer, given, backward=False))


def test_nothing_changes_where_slots_are_wrong(form: Form) -> None:
    layer = form(5, 19)
    given, rows = batch(layer, 1, 6), layer.rows()
    state = slots(layer, rows, given, torch.arange(6), 6)
    before = {name: part.clone() for name, part in state.items()}
    for which, words in [
        ([0, 1, 6], r"Expected slots from 0 to 5, all different, got 6 in row 2\. Name each stream once\."),
        ([-1, 1, 2], "got -1 in row 0"),
        ([2**62, 1, 2], "got 4611686018427387904 in row 0"),
        ([3, 1, 3], "got 3 again in row 2"),
        ([4, 4, 5], "got 4 again in row 1"),
    ]:
        with pytest.raises(ValueError, match=words):
            rows(given.x[0, :3], state, torch.tensor(which))
    same_bits(state, before)
