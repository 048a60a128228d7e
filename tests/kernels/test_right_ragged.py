"""Right where rows have lengths of their own and begin anew: the edges of `lengths` and `reset`."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from forms import MEMORY, Form, batch, close, only, outcome, right, same_bits

STEPS, ROWS = 21, 6

LENGTHS: dict[str, list[int]] = {
    "all_full": [STEPS] * ROWS,
    "all_equal": [13] * ROWS,
    "all_one": [1] * ROWS,
    "all_empty": [0] * ROWS,
    "first_empty": [0, 21, 3, 7, 20, 21],
    "last_empty": [21, 3, 7, 20, 21, 0],
    "one_alone": [0, 0, 0, 5, 0, 0],
    "rising": [1, 4, 9, 14, 20, 21],
    "falling": [21, 20, 14, 9, 4, 1],
    "none_full": [20, 3, 11, 0, 7, 20],
}


def resets(kind: str) -> torch.Tensor:
    reset = torch.zeros(ROWS, STEPS, dtype=torch.bool)
    if kind == "everywhere":
        reset[:] = True
    elif kind == "at_the_first":
        reset[::2, 0] = True
    elif kind == "at_the_last":
        reset[::2, -1] = True
    elif kind == "one_row":
        reset[3] = True
    elif kind == "one_step":
        reset[:, 10] = True
    elif kind == "every_other":
        reset[:, ::2] = True
    elif kind == "some":
        reset = torch.rand(ROWS, STEPS) < 0.2
    return reset


RESETS = (
    "nowhere",
    "everywhere",
    "at_the_first",
    "at_the_last",
    "one_row",
    "one_step",
    "every_other",
    "some",
)


def check(form: Form, dtype: torch.dtype, **told: torch.Tensor) -> None:
    layer = form(5, 18, num_layers=2, bidirectional=True, dtype=dtype)
    given = batch(layer, STEPS, ROWS)
    expected = right(layer, given, **told)
    for memory in MEMORY:
        layer.memory = memory
        close(outcome(layer, given, **told), expected, memory)


@pytest.mark.parametrize("lengths", LENGTHS)
def test_lengths(form: Form, dtype: torch.dtype, lengths: str) -> None:
    check(form, dtype, lengths=torch.tensor(LENGTHS[lengths]))


@pytest.mark.parametrize("reset", RESETS)
def test_resets(form: Form, dtype: torch.dtype, reset: str) -> None:
    check(form, dtype, reset=resets(reset))


@pytest.mark.parametrize("lengths", ["first_empty", "falling", "none_full", "one_alone"])
def test_both(form: Form, dtype: torch.dtype, lengths: str) -> None:
    check(form, dtype, lengths=torch.tensor(LENGTHS[lengths]), reset=resets("some"))


@pytest.mark.parametrize("kind", ["at_its_length", "just_within", "beyond", "everywhere"])
def test_resets_about_a_rows_end(form: Form, dtype: torch.dtype, kind: str) -> None:
    layer = form(5, 18, bidirectional=True, dtype=dtype)
    lengths = torch.tensor(LENGTHS["none_full"])
    step = torch.arange(STEPS)
    reset = {
        "at_its_length": step == lengths[:, None],
        "just_within": step == lengths[:, None] - 1,
        "beyond": step > lengths[:, None],
        "everywhere": step >= 0 * lengths[:, None],
    }[kind]
    given = batch(layer, STEPS, ROWS)
    found = outcome(layer, given, lengths=lengths, reset=reset)
    close(found, right(layer, given, lengths=lengths, reset=reset))
    if kind in ("at_its_length", "beyond"):
        same_bits(found, outcome(layer, given, lengths=lengths))


def test_full_lengths_and_no_resets_change_nothing(form: Form, dtype: torch.dtype) -> None:
    layer = form(5, 18, num_layers=2, bidirectional=True, dtype=dtype)
    given = batch(layer, STEPS, ROWS)
    told: dict[str, Any] = {"lengths": LENGTHS["all_full"], "reset": resets("nowhere")}
    same_bits(outcome(layer, given, **told), outcome(layer, given))


def test_nothing_beyond_a_row_is_read(form: Form, dtype: torch.dtype) -> None:
    """Neither the input's padding, nor the gradient of the outputs there, which are always zero."""
    layer = form(5, 18, num_layers=2, bidirectional=True, dtype=dtype)
    given, lengths = batch(layer, STEPS, ROWS), torch.tensor(LENGTHS["none_full"])
    beyond = (torch.arange(STEPS)[:, None] >= lengths)[..., None]
    expected = outcome(layer, given, lengths=lengths)
    for name in ("y", "x.grad"):
        assert not expected[name].masked_select(beyond).any()
    for part in ("x", "dy"):
        filled = getattr(given, part).masked_fill(beyond, torch.nan)
        poisoned = type(given)(**(vars(given) | {part: filled}))
        same_bits(outcome(layer, poisoned, lengths=lengths), expected, part)


def test_empty_rows_hand_on_their_state_and_its_gradient(form: Form, dtype: torch.dtype) -> None:
    layer = form(5, 18, num_layers=2, bidirectional=True, dtype=dtype)
    given = batch(layer, STEPS, ROWS)
    found = outcome(layer, given, lengths=LENGTHS["all_empty"])
    for name, state, gradient in zip(layer.cell.states, given.state, given.dnew, strict=True):
        assert found[f"{name}_n"].equal(state)
        assert found[f"{name}_0.grad"].equal(gradient)
    weights = only(found, [name for name in found if "weight" in name or "bias" in name])
    assert not any(gradient.any() for gradient in weights.values())
    assert not found["y"].any()


def test_many_ragged_rows(form: Form) -> None:
    """More rows than a chunk of time holds pairs, and rows that end within each tile."""
    layer = form(5, 18)
    for rows, steps in ((300, 9), (33, 60)):
        given = batch(layer, steps, rows)
        told = {"lengths": torch.randint(0, steps + 1, (rows,)), "reset": torch.rand(rows, steps) < 0.1}
        expected = right(layer, given, **told)
        for memory in MEMORY:
            layer.memory = memory
            close(outcome(layer, given, **told), expected, (rows, memory))
