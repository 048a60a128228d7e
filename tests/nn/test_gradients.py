"""First and second derivatives against finite differences, in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.func import functional_call

STEPS, ROWS, INPUTS, UNITS = 3, 3, 2, 3
LENGTHS = torch.tensor([2, 3, 0])
RESET = torch.tensor([[0, 1, 1], [0, 0, 1], [1, 0, 0]], dtype=torch.bool)

WHOLE: dict[str, Any] = {}
RAGGED = {"lengths": LENGTHS, "reset": RESET}


def checked(layer: Any, random_state: Any, given: dict[str, Any], **how: Any) -> None:
    """Check derivatives by input, initial state and every weight."""
    x = torch.randn(STEPS, ROWS, INPUTS, dtype=torch.float64)
    state = random_state(layer, ROWS)
    states = (state,) if isinstance(state, Tensor) else state
    weights = dict(layer.named_parameters())

    def run(x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        torch.manual_seed(0)  # the same dropout each time
        h, w = rest[: len(states)], dict(zip(weights, rest[len(states) :], strict=True))
        y, new = functional_call(layer, w, (x, h if len(h) > 1 else h[0]), given)
        return (y, *((new,) if isinstance(new, Tensor) else new))

    inputs = tuple(t.detach().requires_grad_() for t in (x, *states, *weights.values()))
    assert gradcheck(run, inputs, **how)
    assert gradgradcheck(run, inputs, **how)


@pytest.mark.parametrize(
    ("layers", "bidirectional", "given"),
    [
        pytest.param(1, False, WHOLE, id="1-forward-whole"),
        pytest.param(2, True, RAGGED, id="2-both_ways-ragged"),
        pytest.param(1, False, RAGGED, id="1-forward-ragged", marks=pytest.mark.slow),
        pytest.param(1, True, WHOLE, id="1-both_ways-whole", marks=pytest.mark.slow),
        pytest.param(1, True, RAGGED, id="1-both_ways-ragged", marks=pytest.mark.slow),
        pytest.param(2, False, WHOLE, id="2-forward-whole", marks=pytest.mark.slow),
        pytest.param(2, False, RAGGED, id="2-forward-ragged", marks=pytest.mark.slow),
        pytest.param(2, True, WHOLE, id="2-both_ways-whole", marks=pytest.mark.slow),
    ],
)
def test_derivatives(
    case: Any, layers: int, bidirectional: bool, given: dict[str, Any], random_state: Any
) -> None:
    layer = case(INPUTS, UNITS, num_layers=layers, bidirectional=bidirectional, dtype=torch.float64)
    checked(layer, random_state, given, fast_mode=True)


@pytest.mark.parametrize("given", [WHOLE, RAGGED], ids=["whole", "ragged"])
def test_derivatives_through_frozen_dropout(case: Any, given: dict[str, Any], random_state: Any) -> None:
    layer = case(INPUTS, UNITS, num_layers=2, dropout=0.4, dtype=torch.float64)
    checked(layer, random_state, given, fast_mode=True)


def test_derivatives_without_biases(case: Any, random_state: Any) -> None:
    checked(case(INPUTS, UNITS, bias=False, dtype=torch.float64), random_state, RAGGED, fast_mode=True)


@pytest.mark.slow
@pytest.mark.parametrize("given", [WHOLE, RAGGED], ids=["whole", "ragged"])
def test_every_single_derivative(case: Any, given: dict[str, Any], random_state: Any) -> None:
    layer = case(INPUTS, UNITS, bidirectional=True, dtype=torch.float64)
    checked(layer, random_state, given)
