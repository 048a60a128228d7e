"""How far float32 lies from float64: within bounds of its own, and no further than PyTorch's."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from forms import Form, batch, outcome, right

from recurra import nn

EPS = 2.0**-23

# The largest error of an output, in eps. LSTM's h is damped twice, GRU's is a mean, RNN's comes as it is: at
# (128, 32, 32, 64) it is 4.1 at most, PyTorch's 3.8.
BOUNDS = {nn.LSTM: 1.5, nn.GRU: 2.5, nn.RNN: 4.5}


def error(layer: Any, given: Any) -> float:
    expected = right(layer, given)["y"]
    return float((outcome(layer, given, backward=False)["y"].double() - expected).abs().max()) / EPS


@pytest.mark.parametrize("shape", [(128, 32, 32, 64), (300, 4, 16, 64), (60, 16, 8, 32), (100, 20, 40, 48)])
def test_outputs(form: Form, shape: tuple[int, int, int, int]) -> None:
    steps, rows, inputs, units = shape
    for seed in range(2):
        torch.manual_seed(seed)
        layer = form(inputs, units)
        if form.options.get("nonlinearity") == "relu":
            continue  # its outputs have no bound that an error could be measured by
        given = batch(layer, steps, rows, seed)
        # From zeros, as layers mostly begin: a large state would count its eps from its own size.
        given = replace(given, state=tuple(torch.zeros_like(state) for state in given.state))
        assert error(layer, given) <= BOUNDS[form.layer]


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("shape", [(64, 16, 128, 128), (32, 8, 256, 256), (30, 8, 64, 512)])
def test_no_more_than_twice_pytorchs_with_longer_sums(name: str, shape: tuple[int, int, int, int]) -> None:
    steps, rows, inputs, units = shape
    layer = getattr(nn, name)(inputs, units)
    given = batch(layer, steps, rows)
    theirs = getattr(torch.nn, name)(inputs, units)
    theirs.load_state_dict(layer.state_dict())
    y, _ = theirs(given.x, given.state if len(given.state) > 1 else given.state[0])
    expected = right(layer, given)["y"]
    pytorchs = float((y.detach().double() - expected).abs().max()) / EPS
    assert error(layer, given) <= 2 * pytorchs


@pytest.mark.parametrize("shape", [(20, 5, 8, 16), (100, 16, 32, 64), (512, 64, 8, 16)])
def test_gradients(form: Form, shape: tuple[int, int, int, int]) -> None:
    """A sum over all steps of all rows errs as a random walk does, a part of an eps at each."""
    steps, rows, inputs, units = shape
    if form.options.get("nonlinearity") == "relu":
        return
    layer = form(inputs, units)
    given = batch(layer, steps, rows)
    found, expected = outcome(layer, given), right(layer, given)
    for name, part in expected.items():
        if name.endswith(".grad"):
            error = float((found[name].double() - part).norm() / part.norm()) / EPS
            assert error <= 5 + 0.3 * math.sqrt(steps * rows), name


# ---- the activations alone ----


def points(dtype: torch.dtype) -> torch.Tensor:
    """Numbers of every size, the densest where tanh bends, and both its ends."""
    limits = torch.finfo(dtype)
    wide = torch.linspace(-12, 12, 40_001, dtype=torch.float64)
    tiny = torch.logspace(math.log10(limits.smallest_normal), 0, 4_000, dtype=torch.float64)
    ends = torch.tensor([0.0, 20, 40, 100, 710, 1e4, limits.max / 2, math.inf], dtype=torch.float64)
    return torch.cat([wide, tiny, -tiny, ends, -ends]).to(dtype)


def tanh(x: torch.Tensor) -> torch.Tensor:
    """The core's tanh, as the step of an RNN that has one unit and no memory."""
    layer = nn.RNN(1, 1, bias=False, dtype=x.dtype)
    with torch.no_grad():
        layer.weight_ih_l0.fill_(1)
        layer.weight_hh_l0.fill_(0)
        y: torch.Tensor = layer(x.view(1, -1, 1))[0]
    return y.flatten()


def sigmoid(x: torch.Tensor) -> torch.Tensor:
    """The core's logistic function, as the share of the old state, 1, that a GRU keeps of it."""
    layer = nn.GRU(1, 1, bias=False, dtype=x.dtype)
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.tensor([[0.0], [1.0], [0.0]]))
        layer.weight_hh_l0.fill_(0)
        y: torch.Tensor = layer(x.view(1, -1, 1), torch.ones(1, len(x), 1, dtype=x.dtype))[0]
    return y.flatten()


def test_tanh(dtype: torch.dtype) -> None:
    # inf times a weight of zero is NaN in the other products, here as in PyTorch.
    x = points(dtype)
    x = x[x.isfinite()]
    y, eps = tanh(x), torch.finfo(dtype).eps
    expected = np.tanh(x.numpy().astype(np.longdouble))
    wrong = np.abs(y.numpy().astype(np.longdouble) - expected)
    assert float((wrong / eps).max()) <= 2
    assert (
        float((wrong / np.maximum(np.abs(expected), np.finfo(np.float64).tiny) / eps)[expected != 0].max())
        <= 4
    )
    assert y.abs().max() <= 1
    assert not y[x == 0].any()


def test_sigmoid(dtype: torch.dtype) -> None:
    x = points(dtype)
    x = x[x.isfinite()]
    y, eps = sigmoid(x), torch.finfo(dtype).eps
    with np.errstate(over="ignore"):
        expected = 1 / (1 + np.exp(-x.numpy().astype(np.longdouble)))
    assert float((np.abs(y.numpy().astype(np.longdouble) - expected) / eps).max()) <= 2
    assert y.min() >= 0
    assert y.max() <= 1


def test_tanh_never_turns_back(dtype: torch.dtype) -> None:
    """A larger number never gives a smaller tanh, but for the last digit or two."""
    x = torch.linspace(0, 12, 200_001, dtype=dtype)
    assert tanh(x).diff().min() >= -2 * torch.finfo(dtype).eps


def test_errors_do_not_grow_with_time() -> None:
    layer = nn.GRU(8, 32)
    given = batch(layer, 4000, 2)
    expected = right(deepcopy(layer), given)["y"]
    wrong = (outcome(layer, given, backward=False)["y"].double() - expected).abs().amax((1, 2)) / EPS
    assert float(wrong[-500:].max()) <= 2 * float(wrong[:500].max())
