"""What is kept for the backward pass changes neither results nor gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from forms import FORMS, MEMORY, Form, batch, only, outcome, same_bits, threads
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st


def in_each_mode(form: Form, *sizes: int, **options: Any) -> list[Any]:
    """The same layer in every memory mode."""
    layers = [form(*sizes, memory=memory, **options) for memory in MEMORY]
    for layer in layers[1:]:
        layer.load_state_dict(layers[0].state_dict())
    return layers


def agree(layers: list[Any], steps: int, rows: int, **told: Any) -> None:
    given = batch(layers[0], steps, rows)
    outcomes = []
    for layer in layers:
        torch.manual_seed(7)  # the same dropout in each
        outcomes.append(outcome(layer, given, **told))
    for memory, found in zip(MEMORY[1:], outcomes[1:], strict=True):
        same_bits(found, outcomes[0], memory)


@pytest.mark.parametrize("rows", [1, 3, 34])
@pytest.mark.parametrize("steps", [1, 2, 3, 5, 17, 100])
def test_one_layer(form: Form, dtype: torch.dtype, steps: int, rows: int) -> None:
    agree(in_each_mode(form, 5, 19, dtype=dtype), steps, rows)


@pytest.mark.parametrize(("inputs", "units"), [(1, 2), (16, 16), (40, 64), (70, 33)])
def test_sizes(form: Form, dtype: torch.dtype, inputs: int, units: int) -> None:
    agree(in_each_mode(form, inputs, units, dtype=dtype), 30, 9)


@pytest.mark.parametrize("rows", [1, 5])
def test_long_rows(form: Form, dtype: torch.dtype, rows: int) -> None:
    agree(in_each_mode(form, 4, 10, dtype=dtype), 1030, rows)


@pytest.mark.parametrize("ragged", ["lengths", "reset", "both"])
def test_ragged_rows(form: Form, dtype: torch.dtype, ragged: str) -> None:
    layers = in_each_mode(form, 5, 19, num_layers=2, bidirectional=True, dtype=dtype)
    told = {"lengths": torch.tensor([50, 0, 1, 49, 25, 7]), "reset": torch.rand(6, 50) < 0.1}
    told = told if ragged == "both" else {ragged: told[ragged]}
    agree(layers, 50, 6, **told)


def test_dropout_and_no_bias(form: Form, dtype: torch.dtype) -> None:
    agree(in_each_mode(form, 5, 19, num_layers=3, dropout=0.5, bias=False, dtype=dtype), 20, 6)


@examples(st.data())
@settings(max_examples=60, deadline=None)
def test_any_shape(data: st.DataObject) -> None:
    form = FORMS[data.draw(st.sampled_from(list(FORMS)))]
    steps, rows = data.draw(st.integers(1, 80)), data.draw(st.integers(1, 20))
    torch.manual_seed(data.draw(st.integers(0, 1000)))
    told = {}
    if data.draw(st.booleans()):
        told["lengths"] = torch.randint(0, steps + 1, (rows,))
    if data.draw(st.booleans()):
        told["reset"] = torch.rand(rows, steps) < 0.2
    sizes = data.draw(st.integers(1, 40)), data.draw(st.integers(2, 40))
    options = {"bidirectional": data.draw(st.booleans()), "num_layers": data.draw(st.integers(1, 2))}
    with threads(data.draw(st.integers(1, 3))):
        agree(in_each_mode(form, *sizes, **options), steps, rows, **told)


@pytest.mark.parametrize("memory", MEMORY)
def test_without_a_backward_to_come(form: Form, dtype: torch.dtype, memory: str) -> None:
    """Nothing is kept then, and the results are the same."""
    layer = form(5, 19, num_layers=2, bidirectional=True, memory=memory, dtype=dtype)
    given = batch(layer, 40, 7)
    told = {"lengths": torch.randint(0, 41, (7,)), "reset": torch.rand(7, 40) < 0.1}
    for ragged in ({}, told):
        expected = outcome(layer, given, **ragged)
        for quiet in (torch.no_grad, torch.inference_mode):
            with quiet():
                found = outcome(layer, given, backward=False, **ragged)
            same_bits(found, only(expected, found))


@pytest.mark.parametrize("memory", MEMORY)
def test_a_second_backward_over_the_same_graph(form: Form, dtype: torch.dtype, memory: str) -> None:
    layer = form(5, 19, num_layers=2, memory=memory, dtype=dtype)
    given = batch(layer, 33, 6)
    x = given.x.requires_grad_()
    y, _ = layer(x)
    leaves = [x, *layer.parameters()]

    def gradients() -> dict[str, torch.Tensor]:
        grads = torch.autograd.grad(y, leaves, given.dy, retain_graph=True)
        return {str(k): g for k, g in enumerate(grads)}

    first = gradients()
    outcome(form(5, 19, num_layers=2, memory=memory, dtype=dtype), given)  # takes what memory is free
    for again in range(3):
        same_bits(gradients(), first, again)


@pytest.mark.parametrize("memory", MEMORY)
def test_a_graph_let_go_says_so(form: Form, memory: str) -> None:
    layer = form(5, 19, memory=memory)
    y, _ = layer(torch.randn(4, 2, 5))
    y.sum().backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        y.sum().backward()
