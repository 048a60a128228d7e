"""Weights that change between calls, in every way that PyTorch allows: results follow at once."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from forms import MEMORY, OF_A_ROW, OUTPUTS, Form, batch, only, outcome, same_bits
from torch import Tensor
from torch.func import functional_call

from recurra import nn


def fresh(layer: Any) -> Any:
    """A layer that has never run, with the weights that layer has now."""
    other = deepcopy(layer)
    for name, parameter in layer.named_parameters():
        other.get_parameter(name).data = parameter.detach().clone()
    return other


def through_an_optimizer(layer: Any) -> None:
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    (-layer(torch.randn(3, 2, layer.input_size))[0].sum()).backward()  # more: no unit of relu may die
    optimizer.step()
    optimizer.zero_grad()


def in_place(layer: Any) -> None:
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(1.5)


def through_data(layer: Any) -> None:
    """Which no version counter sees."""
    for parameter in layer.parameters():
        parameter.data.mul_(1.5)


def through_numpy(layer: Any) -> None:
    for parameter in layer.parameters():
        parameter.detach().numpy()[:] *= 1.5


def one_number(layer: Any) -> None:
    layer.weight_hh_l0.data[-1, -1] += 1
    layer.weight_ih_l0.data[0, 0] += 1


def other_data(layer: Any) -> None:
    """New memory, which may well lie where the old one lay."""
    for parameter in layer.parameters():
        shape = parameter.shape
        parameter.data = torch.empty(0)
        parameter.data = torch.randn(shape) * 0.3


def loaded(layer: Any) -> None:
    layer.load_state_dict({name: value * 1.5 for name, value in layer.state_dict().items()})


def other_parameters(layer: Any) -> None:
    for name, parameter in list(layer.named_parameters()):
        setattr(layer, name, torch.nn.Parameter(parameter.detach() * 1.5))


CHANGES: list[Callable[[Any], None]] = [
    through_an_optimizer, in_place, through_data, through_numpy, one_number, other_data, loaded,
    other_parameters,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("quiet", [False, True], ids=["training", "inference"])
def test_results_follow(form: Form, change: Callable[[Any], None], quiet: bool) -> None:
    layer = form(5, 19, num_layers=2)
    given = batch(layer, 6, 3)

    def now(layer: Any) -> dict[str, Tensor]:
        if not quiet:
            return outcome(layer, given)
        with torch.inference_mode():
            return outcome(layer, given, backward=False)

    before = now(layer)
    for turn in range(5):
        change(layer)
        after = now(layer)
        assert not after["y"].equal(before["y"])
        same_bits(after, now(fresh(layer)), turn)
        before = after


@pytest.mark.parametrize("change", [in_place, through_an_optimizer, through_data], ids=lambda c: c.__name__)
@pytest.mark.parametrize("memory", MEMORY)
def test_a_change_between_forward_and_backward_is_never_missed(
    form: Form, memory: str, change: Callable[[Any], None]
) -> None:
    """PyTorch refuses what its version counters see; what they do not see must do no harm either."""
    layer = form(5, 19, memory=memory)
    y, _ = layer(torch.randn(6, 3, 5))
    change(layer)
    if change is through_data:
        y.sum().backward()
        return
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@pytest.mark.parametrize("memory", MEMORY)
@pytest.mark.parametrize("what", ["x", "state"])
def test_an_input_changed_before_the_backward_is_refused(form: Form, memory: str, what: str) -> None:
    layer = form(5, 19, memory=memory)
    given = batch(layer, 6, 3)
    x, state = given.x.clone(), tuple(s.clone() for s in given.state)
    y, _ = layer(x, state if len(state) > 1 else state[0])
    (x if what == "x" else state[0]).add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@pytest.mark.parametrize("memory", MEMORY)
def test_outputs_may_be_changed_in_place(form: Form, memory: str) -> None:
    """As torch.nn's may: dropout and activations often work in place."""
    layer = form(5, 19, memory=memory)
    given = batch(layer, 6, 3)
    x = given.x.requires_grad_()
    weights = [x, *layer.parameters()]
    y, new = layer(x)
    expected = torch.autograd.grad(y.relu(), weights, given.dy, retain_graph=True)
    h = new if isinstance(new, Tensor) else new[0]
    h.zero_()
    y.relu_()
    found = torch.autograd.grad(y, weights, given.dy)
    same_bits({str(k): g for k, g in enumerate(found)}, {str(k): g for k, g in enumerate(expected)})


