"""Any call at all: never a crash, and PyTorch's own kind of error where PyTorch has one."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from forms import FORMS, MEMORY, batch, close, outcome, right
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from recurra import nn

DTYPES = [
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.bool,
    torch.complex64,
]


Said = tuple[type[BaseException] | None, Any]


def call(module: Any, x: Any, state: Any) -> Said:
    """What a call raises, or what it gives."""
    try:
        given = module(x, state)
        first = given[0] if isinstance(given, tuple) else given
        first.float().sum().backward()
        return None, given
    except Exception as error:
        return type(error), str(error)


def agree(ours: Said, theirs: Said) -> None:
    if ours[0] is RuntimeError and "must have the same dtype" in ours[1] and theirs[0] is None:
        return  # PyTorch's steps let a state of another precision pass
    assert ours[0] is theirs[0], f"{ours[1]} | {theirs[1]}"
    if ours[0] is None:
        torch.testing.assert_close(ours[1], theirs[1], rtol=1e-4, atol=1e-5)


def tensor(data: Any, *usual: int) -> torch.Tensor:
    """A tensor of the usual shape, or nearly, in the usual precision, or another, and of any strides."""
    shape = list(usual)
    for _ in range(data.draw(st.sampled_from([0, 0, 0, 0, 1, 2]))):
        change = data.draw(st.sampled_from(["size", "size", "drop", "add"]))
        if change == "add":
            shape.insert(data.draw(st.integers(0, len(shape))), data.draw(st.integers(0, 3)))
        elif shape:
            at = data.draw(st.integers(0, len(shape) - 1))
            shape[at : at + 1] = [] if change == "drop" else [data.draw(st.integers(0, 7))]
    dtype = data.draw(st.sampled_from([torch.float32] * 6 + DTYPES))
    # Small numbers, which no precision rounds away.
    made = torch.randint(-1, 2, [2 * n for n in shape]).to(dtype)
    made = made[tuple(slice(None, None, 2) for _ in shape)]
    return made if data.draw(st.booleans()) else made.contiguous()


@examples(st.data())
@settings(max_examples=400, deadline=None)
def test_calls_that_pytorch_knows(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["RNN", "GRU", "LSTM"]))
    options: dict[str, Any] = {
        "num_layers": data.draw(st.integers(1, 2)),
        "bidirectional": data.draw(st.booleans()),
        "batch_first": data.draw(st.booleans()),
    }
    if name == "LSTM" and data.draw(st.booleans()):
        options["proj_size"] = 2
    ours, theirs = getattr(nn, name)(3, 4, **options), getattr(torch.nn, name)(3, 4, **options)
    theirs.load_state_dict(ours.state_dict())
    levels = options["num_layers"] * (2 if options["bidirectional"] else 1)
    x, state = tensor(data, 5, 2, 3), None
    if data.draw(st.booleans()):
        rows = x.shape[0 if options["batch_first"] else 1] if x.dim() == 3 else 2
        shape = (levels, rows) if x.dim() == 3 else (levels,)
        state = tensor(data, *shape, options.get("proj_size", 4))
        if name == "LSTM" and data.draw(st.sampled_from([True, True, True, False])):
            state = (state, tensor(data, *shape, 4))
    agree(call(ours, x, state), call(theirs, x, state))


@examples(st.data())
@settings(max_examples=200, deadline=None)
def test_cells_that_pytorch_knows(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["RNNCell", "GRUCell", "LSTMCell"]))
    ours, theirs = getattr(nn, name)(3, 4), getattr(torch.nn, name)(3, 4)
    theirs.load_state_dict(ours.state_dict())
    x = tensor(data, 2, 3)
    state: Any = None
    if data.draw(st.booleans()):
        state = tensor(data, *x.shape[:-1], 4)
        state = (state, tensor(data, *x.shape[:-1], 4)) if name == "LSTMCell" else state
    agree(call(ours, x, state), call(theirs, x, state))


@examples(st.data())
@settings(max_examples=200, deadline=None)
def test_lengths_from_below_zero_to_twice_the_steps(data: st.DataObject) -> None:
    torch.manual_seed(data.draw(st.integers(0, 1000)))
    form = FORMS[data.draw(st.sampled_from(list(FORMS)))]
    steps, rows = data.draw(st.integers(1, 9)), data.draw(st.integers(0, 9))
    layer = form(3, 5, bidirectional=data.draw(st.booleans()), memory=data.draw(st.sampled_from(MEMORY)))
    low, high = data.draw(st.sampled_from([(0, steps), (0, steps), (-1, 2 * steps)]))
    lengths = data.draw(st.lists(st.integers(low, high), min_size=rows, max_size=rows))
    told: dict[str, Any] = {"lengths": torch.tensor(lengths, dtype=torch.int64)}
    if data.draw(st.booleans()):
        told["reset"] = torch.rand(rows, steps) < 0.3
    given = batch(layer, steps, rows)
    wrong = [n for n in lengths if not 0 <= n <= steps]
    if not wrong:
        close(outcome(layer, given, **told), right(layer, given, **told))
        return
    with pytest.raises(ValueError, match=rf"Expected lengths from 0 to {steps}, .* got {wrong[0]} in row"):
        outcome(layer, given, **told)


@examples(st.data())
@settings(max_examples=150, deadline=None)
def test_lengths_and_resets_of_any_kind(data: st.DataObject) -> None:
    layer, x = nn.GRU(3, 5), torch.randn(4, 2, 3)
    told: dict[str, Any] = {}
    if data.draw(st.booleans()):
        told["lengths"] = tensor(data, 2) if data.draw(st.booleans()) else data.draw(
            st.one_of(st.none(), st.text(max_size=3), st.floats(), st.lists(st.integers(), max_size=3))
        )  # fmt: skip
    if data.draw(st.booleans()):
        told["reset"] = tensor(data, 2, 4) if data.draw(st.booleans()) else data.draw(
            st.one_of(st.none(), st.booleans(), st.lists(st.lists(st.booleans()), max_size=2))
        )  # fmt: skip
    try:
        y, _ = layer(x, **told)
    except (TypeError, ValueError, RuntimeError):
        return
    assert y.isfinite().all()


@examples(st.data())
@settings(max_examples=150, deadline=None)
def test_any_numbers(data: st.DataObject) -> None:
    """NaN, infinities and the largest numbers anywhere, in weights too: something comes out."""
    torch.manual_seed(data.draw(st.integers(0, 1000)))
    form = FORMS[data.draw(st.sampled_from(list(FORMS)))]
    dtype = data.draw(st.sampled_from([torch.float32, torch.float64]))
    layer = form(3, data.draw(st.integers(2, 20)), memory=data.draw(st.sampled_from(MEMORY)), dtype=dtype)
    largest = torch.finfo(dtype).max
    numbers = torch.tensor([math.nan, math.inf, -math.inf, largest, -largest, 5e-324, -0.0, 0.0], dtype=dtype)
    share = data.draw(st.sampled_from([0.01, 0.3, 1.0]))

    def strewn(values: torch.Tensor) -> torch.Tensor:
        which = torch.randint(len(numbers), values.shape)
        return torch.where(torch.rand(values.shape) < share, numbers[which], values)

    if data.draw(st.booleans()):
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.copy_(strewn(parameter))
    given = batch(layer, data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))).map(strewn)
    found = outcome(layer, given)
    assert found["y"].shape == given.dy.shape
    if form.layer is nn.LSTM and not form.projected:
        assert not (found["y"].abs() > 1).any()
