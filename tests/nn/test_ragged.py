"""`lengths` and `reset`, as a user meets them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from recurra import nn
from recurra.engines import ENGINES, use_engine

LENGTHS = torch.tensor([3, 7, 1, 5])


@pytest.fixture(params=[engine.NAME for engine in ENGINES], autouse=True)
def _engine(request: pytest.FixtureRequest) -> Any:
    with use_engine(request.param):
        yield


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_lengths_do_what_packing_does_in_pytorch(
    name: str, batch_first: bool, dtype: Any, assert_close: Any
) -> None:
    options = {"num_layers": 2, "bidirectional": True, "batch_first": batch_first, "dtype": dtype}
    ours, theirs = getattr(nn, name)(3, 4, **options), getattr(torch.nn, name)(3, 4, **options)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(4, 7, 3, dtype=dtype)
    x = x if batch_first else x.transpose(0, 1)
    h = torch.randn(4, 4, 4, dtype=dtype)
    state = (h, torch.randn(4, 4, 4, dtype=dtype)) if name == "LSTM" else h
    packed = pack_padded_sequence(x, LENGTHS, batch_first, enforce_sorted=False)
    y, new = theirs(packed, state)

    assert_close(ours(x, state, lengths=LENGTHS), (pad_packed_sequence(y, batch_first)[0], new))
    y_packed, new_packed = ours(packed, state)
    assert_close((y_packed.data, new_packed), (y.data, new))
    assert y_packed.batch_sizes.equal(y.batch_sizes)
    assert y_packed.unsorted_indices.equal(y.unsorted_indices)


def test_a_packed_sequence_may_be_reset(assert_close: Any) -> None:
    layer, x = nn.GRU(3, 4, bidirectional=True), torch.randn(7, 4, 3)
    reset = torch.rand(4, 7) < 0.4
    packed, new = layer(pack_padded_sequence(x, LENGTHS, enforce_sorted=False), reset=reset)
    assert_close((pad_packed_sequence(packed)[0], new), layer(x, lengths=LENGTHS, reset=reset))


def test_packed_documents_are_as_if_each_were_alone(assert_close: Any) -> None:
    layer = nn.LSTM(3, 4, num_layers=2, bidirectional=True)
    first, second = torch.randn(3, 1, 3), torch.randn(4, 1, 3)
    reset = torch.zeros(1, 7, dtype=torch.bool)
    reset[0, 3] = True
    y, _ = layer(torch.cat([first, second]), reset=reset)
    assert_close(y, torch.cat([layer(first)[0], layer(second)[0]]))


def test_a_reset_at_the_first_step_drops_the_given_state(assert_close: Any) -> None:
    layer, x = nn.GRU(3, 4), torch.randn(7, 2, 3)
    reset = torch.zeros(2, 7, dtype=torch.bool)
    reset[1, 0] = True
    state = torch.randn(1, 2, 4)
    kept = state.clone()
    kept[:, 1] = 0
    assert_close(layer(x, state, reset=reset), layer(x, kept))


def test_an_empty_row_keeps_its_state() -> None:
    layer, state = nn.GRU(3, 4), torch.randn(1, 2, 4)
    y, new = layer(torch.randn(7, 2, 3), state, lengths=[0, 7])
    assert not y[:, 0].any()
    assert new[:, 0].equal(state[:, 0])


def test_without_a_batch(assert_close: Any) -> None:
    layer, x = nn.LSTM(3, 4, batch_first=True), torch.randn(7, 3)
    reset = torch.arange(7) == 2
    y, (h, c) = layer(x, lengths=5, reset=reset)
    y_batch, (h_batch, c_batch) = layer(x[None], lengths=[5], reset=reset[None])
    assert y.shape == (7, 4)
    assert h.shape == c.shape == (1, 4)
    assert_close((y, h, c), (y_batch[0], h_batch[:, 0], c_batch[:, 0]))


@pytest.mark.parametrize(
    "lengths", [[3, 7, 1, 5], (3, 7, 1, 5), np.array([3, 7, 1, 5]), LENGTHS.int(), LENGTHS.short()]
)
def test_lengths_of_many_kinds(lengths: Any, assert_close: Any) -> None:
    layer, x = nn.GRU(3, 4), torch.randn(7, 4, 3)
    assert_close(layer(x, lengths=lengths), layer(x, lengths=LENGTHS))


def test_gradients_stop_at_the_padding_and_at_resets() -> None:
    layer, x = nn.GRU(3, 4), torch.randn(7, 2, 3, requires_grad=True)
    reset = torch.zeros(2, 7, dtype=torch.bool)
    reset[1, 4] = True
    y, _ = layer(x, lengths=[3, 7], reset=reset)
    (seen,) = torch.autograd.grad(y[-1].sum() + y[2, 0].sum(), x)
    live = seen.abs().sum(-1) > 0
    assert live[:, 0].tolist() == [True] * 3 + [False] * 4
    assert live[:, 1].tolist() == [False] * 4 + [True] * 3


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    (
        {"lengths": torch.tensor([1.0, 2.0])},
        TypeError,
        "lengths should be integers, got torch.float32. Convert them: lengths.long().",
    ),
    (
        {"lengths": [1, 2, 3]},
        RuntimeError,
        "Expected lengths of size (2,), one for each row, got (3,). Give the number of steps in each row.",
    ),
    (
        {"lengths": [3, 8]},
        ValueError,
        "Expected lengths from 0 to 7, the input's number of steps, got 8 in row 1. "
        "Cut the length or pad the input.",
    ),
    (
        {"lengths": [-1, 2]},
        ValueError,
        "Expected lengths from 0 to 7, the input's number of steps, got -1 in row 0. "
        "Cut the length or pad the input.",
    ),
    (
        {"reset": torch.zeros(2, 7)},
        TypeError,
        "reset should be of type bool, got torch.float32. Convert it: reset.bool().",
    ),
    (
        {"reset": torch.zeros(7, 2, dtype=torch.bool)},
        RuntimeError,
        "Expected reset of size (2, 7), rows before steps whatever batch_first is, got (7, 2). "
        "Give one truth value for each row and step.",
    ),
]


@pytest.mark.parametrize(("given", "kind", "text"), WRONG)
def test_wrong_lengths_and_resets(given: dict[str, Any], kind: type[Exception], text: str) -> None:
    for layer, x in (
        (nn.GRU(3, 4), torch.randn(7, 2, 3)),
        (nn.RNN(3, 4, batch_first=True), torch.randn(2, 7, 3)),
    ):
        with pytest.raises(kind) as error:
            layer(x, **given)
        assert str(error.value) == text


def test_wrong_lengths_without_a_batch() -> None:
    with pytest.raises(RuntimeError, match=r"Expected lengths of size \(\), .* got \(1,\)\."):
        nn.GRU(3, 4)(torch.randn(7, 3), lengths=[7])
    with pytest.raises(RuntimeError, match=r"Expected reset of size \(7,\), .* got \(1, 7\)\."):
        nn.GRU(3, 4)(torch.randn(7, 3), reset=torch.zeros(1, 7, dtype=torch.bool))


def test_a_packed_sequence_has_its_own_lengths() -> None:
    packed = pack_padded_sequence(torch.randn(7, 2, 3), torch.tensor([7, 3]))
    text = "Expected one kind of lengths, got lengths and a PackedSequence. Give one of them."
    with pytest.raises(ValueError, match=text):
        nn.GRU(3, 4)(packed, lengths=[7, 3])


def test_no_steps_at_all() -> None:
    x: Tensor = torch.randn(0, 2, 3)
    with pytest.raises(RuntimeError, match="Expected sequence length to be larger than 0 in RNN"):
        nn.GRU(3, 4)(x)
