"""NaN, infinity and the largest numbers: they go where the equations take them, and never to another row."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from forms import MEMORY, OF_A_ROW, OUTPUTS, Batch, Form, batch, only, outcome, right, same_bits
from torch import Tensor

from recurra import nn

STEPS, ROWS, AT, ROW = 9, 6, 4, 2


def with_number(given: Batch, number: float, feature: int = 1) -> Batch:
    """The batch with one number in place of another: one row, one step, one feature."""
    x = given.x.clone()
    x[AT, ROW, feature] = number
    return Batch(x, given.state, given.dy, given.dnew)


@pytest.mark.parametrize("memory", MEMORY)
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_they_stay_in_their_row_and_do_not_go_back_in_time(
    form: Form, dtype: torch.dtype, number: float, memory: str
) -> None:
    layer = form(5, 19, memory=memory, dtype=dtype)
    given = batch(layer, STEPS, ROWS)
    found, expected = outcome(layer, with_number(given, number)), outcome(layer, given)
    others = torch.arange(ROWS) != ROW
    names = OUTPUTS + OF_A_ROW
    same_bits(
        {name: part[:, others] for name, part in only(found, names).items()},
        {name: part[:, others] for name, part in only(expected, names).items()},
    )
    same_bits({"y": found["y"][:AT, ROW]}, {"y": expected["y"][:AT, ROW]}, "before it")


def test_a_nan_stays(form: Form, dtype: torch.dtype) -> None:
    layer = form(5, 19, num_layers=2, dtype=dtype)
    given = batch(layer, STEPS, ROWS)
    poisoned = with_number(given, math.nan)
    found, expected = outcome(layer, poisoned), right(layer, poisoned)
    assert found["y"][AT:, ROW].isnan().all()
    for name in layer.cell.states:
        assert found[f"{name}_n"][:, ROW].isnan().all()
    for name, part in expected.items():
        assert found[name].isnan().equal(part.isnan()), name


def test_a_reset_ends_it(form: Form, dtype: torch.dtype) -> None:
    layer = form(5, 19, dtype=dtype)
    given = batch(layer, STEPS, ROWS)
    reset = torch.zeros(ROWS, STEPS, dtype=torch.bool)
    reset[ROW, AT + 2] = True
    found = outcome(layer, with_number(given, math.nan), reset=reset)
    expected = outcome(layer, given, reset=reset)
    assert found["y"][AT : AT + 2, ROW].isnan().all()
    same_bits({"y": found["y"][AT + 2 :]}, {"y": expected["y"][AT + 2 :]})
    same_bits(
        {"x.grad": found["x.grad"][AT + 2 :, ROW]}, {"x.grad": expected["x.grad"][AT + 2 :, ROW]}, "backward"
    )


def test_a_nan_in_the_state_or_its_gradient(form: Form, dtype: torch.dtype) -> None:
    layer = form(5, 19, dtype=dtype)
    given = batch(layer, STEPS, ROWS)
    others = torch.arange(ROWS) != ROW
    expected = only(outcome(layer, given), OUTPUTS + OF_A_ROW)

    def broken(tensor: Tensor) -> Tensor:
        return tensor.masked_fill(~others[:, None], math.nan)

    state = Batch(given.x, tuple(map(broken, given.state)), given.dy, given.dnew)
    ends = Batch(given.x, given.state, given.dy, tuple(map(broken, given.dnew)))
    for poisoned in (state, ends):
        found = only(outcome(layer, poisoned), OUTPUTS + OF_A_ROW)
        same_bits({k: v[:, others] for k, v in found.items()}, {k: v[:, others] for k, v in expected.items()})
        if poisoned is state:
            assert found["y"][:, ROW].isnan().all()


@pytest.mark.parametrize("number", [math.inf, -math.inf, 1e30, -1e30])
def test_gates_are_shut_or_open_as_in_pytorch(form: Form, dtype: torch.dtype, number: float) -> None:
    layer = form(5, 19, dtype=dtype)
    given = with_number(batch(layer, STEPS, ROWS), number)
    found, expected = (only(run(layer, given, backward=False), OUTPUTS) for run in (outcome, right))
    for name, part in expected.items():
        scale = part[part.isfinite()].abs().amax().clamp(min=1)
        if form.options.get("nonlinearity") == "relu":
            scale = scale.clamp(min=abs(number)) if math.isfinite(number) else scale
        atol = float(scale) * 64 * torch.finfo(dtype).eps
        torch.testing.assert_close(found[name].double(), part, rtol=0, atol=atol, equal_nan=True)


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_in_every_place(form: Form, number: float) -> None:
    """Whichever feature of the input or unit of the state it stands in, the others see it."""
    layer = form(19, 21)
    given = batch(layer, 3, 2)
    for feature in range(19):
        x = given.x.clone()
        x[0, 1, feature] = number
        found = outcome(layer, Batch(x, given.state, given.dy, given.dnew), backward=False)
        expected = right(layer, Batch(x, given.state, given.dy, given.dnew), backward=False)
        assert found["y"].isnan().equal(expected["y"].isnan()), feature
    # A state is never infinite; an infinite one is NaN or not by how close to 0 a shut gate comes.
    for unit in range(given.state[0].shape[-1] if math.isnan(number) else 0):
        h = given.state[0].clone()
        h[0, 1, unit] = number
        with_h = Batch(given.x, (h, *given.state[1:]), given.dy, given.dnew)
        found, expected = (run(layer, with_h, backward=False) for run in (outcome, right))
        assert found["y"].isnan().equal(expected["y"].isnan()), unit


def test_relu_keeps_nan_as_pytorch_does(dtype: torch.dtype) -> None:
    layer: Any = nn.RNN(1, 1, nonlinearity="relu", bias=False, dtype=dtype)
    with torch.no_grad():
        layer.weight_ih_l0.fill_(1)
        layer.weight_hh_l0.fill_(0)
    x = torch.tensor([math.nan, -1.0, 0.0, 2.0, math.inf, -math.inf], dtype=dtype).view(1, -1, 1)
    y, _ = layer(x)
    torch.testing.assert_close(y, torch.relu(x), rtol=0, atol=0, equal_nan=True)
