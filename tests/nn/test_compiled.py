"""The layers inside torch.compile and torch.export."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from recurra import nn

LAYERS = [nn.GRU(3, 4, 2), nn.LSTM(3, 4, 2, bidirectional=True), nn.LSTM(3, 4, peephole=True)]


class Model(torch.nn.Module):
    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.into = torch.nn.Linear(3, 3)
        self.layer = layer

    def forward(self, x: Tensor, **given: Any) -> Tensor:
        x = self.into(x).tanh()
        y: Tensor = self.layer(x, **given)[0]
        return y.square()


@pytest.mark.parametrize("given", [{}, {"lengths": torch.tensor([5, 2])}], ids=["whole", "ragged"])
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_compile(layer: Any, given: dict[str, Any], assert_close: Any) -> None:
    torch._dynamo.reset()
    model, x = Model(layer), torch.randn(5, 2, 3)
    compiled = torch.compile(model, backend="aot_eager")
    grads = []
    for run in (compiled, model):
        y = run(x, **given)
        grads.append(torch.autograd.grad(y.sum(), list(model.parameters())))
        assert_close(y, model(x, **given))
    assert_close(*grads, "gradient")


def test_the_time_loop_is_not_unrolled() -> None:
    torch._dynamo.reset()
    seen = []

    def backend(graph: torch.fx.GraphModule, _: Any) -> Any:
        seen.append(len(graph.graph.nodes))
        return graph.forward

    torch.compile(Model(nn.LSTM(3, 4, peephole=True)), backend=backend)(torch.randn(200, 2, 3))
    assert seen
    assert max(seen) < 50


@pytest.mark.parametrize("name", ["RNNCell", "GRUCell", "LSTMCell"])
def test_cells_compile_without_a_break(name: str) -> None:
    torch._dynamo.reset()
    cell, x = getattr(nn, name)(3, 4), torch.randn(2, 3)
    compiled = torch.compile(cell, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), cell(x))


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_export(layer: Any, assert_close: Any) -> None:
    model, x = Model(layer), torch.randn(5, 2, 3)
    exported = torch.export.export(model, (x,)).module()
    other = torch.randn(5, 2, 3)
    assert_close(exported(other), model(other))
