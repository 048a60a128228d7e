"""The compiled step of one stream: the layer's bits, one step a call."""

from __future__ import annotations

import gc
import math
from typing import Any

import pytest
import torch
from forms import FORMS, Form, Outcome, batch, each_instruction_set, outcome, same_bits

from recurra import nn

SIZES = [(1, 2), (5, 19), (16, 32), (33, 17), (8, 64), (70, 130), (3, 260)]


def stream(layer: Any, given: Any, **options: Any) -> Outcome:
    """The whole of a batch of one through a stepper, from its initial state."""
    step = layer.stepper(**options)
    step.load(given.state if len(given.state) > 1 else given.state[0])
    ys = [step(x[0]).clone() for x in given.x]
    state = step.state if isinstance(step.state, tuple) else (step.state,)
    found = {"y": torch.stack(ys)[:, None]}
    return found | {f"{n}_n": s[:, None] for n, s in zip(layer.cell.states, state, strict=True)}


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize(("inputs", "units"), SIZES)
def test_the_bits_of_the_layer(form: Form, dtype: torch.dtype, inputs: int, units: int, layers: int) -> None:
    layer = form(inputs, units, num_layers=layers, dtype=dtype)
    given = batch(layer, 12, 1)
    same_bits(stream(layer, given), outcome(layer, given, backward=False))


@pytest.mark.parametrize("outputs", [1, 3, 16, 17, 39])
def test_projections(dtype: torch.dtype, outputs: int) -> None:
    for name in ("lstm_projected", "lstm_peephole_projected"):
        layer = FORMS[name](6, 40, num_layers=2, proj_size=outputs, bias=False, dtype=dtype)
        given = batch(layer, 12, 1)
        same_bits(stream(layer, given), outcome(layer, given, backward=False), name)


def test_no_bias_and_a_row_among_others(form: Form) -> None:
    layer = form(5, 19, num_layers=2, bias=False)
    given = batch(layer, 12, 7)
    expected = outcome(layer, given, backward=False)
    for row in range(7):
        one = {name: part[:, row : row + 1] for name, part in expected.items()}
        same_bits(stream(layer, given.rows([row])), one, row)


def test_every_instruction_set(form: Form, dtype: torch.dtype) -> None:
    layer = form(7, 37, num_layers=2, dtype=dtype)
    given = batch(layer, 12, 1)
    expected = outcome(layer, given, backward=False)
    for name in each_instruction_set():
        same_bits(stream(layer, given), expected, name)


def test_many_streams_in_turns(form: Form) -> None:
    """Steppers share nothing with one another, nor with the layer."""
    layer = form(5, 19, num_layers=2)
    given = batch(layer, 9, 4)
    steps = [layer.stepper() for _ in range(4)]
    ys = [torch.stack([step(given.x[t, k]).clone() for k, step in enumerate(steps)]) for t in range(9)]
    assert torch.stack(ys).equal(layer(given.x)[0].detach())
    for step in steps:
        step.reset()
    assert steps[1](given.x[0, 2]).equal(layer(given.x[:1, 2:3])[0][0, 0])


def test_the_weights_are_those_of_its_making(form: Form) -> None:
    layer = form(5, 19)
    given = batch(layer, 9, 1)
    step, expected = layer.stepper(), layer(given.x)[0].detach()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.fill_(math.nan)
    del layer
    gc.collect()
    assert torch.stack([step(x[0]).clone() for x in given.x])[:, None].equal(expected)


def test_it_goes_on_from_a_layers_state_and_back(form: Form) -> None:
    layer = form(5, 19, num_layers=2)
    given = batch(layer, 12, 1)
    whole = outcome(layer, given, backward=False)
    y, state = layer(given.x[:5], given.state if len(given.state) > 1 else given.state[0])
    step = layer.stepper()
    step.load(state)
    ys = [step(x[0]).clone() for x in given.x[5:8]]
    assert torch.stack(ys)[:, None].equal(whole["y"][5:8])
    state = step.state
    state = tuple(s[:, None] for s in state) if isinstance(state, tuple) else state[:, None]
    y, _ = layer(given.x[8:], state)
    assert y.equal(whole["y"][8:])


def test_its_tensors_outlive_it(form: Form) -> None:
    step = form(5, 19).stepper()
    x, h = step.x, step.h
    x.fill_(0.5)
    step.run()
    expected = h[0].clone()
    del step
    gc.collect()
    torch.full((4096,), math.nan)
    assert h[0].equal(expected)
    assert x.eq(0.5).all()


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_special_numbers(form: Form, number: float) -> None:
    layer = form(5, 19)
    given = batch(layer, 6, 1)
    given.x[2, 0, 1] = number
    same_bits(stream(layer, given), outcome(layer, given, backward=False))


def test_weights_in_bfloat16(form: Form) -> None:
    """Close to the exact ones after twenty steps, and exact with weights that bfloat16 holds."""
    layer = form(32, 64)
    if form.options.get("nonlinearity") != "relu":
        given = batch(layer, 20, 1)
        exact, narrow = stream(layer, given), stream(layer, given, weights="bfloat16")
        error = float((narrow["y"] - exact["y"]).abs().max())
        assert 0 < error <= (4e-3 if form.layer is nn.RNN else 2e-3)
    for parameter in layer.parameters():
        if parameter.dim() == 2:
            parameter.data = parameter.data.bfloat16().float()
    given = batch(layer, 20, 1)
    exact, narrow = stream(layer, given), stream(layer, given, weights="bfloat16")
    torch.testing.assert_close(narrow, exact, rtol=0, atol=2e-6)


def test_bfloat16_is_the_same_on_every_instruction_set(form: Form) -> None:
    layer = form(7, 37, num_layers=2)
    given = batch(layer, 12, 1)
    found = {name: stream(layer, given, weights="bfloat16") for name in each_instruction_set()}
    expected = found.pop("portable")
    for name, other in found.items():
        same_bits(other, expected, name)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="Expected a layer of one direction"):
        nn.GRU(3, 4, bidirectional=True).stepper()
    with pytest.raises(ValueError, match="Expected weights to be 'exact', or 'bfloat16'"):
        nn.GRU(3, 4, dtype=torch.float64).stepper("bfloat16")
    with pytest.raises(ValueError, match="got 'int8'"):
        nn.GRU(3, 4).stepper("int8")
    step = nn.LSTM(3, 4).stepper()
    for x in (torch.zeros(4), torch.zeros(1, 3), torch.zeros(())):
        with pytest.raises(RuntimeError, match=r"Expected x of size \(3,\)"):
            step(x)
    with pytest.raises(RuntimeError, match=r"Expected a state of size \(1, 4\)"):
        step.load((torch.zeros(1, 4), torch.zeros(2, 4)))
