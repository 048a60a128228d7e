"""The product with weights: a row's bits are its own, and those of the sums inside a layer."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from forms import bits, each_instruction_set, threads
from torch import Tensor

from recurra import nn
from recurra.nn import linear

# (N, I, O): edges of tiles, panels and pieces; few rows and many; and sizes that nothing is in.
SIZES = [
    (1, 1, 1),
    (1, 70, 17),
    (3, 64, 16),
    (5, 129, 100),
    (16, 31, 7),
    (33, 200, 50),
    (300, 40, 130),
    (70, 1100, 20),
    (9, 3, 700),
]
NOTHING = [(0, 3, 4), (3, 0, 4), (3, 4, 0)]


@pytest.fixture(autouse=True)
def _without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def product(size: tuple[int, int, int], dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    rows, inputs, outputs = size
    return (
        torch.randn(rows, inputs, dtype=dtype),
        torch.randn(outputs, inputs, dtype=dtype),
        torch.randn(outputs, dtype=dtype),
    )


def same(actual: Tensor, expected: Tensor) -> None:
    assert actual.shape == expected.shape
    assert actual.dtype is expected.dtype
    assert bits(actual).equal(bits(expected))


@pytest.mark.parametrize("size", SIZES + NOTHING, ids=str)
def test_it_is_right(size: tuple[int, int, int], dtype: torch.dtype) -> None:
    x, weight, bias = product(size, dtype)
    for given in (bias, None):
        expected = F.linear(x.double(), weight.double(), None if given is None else given.double())
        found = linear(x, weight, given)
        assert found.shape == expected.shape
        assert found.dtype is dtype
        # The error of a chain of I sums, each about as large as the root of I.
        bound = 4 * torch.finfo(dtype).eps * max(1, size[1])
        torch.testing.assert_close(found.double(), expected, rtol=0, atol=bound)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_each_output_is_one_chain(size: tuple[int, int, int], dtype: torch.dtype) -> None:
    """The same as in a layer's sums over x: a relu layer without recurrence is a product."""
    _, inputs, outputs = size
    x, weight, bias = product(size, dtype)
    layer = nn.RNN(inputs, outputs, nonlinearity="relu", dtype=dtype)
    layer.weight_ih_l0.copy_(weight)
    layer.bias_ih_l0.copy_(bias)
    for part in (layer.weight_hh_l0, layer.bias_hh_l0):
        part.zero_()
    assert linear(x, weight, bias).clamp(min=0).equal(layer(x[None])[0][0])


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_row_alone_and_among_others(size: tuple[int, int, int], dtype: torch.dtype) -> None:
    x, weight, bias = product(size, dtype)
    whole = linear(x, weight, bias)
    for row in range(0, len(x), 7):
        same(linear(x[row], weight, bias), whole[row])
    order = torch.randperm(len(x))
    same(linear(x[order], weight, bias), whole[order])
    for count in (2, 8, 15, 64, 257):
        many = x[:1].expand(count, -1)
        same(linear(many, weight, bias), whole[:1].expand(count, -1))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_an_output_alone_and_among_others(size: tuple[int, int, int], dtype: torch.dtype) -> None:
    x, weight, bias = product(size, dtype)
    whole = linear(x, weight, bias)
    for begin in range(0, len(weight), 11):
        same(linear(x, weight[begin : begin + 5], bias[begin : begin + 5]), whole[:, begin : begin + 5])


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_threads(size: tuple[int, int, int], dtype: torch.dtype) -> None:
    x, weight, bias = product(size, dtype)
    expected = linear(x, weight, bias)
    for count in (1, 2, 3, 4, 6):
        with threads(count):
            same(linear(x, weight, bias), expected)


def test_threads_at_large_products(dtype: torch.dtype) -> None:
    for size in ((2000, 80, 70), (3, 900, 1500), (130, 300, 310)):
        x, weight, bias = product(size, dtype)
        with threads(1):
            expected = linear(x, weight, bias)
        for count in (2, 3, 4, 6):
            with threads(count):
                same(linear(x, weight, bias), expected)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_instruction_set(size: tuple[int, int, int], dtype: torch.dtype) -> None:
    x, weight, bias = product(size, dtype)
    expected = linear(x, weight, bias)
    for _ in each_instruction_set():
        same(linear(x, weight, bias), expected)


@pytest.mark.parametrize("size", [(1, 70, 17), (33, 200, 50), (300, 40, 130), (4, 1, 3)], ids=str)
def test_memory_of_any_layout(size: tuple[int, int, int], dtype: torch.dtype) -> None:
    rows, inputs, outputs = size
    x, weight, bias = product(size, dtype)
    expected = linear(x, weight, bias)
    wide = torch.full((rows, inputs + 5), math.nan, dtype=dtype)
    wide[:, 2 : inputs + 2] = x
    same(linear(wide[:, 2 : inputs + 2], weight, bias), expected)
    same(linear(x.T.contiguous().T, weight, bias), expected)
    same(linear(x, weight.T.contiguous().T, bias), expected)
    within = torch.full((outputs, inputs + 3), math.nan, dtype=dtype)
    within[:, 1 : inputs + 1] = weight
    same(linear(x, within[:, 1 : inputs + 1], bias), expected)
    turned = torch.full((inputs, outputs + 3), math.nan, dtype=dtype)
    turned[:, 1 : outputs + 1] = weight.T
    same(linear(x, turned[:, 1 : outputs + 1].T, bias), expected)
    apart = torch.stack((weight, weight), 2)[:, :, 0]
    same(linear(x, apart, torch.stack((bias, bias), 1)[:, 0]), expected)
    same(
        linear(x, weight[:1].expand(outputs, inputs), bias[:1].expand(outputs)),
        expected[:, :1].expand(-1, outputs),
    )


def test_more_dimensions(dtype: torch.dtype) -> None:
    x, weight, bias = product((24, 19, 21), dtype)
    expected = linear(x, weight, bias)
    same(linear(x.view(2, 3, 4, 19), weight, bias), expected.view(2, 3, 4, 21))
    same(linear(x.view(4, 6, 19).transpose(0, 1), weight, bias), expected.view(4, 6, 21).transpose(0, 1))
    same(linear(x[3], weight, bias), expected[3])


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 3e38])
def test_special_numbers_stay_in_their_row(number: float, dtype: torch.dtype) -> None:
    x, weight, bias = product((20, 70, 33), dtype)
    expected = linear(x, weight, bias)
    x[11, 5] = number
    found = linear(x, weight, bias)
    others = [row for row in range(20) if row != 11]
    same(found[others], expected[others])
    assert found[11].isfinite().equal(F.linear(x[11], weight, bias).isfinite())


def test_after_numbers_that_were_not(dtype: torch.dtype) -> None:
    """Memory that nothing was written to never shows."""
    torch.use_deterministic_algorithms(True)
    try:
        assert torch.empty(3).isnan().all()
        for size in SIZES:
            x, weight, bias = product(size, dtype)
            expected = linear(x, weight, bias)
            assert expected.isfinite().all()
            assert linear(torch.full_like(x, math.nan), torch.full_like(weight, math.nan)).isnan().all()
            same(linear(x, weight, bias), expected)
    finally:
        torch.use_deterministic_algorithms(False)
