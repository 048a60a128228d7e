"""One stream through a layer, a compiled step a call."""

from __future__ import annotations

import copy
import gc
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor

from recurra import nn
from recurra.errors import EngineError

STEPS, INPUTS, UNITS = 9, 5, 24
OPTIONS: list[tuple[Any, dict[str, Any]]] = [
    (nn.RNN, {"nonlinearity": "tanh"}),
    (nn.RNN, {"nonlinearity": "relu"}),
    (nn.GRU, {}),
    (nn.GRU, {"reset_after": False, "bias": False}),
    (nn.LSTM, {}),
    (nn.LSTM, {"proj_size": 7, "peephole": True}),
]


@pytest.fixture(params=OPTIONS, ids=lambda option: f"{option[0].__name__}{option[1]}")
def layer(request: pytest.FixtureRequest, dtype: torch.dtype) -> Any:
    kind, options = request.param
    return kind(INPUTS, UNITS, num_layers=2, dtype=dtype, **options)


def parts(state: Any) -> tuple[Tensor, ...]:
    return (state,) if isinstance(state, Tensor) else tuple(state)


def test_its_bits_are_the_layers(layer: Any, dtype: torch.dtype, random_state: Any) -> None:
    x = torch.randn(STEPS, INPUTS, dtype=dtype)
    state = random_state(layer, 1)
    y, new = layer(x[:, None], state)
    step = layer.stepper()
    step.load(state)
    for t in range(STEPS):
        assert step(x[t]).equal(y[t, 0])
    assert all(a.equal(b[:, 0]) for a, b in zip(parts(step.state), parts(new), strict=True))

    step.reset()
    assert not any(part.any() for part in parts(step.state))
    assert step(x[0]).equal(layer(x[:1])[0][0])


def test_it_is_filled_and_read_in_place(layer: Any, dtype: torch.dtype) -> None:
    x, step = torch.randn(STEPS, INPUTS, dtype=dtype), layer.stepper()
    y, _ = layer(x)
    for t in range(STEPS):
        step.x.copy_(x[t])
        step.run()
    assert step.y.equal(y[-1])
    assert step.y.data_ptr() == step.h[-1].data_ptr()
    assert len(step.h) == 2
    assert len(step.c) == (2 if isinstance(layer, nn.LSTM) else 0)
    step.x.numpy()[:] = 0
    step.h[0].zero_()
    step.run()
    assert step.y.isfinite().all()


def test_a_state_goes_from_layer_to_stepper_and_back(layer: Any, dtype: torch.dtype) -> None:
    x, step = torch.randn(STEPS, INPUTS, dtype=dtype), layer.stepper()
    y, _ = layer(x)
    _, state = layer(x[:4])
    step.load(state)
    for t in range(4, 7):
        step(x[t])
    assert layer(x[7:], step.state)[0].equal(y[7:])
    kept = step.state
    step(x[0])
    assert not all(a.equal(b) for a, b in zip(parts(kept), parts(step.state), strict=True))


def test_the_weights_are_those_of_the_moment() -> None:
    layer, x = nn.GRU(INPUTS, UNITS), torch.randn(INPUTS)
    step, expected = layer.stepper(), layer(x[None])[0][0]
    with torch.no_grad():
        layer.weight_hh_l0.zero_()
        layer.weight_ih_l0.zero_()
    assert step(x).equal(expected)
    assert layer.stepper()(x).equal(layer(x[None])[0][0])


def test_its_tensors_keep_it_alive() -> None:
    layer, x = nn.LSTM(INPUTS, UNITS), torch.randn(INPUTS)
    step = layer.stepper()
    y = step(x).clone()
    bound = step.y
    del step
    gc.collect()
    torch.full((10_000,), 3.0)
    assert bound.equal(y)


def test_gradients_and_modes_stay_out() -> None:
    layer = nn.GRU(INPUTS, UNITS)
    x = torch.randn(INPUTS, requires_grad=True)
    with torch.inference_mode():
        step = layer.stepper()
    assert not step(x).requires_grad
    with torch.inference_mode():
        step(x)
    step.load(layer(x[None])[1])
    assert not step.state.requires_grad


@pytest.mark.parametrize(("kind", "most"), [(nn.RNN, 6e-3), (nn.GRU, 4e-3), (nn.LSTM, 3e-3)])
@pytest.mark.parametrize("units", [32, 128])
def test_narrow_weights_err_by_what_is_stated(kind: Any, most: float, units: int) -> None:
    layer = kind(units, units)
    exact, narrow = layer.stepper(), layer.stepper(weights="bfloat16")
    errors = [float((narrow(x) - exact(x)).abs().max()) for x in torch.randn(100, units)]
    assert 0 < max(errors) < most


def test_what_cannot_be_stepped() -> None:
    with pytest.raises(ValueError, match=r"Expected a layer of one direction, got bidirectional=True, which"):
        nn.GRU(3, 4, bidirectional=True).stepper()
    with pytest.raises(
        ValueError,
        match=r"Expected weights to be 'exact', or 'bfloat16' for a layer in float32, got 'int8' for "
        r"torch\.float32\. Leave them exact\.",
    ):
        nn.GRU(3, 4).stepper(weights="int8")
    with pytest.raises(ValueError, match=r"got 'bfloat16' for torch\.float64"):
        nn.GRU(3, 4).double().stepper(weights="bfloat16")
    with pytest.raises(
        EngineError,
        match=r"Expected a layer that the compiled core can run, got GRU\(reset_after=True\): the compiled "
        r"core computes in float32 and float64, not in float16\. Call the layer itself, a step at a time\.",
    ):
        nn.GRU(3, 4).half().stepper()
    step = nn.GRU(3, 4).stepper()
    for duplicate in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(
            TypeError, match=r"Expected a stepper to stay where it was made, got a copy or pickle"
        ):
            duplicate(step)
    with pytest.raises(RuntimeError, match=r"Expected x of size \(3,\), got \(1,\)\. Give one step\."):
        step(torch.zeros(1))
    with pytest.raises(
        RuntimeError, match=r"Expected a state of size \(1, 4\), got \(2, 4\)\. Give the state"
    ):
        step.load(torch.zeros(2, 4))
