"""A row's results do not depend on how many rows there are, on its place, nor on what the others hold."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from forms import OF_A_ROW, OUTPUTS, Batch, Form, Outcome, batch, joined, only, outcome, same_bits
from torch import Tensor

LADDER = [*range(1, 21), 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257]
MOST = LADDER[-1]
SIZES = [(5, 19), (16, 32), (33, 1), (1, 49)]


def alone(layer: Any, given: Batch, **told: Tensor) -> Outcome:
    """Each row run as a batch of its own, joined again."""
    each = range(given.x.shape[1])
    ones = [outcome(layer, given.rows([b]), **{k: v[[b]] for k, v in told.items()}) for b in each]
    return joined(ones, OUTPUTS + OF_A_ROW)


def climb(layer: Any, given: Batch, ladder: list[int], names: tuple[str, ...], **told: Tensor) -> None:
    """Batches of each size, cut from the end so that a row stands at another place in each."""
    expected = only(alone(layer, given, **told), names)
    most = given.x.shape[1]
    for rows in ladder:
        which = slice(most - rows, most)
        found = outcome(layer, given.rows(which), **{k: v[which] for k, v in told.items()})
        same_bits(only(found, names), {k: v[:, which] for k, v in expected.items()}, f"{rows} rows")


@pytest.mark.parametrize(("inputs", "units"), SIZES)
def test_a_row_gives_what_it_gives_alone(form: Form, dtype: torch.dtype, inputs: int, units: int) -> None:
    if form.projected and units == 1:
        units = 2
    layer = form(inputs, units, dtype=dtype)
    climb(layer, batch(layer, 5, MOST), LADDER, OUTPUTS)


def test_a_row_gets_the_gradients_that_it_gets_alone(form: Form, dtype: torch.dtype) -> None:
    layer = form(5, 19, dtype=dtype)
    climb(layer, batch(layer, 5, MOST), LADDER, OF_A_ROW)


def test_long_rows_too(form: Form, dtype: torch.dtype) -> None:
    layer = form(7, 20, dtype=dtype)
    climb(layer, batch(layer, 300, 17), [1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17], OUTPUTS + OF_A_ROW)


def test_layers_directions_lengths_and_resets(form: Form, dtype: torch.dtype) -> None:
    layer = form(6, 17, num_layers=2, bidirectional=True, dtype=dtype)
    rows, steps = 33, 11
    lengths = torch.randint(0, steps + 1, (rows,))
    reset = torch.rand(rows, steps) < 0.2
    given = batch(layer, steps, rows)
    climb(layer, given, [1, 2, 3, 5, 8, 16, 17, 31, 33], OUTPUTS + OF_A_ROW, lengths=lengths, reset=reset)


@pytest.mark.parametrize("bias", [True, False])
def test_rows_in_another_order(form: Form, dtype: torch.dtype, bias: bool) -> None:
    layer = form(12, 24, bias=bias, dtype=dtype)
    given, order = batch(layer, 6, 37), torch.randperm(37)
    expected = only(outcome(layer, given), OUTPUTS + OF_A_ROW)
    found = only(outcome(layer, given.rows(order)), OUTPUTS + OF_A_ROW)
    same_bits(found, {name: part[:, order] for name, part in expected.items()})


@pytest.mark.parametrize("filler", [0.0, 1e30, math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("rows", [2, 5, 20])
def test_neighbours_do_not_matter(form: Form, dtype: torch.dtype, rows: int, filler: float) -> None:
    layer = form(5, 19, dtype=dtype)
    given = batch(layer, 7, rows)
    for row in {0, rows // 2, rows - 1}:
        others = torch.arange(rows) != row
        expected = {name: part[:, [row]] for name, part in outcome(layer, given).items() if part.dim() == 3}

        def filled(tensor: Tensor, others: Tensor = others) -> Tensor:
            return tensor.masked_fill(others[:, None], filler)

        found = {k: v[:, [row]] for k, v in outcome(layer, given.map(filled)).items() if v.dim() == 3}
        same_bits(found, expected, f"row {row}")


def test_the_lengths_and_resets_of_neighbours_do_not_matter(form: Form, dtype: torch.dtype) -> None:
    layer = form(5, 19, num_layers=2, bidirectional=True, dtype=dtype)
    rows, steps = 9, 12
    given = batch(layer, steps, rows)
    lengths, reset = torch.full((rows,), steps), torch.zeros(rows, steps, dtype=torch.bool)
    lengths[4], reset[4, 5] = 10, True
    expected = only(outcome(layer, given, lengths=lengths, reset=reset), OUTPUTS + OF_A_ROW)
    for seed in range(6):
        torch.manual_seed(seed)
        others = torch.arange(rows) != 4
        lengths[others] = torch.randint(0, steps + 1, (rows - 1,))
        reset[others] = torch.rand(rows - 1, steps) < seed / 5
        found = only(outcome(layer, given, lengths=lengths, reset=reset), OUTPUTS + OF_A_ROW)
        same_bits({k: v[:, 4] for k, v in found.items()}, {k: v[:, 4] for k, v in expected.items()}, seed)


def test_padding_does_not_matter(form: Form, dtype: torch.dtype) -> None:
    """A short row in a long batch is the row by itself, with no padding."""
    layer = form(5, 19, num_layers=2, bidirectional=True, dtype=dtype)
    given, length = batch(layer, 20, 1), 9
    within = torch.arange(20) < length
    cut = Batch(given.x[:length], given.state, given.dy[:length], given.dnew)
    expected = only(outcome(layer, cut), OUTPUTS + OF_A_ROW)
    for filler in (0.0, math.nan):
        padded = Batch(
            given.x.masked_fill(~within[:, None, None], filler),
            given.state,
            given.dy.masked_fill(~within[:, None, None], filler),
            given.dnew,
        )
        found = only(outcome(layer, padded, lengths=[length]), OUTPUTS + OF_A_ROW)
        for name in ("y", "x.grad"):
            assert not found[name][length:].any()
            found[name] = found[name][:length]
        same_bits(found, expected, filler)
