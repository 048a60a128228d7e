"""The step of many streams: on every engine, with the weights of its making, and what it refuses."""

from __future__ import annotations

import copy
import math
import pickle
import re
from typing import Any

import pytest
import torch
from torch import Tensor

from recurra import nn
from recurra.engines import use_engine


def parts(state: Any) -> tuple[Tensor, ...]:
    return (state,) if isinstance(state, Tensor) else tuple(state)


def test_steps_of_the_layer(case: Any, dtype: torch.dtype, assert_close: Any, random_state: Any) -> None:
    """On every engine that runs the cell."""
    layer = case(5, 4, num_layers=2, dtype=dtype)
    x, state, order = torch.randn(6, 3, 5, dtype=dtype), random_state(layer, 3), torch.tensor([4, 0, 2])
    with torch.no_grad():
        y, new = layer(x, state)
    rows = layer.rows()
    slots = rows.fresh(5)
    for part, tensor in zip(layer.cell.states, parts(state), strict=True):
        for k in range(2):
            slots[f"{part}{k}"][order] = tensor[k]
    assert_close(torch.stack([rows(step, slots, order) for step in x]), y)
    for part, tensor in zip(layer.cell.states, parts(new), strict=True):
        assert_close(torch.stack([slots[f"{part}{k}"][order] for k in range(2)]), tensor)
        assert not any(slots[f"{part}{k}"][[1, 3]].any() for k in range(2))


def test_fresh_states_by_name(dtype: torch.dtype) -> None:
    rows = nn.LSTM(3, 5, 2, proj_size=4, dtype=dtype).rows()
    state = rows.fresh(7)
    sizes = {"h0": (7, 4), "h1": (7, 4), "c0": (7, 5), "c1": (7, 5)}
    assert {name: part.shape for name, part in state.items()} == sizes
    assert all(part.dtype is dtype and not part.any() for part in state.values())
    assert list(nn.GRU(3, 5).rows().fresh(0)) == ["h0"]


@pytest.mark.parametrize("engine", [None, "reference"])
def test_the_weights_are_those_of_its_making(engine: str | None) -> None:
    with use_engine(engine):
        layer, x, which = nn.GRU(3, 5), torch.randn(4, 3), torch.arange(4)
        rows, expected = layer.rows(), layer(x[None])[0][0].detach()
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.fill_(math.nan)
        y = rows(x.requires_grad_(), rows.fresh(4), which)
    assert y.equal(expected)
    assert not y.requires_grad


def test_nobody_goes_on() -> None:
    for engine in (None, "reference"):
        with use_engine(engine):
            rows = nn.LSTM(3, 5).rows()
            state = rows.fresh(2)
            y = rows(torch.zeros(0, 3), state, torch.zeros(0, dtype=torch.int64))
        assert y.shape == (0, 5)
        assert not any(part.any() for part in state.values())


@pytest.mark.parametrize("engine", [None, "reference"])
def test_slots_that_are_wrong(engine: str | None) -> None:
    with use_engine(engine):
        rows = nn.GRU(3, 5).rows()
    state, x = rows.fresh(4), torch.randn(3, 3)
    for which, words in [
        ([0, 4, 1], "Expected slots from 0 to 3, all different, got 4 in row 1. Name each stream once."),
        ([-1, 0, 1], "got -1 in row 0"),
        (
            [2, 0, 2],
            "Expected slots from 0 to 3, all different, got 2 again in row 2. Name each stream once.",
        ),
    ]:
        with pytest.raises(ValueError, match=re.escape(words)):
            rows(x, state, torch.tensor(which))
    assert not state["h0"].any()


def test_tensors_that_do_not_fit() -> None:
    rows = nn.LSTM(3, 5).rows()
    x, state, which = torch.randn(2, 3), rows.fresh(4), torch.tensor([0, 1])
    advice = "Begin with those of fresh()."
    for given, words in [
        (
            (x, state, which.int()),
            "Expected slots (B,) in torch.int64, got (2,) in torch.int32. Give a number for each row.",
        ),
        ((x, state, which[None]), "Expected slots (B,) in torch.int64, got (1, 2)"),
        (
            (x[:1], state, which),
            "Expected x of size (2, 3) in torch.float32, got (1, 3) in torch.float32. Give one step of each",
        ),
        ((x.double(), state, which), "got (2, 3) in torch.float64"),
        ((x[0], state, which), "got (3,) in torch.float32"),
        ((x, {}, which), f"Expected states h0, c0, got none. {advice}"),
        ((x, {"h0": state["h0"]}, which), f"Expected states h0, c0, got h0. {advice}"),
        (
            (x, {**state, "c0": torch.zeros(3, 5)}, which),
            "Expected c0 of size (4, 5) in torch.float32, a slot's values side by side, got (3, 5) in "
            f"torch.float32 with strides (5, 1). {advice}",
        ),
        ((x, {**state, "h0": torch.zeros(4, 5).double()}, which), "got (4, 5) in torch.float64"),
        ((x, {**state, "h0": torch.zeros(5, 4).T}, which), "got (4, 5) in torch.float32 with strides (1, 4)"),
        ((x, {**state, "h0": torch.zeros(5)}, which), "got (5,) in torch.float32 with strides (1,)"),
    ]:
        with pytest.raises(RuntimeError, match=re.escape(words)):
            rows(*given)


def test_what_has_none() -> None:
    with pytest.raises(ValueError, match=r"Expected a layer of one direction, got bidirectional=True, which"):
        nn.GRU(3, 4, bidirectional=True).rows()
    rows = nn.GRU(3, 4).rows()
    for duplicate in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(
            TypeError, match=r"Expected rows to stay where they were made, got a copy or pickle"
        ):
            duplicate(rows)
