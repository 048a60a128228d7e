"""Results do not depend on how tensors lie in memory: strides, offsets, the order of batch and time."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch
from forms import Form, Outcome, batch, outcome, same_bits
from torch import Tensor


def every_other(tensor: Tensor) -> Tensor:
    wide = torch.full([2 * n for n in tensor.shape], torch.nan, dtype=tensor.dtype)
    wide[::2, ::2, ::2] = tensor
    return wide[::2, ::2, ::2]


def in_a_wider_row(tensor: Tensor) -> Tensor:
    """The last dimension stays dense, its start is not aligned, and NaN lies between."""
    wide = torch.full([*tensor.shape[:-1], tensor.shape[-1] + 3], torch.nan, dtype=tensor.dtype)
    wide[..., 1:-2] = tensor
    return wide[..., 1:-2]


def permuted(*order: int) -> Callable[[Tensor], Tensor]:
    back = [order.index(d) for d in range(3)]
    return lambda tensor: tensor.permute(order).contiguous().permute(back)


def off_by_one(tensor: Tensor) -> Tensor:
    longer = torch.empty(tensor.numel() + 1, dtype=tensor.dtype)
    longer[1:] = tensor.flatten()
    return longer[1:].view(tensor.shape)


LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "rows_first": permuted(1, 0, 2),
    "features_first": permuted(2, 0, 1),
    "features_between": permuted(0, 2, 1),
    "every_other": every_other,
    "in_a_wider_row": in_a_wider_row,
    "off_by_one": off_by_one,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_strides(form: Form, dtype: torch.dtype, layout: str) -> None:
    lay = LAYOUTS[layout]
    layer = form(5, 19, num_layers=2, bidirectional=True, dtype=dtype)
    given = batch(layer, 7, 6)
    told = {"lengths": torch.tensor([7, 3, 0, 5, 7, 1]), "reset": torch.rand(6, 7) < 0.2}
    for ragged in ({}, told):
        expected = outcome(layer, given, **ragged)
        same_bits(outcome(layer, given.map(lay), **ragged), expected, "all")
        for part in ("x", "dy"):
            same_bits(
                outcome(layer, replace(given, **{part: lay(getattr(given, part))}), **ragged), expected, part
            )
        for part in ("state", "dnew"):
            laid = tuple(map(lay, getattr(given, part)))
            same_bits(outcome(layer, replace(given, **{part: laid}), **ragged), expected, part)


STRIDES = [(6, 1, 1), (1, 1, 1), (5, 0, 1), (0, 5, 1), (0, 0, 0), (3, 7, 2), (1, 7, 0), (2, 9, 3), (30, 5, 1)]


@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "both_ways"])
@pytest.mark.parametrize("strides", STRIDES, ids=str)
def test_inputs_that_overlap(form: Form, strides: tuple[int, ...], bidirectional: bool) -> None:
    """As in windows over a series: the gradient of each value of x, not of the memory below."""
    layer = form(5, 19, bidirectional=bidirectional)
    given = batch(layer, 7, 6)
    windows = torch.randn(400).as_strided((7, 6, 5), strides, 3)
    for told in ({}, {"lengths": torch.tensor([7, 3, 0, 5, 7, 1])}):
        expected = outcome(layer, replace(given, x=windows.contiguous()), **told)
        same_bits(outcome(layer, replace(given, x=windows), **told), expected)


def test_inputs_that_overlap_sum_up_in_their_memory(form: Form) -> None:
    layer, series = form(5, 19), torch.randn(40, requires_grad=True)
    dy = batch(layer, 7, 6).dy
    found = []
    for view in (
        series.as_strided((7, 6, 5), (1, 4, 1)),
        series.as_strided((7, 6, 5), (1, 4, 1)).contiguous(),
    ):
        found.append(torch.autograd.grad(layer(view)[0], series, dy)[0])
    torch.testing.assert_close(*found, rtol=0, atol=0)


@pytest.mark.parametrize("still", [(0,), (1,), (2,), (0, 1), (0, 1, 2)])
def test_strides_of_zero(form: Form, dtype: torch.dtype, still: tuple[int, ...]) -> None:
    """As in x.expand(...), and in the gradient of y.sum()."""
    layer = form(5, 19, dtype=dtype)
    given = batch(layer, 7, 6)

    def repeated(tensor: Tensor) -> Tensor:
        one = tensor[tuple(slice(0, 1) if d in still else slice(None) for d in range(3))]
        return one.expand(tensor.shape)

    repeats = given.map(repeated)
    same_bits(outcome(layer, repeats), outcome(layer, repeats.map(Tensor.contiguous)))


def test_resets_and_lengths_of_any_stride(form: Form) -> None:
    layer = form(5, 19)
    given = batch(layer, 7, 6)
    reset, lengths = torch.rand(6, 7) < 0.3, torch.tensor([7, 3, 0, 5, 7, 1])
    expected = outcome(layer, given, reset=reset, lengths=lengths)
    wide, long = torch.ones(12, 14, dtype=torch.bool), torch.zeros(12, dtype=torch.int64)
    wide[::2, ::2], long[::2] = reset, lengths
    for r, n in ((reset.T.contiguous().T, lengths), (wide[::2, ::2], long[::2])):
        same_bits(outcome(layer, given, reset=r, lengths=n), expected)
    same = torch.tensor([False, True, False, False, True, False, True]).expand(6, 7)
    same_bits(outcome(layer, given, reset=same), outcome(layer, given, reset=same.contiguous()))


def test_rows_first(form: Form, dtype: torch.dtype) -> None:
    layer = form(5, 19, num_layers=2, bidirectional=True, dtype=dtype)
    other = deepcopy(layer)
    other.batch_first = True
    given = batch(layer, 7, 6)
    turned = replace(given, x=given.x.transpose(0, 1), dy=given.dy.transpose(0, 1))
    for told in ({}, {"lengths": torch.tensor([7, 3, 0, 5, 7, 1]), "reset": torch.rand(6, 7) < 0.2}):
        found = outcome(other, turned, **told)
        for name in ("y", "x.grad"):
            found[name] = found[name].transpose(0, 1)
        same_bits(found, outcome(layer, given, **told))


def test_without_a_batch(form: Form, dtype: torch.dtype) -> None:
    layer = form(5, 19, num_layers=2, bidirectional=True, dtype=dtype)
    given = batch(layer, 7, 1)
    found = outcome(layer, given.map(lambda tensor: tensor[:, 0]))
    expected = outcome(layer, given)
    same_bits(found, {k: v.squeeze(1) if v.dim() == 3 else v for k, v in expected.items()})


@pytest.mark.parametrize("turned", [False, True])
def test_weights_of_any_stride(form: Form, dtype: torch.dtype, turned: bool) -> None:
    layer = form(5, 19, num_layers=2, dtype=dtype)
    other = deepcopy(layer)
    for parameter in other.parameters():
        value = parameter.data
        if value.dim() == 2 and turned:
            parameter.data = value.T.contiguous().T
        else:
            wide = torch.full((*value.shape[:-1], 2 * value.shape[-1] + 1), torch.nan, dtype=dtype)
            wide[..., 1::2] = value
            parameter.data = wide[..., 1::2]
    given = batch(layer, 7, 6)
    same_bits(outcome(other, given), outcome(layer, given))


def by_hand(layer: Any, given: Any) -> Outcome:
    """Two directions or two layers put together from layers of one."""
    options: dict[str, Any] = {"dtype": given.x.dtype}
    for name in ("reset_after", "peephole", "nonlinearity"):
        if hasattr(layer, name) and not (name == "peephole" and not layer.peephole):
            options[name] = getattr(layer, name)
    directions = 2 if layer.bidirectional else 1
    weights = dict(layer.named_parameters())
    x, ends = given.x, []
    for level in range(layer.num_layers):
        ys = []
        for d in range(directions):
            if getattr(layer, "proj_size", 0):
                options["proj_size"] = layer.proj_size
            one = type(layer)(x.shape[-1], layer.hidden_size, **options)
            tail = f"_l{level}" + "_reverse" * d
            one.load_state_dict({n: weights[n.removesuffix("_l0") + tail] for n, _ in one.named_parameters()})
            k = level * directions + d
            state = tuple(s[k : k + 1] for s in given.state)
            y, new = one(x.flip(0) if d else x, state if len(state) > 1 else state[0])
            ys.append(y.flip(0) if d else y)
            ends.append((new,) if isinstance(new, Tensor) else new)
        x = torch.cat(ys, -1)
    found = {"y": x.detach()}
    return found | {
        f"{n}_n": torch.cat(s).detach()
        for n, s in zip(layer.cell.states, zip(*ends, strict=True), strict=True)
    }


def test_layers_and_directions_are_single_ones_put_together(form: Form, dtype: torch.dtype) -> None:
    layer = form(5, 19, num_layers=3, bidirectional=True, dtype=dtype)
    given = batch(layer, 7, 6)
    same_bits(outcome(layer, given, backward=False), by_hand(layer, given))
