"""Gradients where only some are wanted, and where only some outputs have one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from forms import MEMORY, Batch, Form, Outcome, batch, outcome, same_bits
from torch import Tensor

RESET = torch.zeros(4, 9, dtype=torch.bool)
RESET[(0, 0, 1, 3), (0, 5, 2, 8)] = True
TOLD: list[dict[str, Any]] = [{}, {"lengths": torch.tensor([9, 4, 0, 7]), "reset": RESET}]


def some_gradients(layer: Any, given: Batch, wanted: set[str], **told: Any) -> Outcome:
    """The gradients by the named leaves alone, the others asking for none."""
    leaves = {"x": given.x.clone()}
    leaves |= {f"{name}_0": s.clone() for name, s in zip(layer.cell.states, given.state, strict=True)}
    leaves |= dict(layer.named_parameters())
    for name, leaf in leaves.items():
        leaf.requires_grad_(name in wanted)
    state = tuple(leaves[f"{name}_0"] for name in layer.cell.states)
    y, new = layer(leaves["x"], state if len(state) > 1 else state[0], **told)
    new = (new,) if isinstance(new, Tensor) else new
    torch.autograd.backward([y, *new], [given.dy, *given.dnew], inputs=[leaves[name] for name in wanted])
    found = {}
    for name, leaf in leaves.items():
        assert (leaf.grad is not None) == (name in wanted)
        if leaf.grad is not None:
            found[f"{name}.grad"], leaf.grad = leaf.grad, None
        leaf.requires_grad_()
    return found


@pytest.mark.parametrize("memory", MEMORY)
@pytest.mark.parametrize("told", TOLD, ids=["whole", "ragged"])
def test_only_some_gradients(form: Form, dtype: torch.dtype, told: dict[str, Any], memory: str) -> None:
    layer = form(5, 18, num_layers=2, bidirectional=True, memory=memory, dtype=dtype)
    given = batch(layer, 9, 4)
    every = {k: v for k, v in outcome(layer, given, **told).items() if k.endswith(".grad")}
    leaves = [name.removesuffix(".grad") for name in every]
    states = {name for name in leaves if name.endswith("_0")}
    weights = set(leaves) - states - {"x"}
    groups = [{name} for name in leaves]
    groups += [{"x", *states}, states, weights, weights | {"x"}, weights | states]
    groups += [{name for name in weights if "bias" in name}, {name for name in leaves if "l1" in name}]
    for wanted in groups:
        found = some_gradients(layer, given, wanted, **told)
        same_bits(found, {k: v for k, v in every.items() if k in found}, sorted(wanted))


@pytest.mark.parametrize("memory", MEMORY)
@pytest.mark.parametrize("told", TOLD, ids=["whole", "ragged"])
def test_only_some_outputs(form: Form, dtype: torch.dtype, told: dict[str, Any], memory: str) -> None:
    """An output that the loss does not look at counts as one whose gradient is zero."""
    layer = form(5, 18, num_layers=2, bidirectional=True, memory=memory, dtype=dtype)
    given = batch(layer, 9, 4)
    parts = [given.dy, *given.dnew]
    for seen in range(len(parts)):
        silent = [part if k == seen else torch.zeros_like(part) for k, part in enumerate(parts)]
        expected = outcome(layer, Batch(given.x, given.state, silent[0], tuple(silent[1:])), **told)
        x = given.x.detach().requires_grad_()
        state = tuple(s.detach().requires_grad_() for s in given.state)
        y, new = layer(x, state if len(state) > 1 else state[0], **told)
        outputs = [y, *((new,) if isinstance(new, Tensor) else new)]
        leaves = [x, *state, *layer.parameters()]
        grads = torch.autograd.grad(outputs[seen], leaves, parts[seen], materialize_grads=True)
        names = [name for name in expected if name.endswith(".grad")]
        same_bits(dict(zip(names, grads, strict=True)), {name: expected[name] for name in names}, seen)


@pytest.mark.parametrize("told", TOLD, ids=["whole", "ragged"])
def test_the_gradient_of_a_sum(form: Form, dtype: torch.dtype, told: dict[str, Any]) -> None:
    """It has strides of zero."""
    layer = form(5, 18, num_layers=2, bidirectional=True, dtype=dtype)
    given = batch(layer, 9, 4)
    leaves = [given.x.requires_grad_(), *layer.parameters()]
    sums = torch.autograd.grad(layer(given.x, **told)[0].sum(), leaves)
    ones = torch.autograd.grad(layer(given.x, **told)[0], leaves, torch.ones_like(given.dy))
    same_bits({str(k): g for k, g in enumerate(sums)}, {str(k): g for k, g in enumerate(ones)})


def test_gradients_add_up(form: Form) -> None:
    layer = form(5, 18)
    given = batch(layer, 9, 4)
    once = {f"{name}.grad": p for name, p in layer.named_parameters()}
    expected = outcome(layer, given)
    for _ in range(3):
        y, new = layer(given.x, given.state if len(given.state) > 1 else given.state[0])
        torch.autograd.backward([y, *((new,) if isinstance(new, Tensor) else new)], [given.dy, *given.dnew])
    for name, p in once.items():
        assert p.grad is not None
        assert p.grad.equal(expected[name] + expected[name] + expected[name])
        assert p.grad.is_contiguous()


def test_without_a_state(form: Form, dtype: torch.dtype) -> None:
    """No state is a state of zeros."""
    layer = form(5, 18, num_layers=2, bidirectional=True, dtype=dtype)
    given = batch(layer, 9, 4)
    zeros = Batch(given.x, tuple(torch.zeros_like(s) for s in given.state), given.dy, given.dnew)
    expected = outcome(layer, zeros)
    x = given.x.detach().requires_grad_()
    y, new = layer(x)
    new = (new,) if isinstance(new, Tensor) else new
    grads = torch.autograd.grad([y, *new], [x, *layer.parameters()], [given.dy, *given.dnew])
    found = {"y": y, **{f"{n}_n": s for n, s in zip(layer.cell.states, new, strict=True)}}
    names = ["x.grad", *(f"{name}.grad" for name, _ in layer.named_parameters())]
    found |= dict(zip(names, grads, strict=True))
    same_bits(found, {name: expected[name] for name in found})


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 1, 3, 4), (1, 9, 3, 1), (9, 1, 1, 1), (2, 0, 3, 4)])
def test_the_smallest_shapes(form: Form, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    steps, rows, inputs, units = shape
    layer = form(inputs, max(units, 2) if form.projected else units, dtype=dtype)
    given = batch(layer, steps, rows)
    found = outcome(layer, given)
    assert found["y"].shape == given.dy.shape
    assert found["x.grad"].shape == given.x.shape
    if rows == 0:
        assert not any(grad.any() for name, grad in found.items() if name.endswith(".grad"))
