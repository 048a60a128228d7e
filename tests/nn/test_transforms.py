"""torch.func over the layers, and a backward pass that is differentiated again."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, grad, jvp, vmap

from recurra import nn

LAYERS = [
    nn.RNN(2, 3),
    nn.GRU(2, 3),
    nn.LSTM(2, 3),
    nn.GRU(2, 3, reset_after=False),
    nn.LSTM(2, 3, peephole=True),
]
LENGTHS = torch.tensor([4, 2, 0])
RESET = torch.tensor([[0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]], dtype=torch.bool)


@pytest.mark.parametrize("given", [{}, {"lengths": LENGTHS, "reset": RESET}], ids=["whole", "ragged"])
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_gradients_of_each_sample(layer: Any, given: dict[str, Any], assert_close: Any) -> None:
    samples = torch.randn(5, 4, 3, 2)
    weights = {name: p.detach() for name, p in layer.named_parameters()}

    def loss(weights: dict[str, Tensor], x: Tensor) -> Tensor:
        y: Tensor = functional_call(layer, weights, (x,), given)[0]
        return y.sin().sum()

    together = vmap(grad(loss), in_dims=(None, 0))(weights, samples)
    for k, x in enumerate(samples):
        one = torch.autograd.grad(layer(x, **given)[0].sin().sum(), list(layer.parameters()))
        assert_close([together[name][k] for name in weights], one, "gradient")


def test_vmap_over_lengths_and_resets(assert_close: Any) -> None:
    layer, x = nn.GRU(2, 3, bidirectional=True), torch.randn(4, 3, 2)
    lengths, resets = torch.randint(0, 5, (6, 3)), torch.rand(6, 3, 4) < 0.4
    together = vmap(lambda n, r: layer(x, lengths=n, reset=r))(lengths, resets)
    for k in range(6):
        assert_close([part[k] for part in together], layer(x, lengths=lengths[k], reset=resets[k]))


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_forward_mode_agrees_with_backward(layer: Any, assert_close: Any) -> None:
    x, v, w = torch.randn(4, 3, 2, requires_grad=True), torch.randn(4, 3, 2), torch.randn(4, 3, 3)
    _, tangent = jvp(lambda x: layer(x)[0], (x,), (v,))
    (gradient,) = torch.autograd.grad(layer(x)[0], x, w)
    assert_close((tangent * w).sum(), (gradient * v).sum(), "gradient")


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_gradient_penalty(layer: Any, assert_close: Any) -> None:
    x = torch.randn(4, 3, 2, requires_grad=True)
    names, parameters = zip(*layer.named_parameters(), strict=True)
    (g,) = torch.autograd.grad(layer(x)[0].sum(), x, create_graph=True)
    found = torch.autograd.grad(g.square().sum(), parameters, allow_unused=True, materialize_grads=True)

    def penalty(weights: dict[str, Tensor]) -> Tensor:
        return grad(lambda x: functional_call(layer, weights, (x,))[0].sum())(x.detach()).square().sum()

    seconds = grad(penalty)({name: p.detach() for name, p in layer.named_parameters()})
    assert_close(found, [seconds[name] for name in names], "second gradient")