def square(form: Form) -> tuple[int, int]:
    """I and H of a layer whose outputs are as many as its inputs."""
    return (10, 20) if form.projected else (19, 19)


@pytest.mark.parametrize("memory", MEMORY)
def test_one_weight_in_two_layers(form: Form, dtype: torch.dtype, memory: str) -> None:
    layer = form(*square(form), num_layers=2, memory=memory, dtype=dtype)
    apart = deepcopy(layer)
    for name in [name for name, _ in layer.named_parameters() if name.endswith("_l1")]:
        first = layer.get_parameter(name.replace("_l1", "_l0"))
        setattr(layer, name, first)
        apart.get_parameter(name).data.copy_(first.data)
    given = batch(layer, 6, 3)
    found, expected = outcome(layer, given), outcome(apart, given)
    same_bits(only(found, OUTPUTS + OF_A_ROW), only(expected, OUTPUTS + OF_A_ROW))
    for name, _ in layer.named_parameters():
        both = expected[f"{name}.grad"] + expected[f"{name.replace('_l0', '_l1')}.grad"]
        torch.testing.assert_close(found[f"{name}.grad"], both, rtol=0, atol=1e-5 * float(both.abs().max()))


def test_one_layer_twice_in_a_graph(form: Form) -> None:
    layer = form(*square(form))
    given = batch(layer, 6, 3)
    weights = list(layer.parameters())
    middle, _ = layer(given.x)
    y, _ = layer(middle)
    together = torch.autograd.grad(y, weights, given.dy)
    middle, _ = layer(given.x)
    cut = middle.detach().requires_grad_()
    second = torch.autograd.grad(layer(cut)[0], [cut, *weights], given.dy)
    first = torch.autograd.grad(middle, weights, second[0])
    for both, one, two in zip(together, first, second[1:], strict=True):
        assert both.equal(one + two) or both.equal(two + one)


class DroppedWeights(torch.nn.Module):
    """DropConnect on the recurrent weights (Merity et al. 2018): other weights at every call."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer
        self.raw = torch.nn.Parameter(layer.weight_hh_l0.detach().clone())
        del layer._parameters["weight_hh_l0"]

    def forward(self, x: Tensor) -> Tensor:
        self.layer.weight_hh_l0 = torch.nn.functional.dropout(self.raw, 0.5)
        y: Tensor = self.layer(x)[0]
        return y


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_dropped_weights(name: str, assert_close: Any) -> None:
    ours, theirs = (getattr(module, name)(5, 19) for module in (nn, torch.nn))
    theirs.load_state_dict(ours.state_dict())
    ours, theirs = DroppedWeights(ours), DroppedWeights(theirs)
    x = torch.randn(6, 3, 5)
    for seed in range(4):
        results = []
        for model in (ours, theirs):
            torch.manual_seed(seed)
            y = model(x)
            grads = torch.autograd.grad(y.square().sum(), [model.raw, model.layer.weight_ih_l0])
            results.append((y, grads))
        assert_close(results[0][0], results[1][0])
        assert_close(results[0][1], results[1][1], "gradient")


def test_weights_given_from_outside(form: Form) -> None:
    layer = form(5, 19)
    given = batch(layer, 6, 3)
    for seed in range(4):
        torch.manual_seed(seed)
        new = {name: torch.randn_like(p) * 0.2 for name, p in layer.named_parameters()}
        other = deepcopy(layer)
        other.load_state_dict(new)
        state = given.state if len(given.state) > 1 else given.state[0]
        assert functional_call(layer, new, (given.x, state))[0].equal(other(given.x, state)[0])
