"""The layers inside torch.compile and torch.export."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence

import recurra
from recurra import nn
from recurra.engines import use_engine

LAYERS = [nn.GRU(3, 4, 2), nn.LSTM(3, 4, 2, bidirectional=True), nn.LSTM(3, 4, peephole=True)]
RAGGED = {"lengths": torch.tensor([5, 2]), "reset": torch.tensor([[0, 0, 1, 0, 1], [1, 0, 0, 1, 0]]).bool()}


class Model(torch.nn.Module):
    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.into = torch.nn.Linear(3, 3)
        self.layer = layer

    def forward(self, x: Tensor, **given: Any) -> Tensor:
        x = self.into(x).tanh()
        y: Tensor = self.layer(x, **given)[0]
        return y.square()


class Graphs:
    """A backend that runs graphs as they are, and counts them."""

    def __init__(self) -> None:
        self.nodes: list[list[str]] = []

    def __call__(self, graph: torch.fx.GraphModule, _: Any) -> Any:
        self.nodes.append([str(node.target) for node in graph.graph.nodes])
        return graph.forward


@pytest.fixture(autouse=True)
def _anew() -> None:
    torch._dynamo.reset()


def same(compiled: Any, model: torch.nn.Module, x: Tensor, assert_close: Any, **given: Any) -> None:
    """Compare outputs and gradients."""
    found = []
    for run in (compiled, model):
        y = run(x, **given)
        found.append((y, torch.autograd.grad(y.sum(), list(model.parameters()))))
    assert_close(found[0][0], found[1][0])
    assert_close(found[0][1], found[1][1], "gradient")


@pytest.mark.parametrize("given", [{}, RAGGED], ids=["whole", "ragged"])
@pytest.mark.parametrize("memory", ["stored", "recomputed", "checkpointed"])
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_one_graph_without_a_break(layer: Any, memory: str, given: dict[str, Any], assert_close: Any) -> None:
    layer.memory = memory
    model = Model(layer)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    same(compiled, model, torch.randn(5, 2, 3), assert_close, **given)
    with torch.no_grad():
        assert_close(compiled(torch.ones(5, 2, 3), **given), model(torch.ones(5, 2, 3), **given))
    layer.memory = "stored"


@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_inductor(layer: Any, assert_close: Any) -> None:
    model = Model(layer)
    with torch._inductor.config.patch(force_disable_caches=True):
        compiled = torch.compile(model, fullgraph=True)
        same(compiled, model, torch.randn(5, 2, 3), assert_close)
        same(compiled, model, torch.randn(7, 2, 3), assert_close)
        same(compiled, model, torch.randn(5, 2, 3), assert_close, **RAGGED)


@pytest.mark.parametrize("engine", ["reference", "torch_native"])
def test_other_engines_stay_out_of_the_graph(engine: str, assert_close: Any) -> None:
    model, graphs = Model(nn.LSTM(3, 4)), Graphs()
    with use_engine(engine):
        same(torch.compile(model, backend=graphs), model, torch.randn(60, 2, 3), assert_close)
        same(torch.compile(model, backend="aot_eager"), model, torch.randn(6, 2, 3), assert_close, **{})
    assert graphs.nodes
    assert max(map(len, graphs.nodes)) < 50


def test_pytorchs_layers_are_treated_as_ever() -> None:
    model = Model(torch.nn.LSTM(3, 4))
    with pytest.raises(torch._dynamo.exc.Unsupported, match="RNN, GRU, or LSTM"):
        torch.compile(model, backend="eager", fullgraph=True)(torch.randn(5, 2, 3))
    recurra.accelerate(model)
    torch.compile(model, backend="eager", fullgraph=True)(torch.randn(5, 2, 3))


def test_a_long_sequence_compiles_in_seconds(assert_close: Any) -> None:
    model, graphs = Model(nn.LSTM(3, 4)), Graphs()
    started = time.perf_counter()
    same(torch.compile(model, backend=graphs, fullgraph=True), model, torch.randn(1000, 2, 3), assert_close)
    assert time.perf_counter() - started < 20
    (nodes,) = graphs.nodes
    assert len(nodes) < 20
    assert nodes.count("recurra.layer.default") == 1


@pytest.mark.parametrize(("memory", "most"), [("stored", 2), ("recomputed", 2), ("checkpointed", 4)])
def test_other_sizes_reuse_the_graph(memory: str, most: int, assert_close: Any) -> None:
    model, graphs = Model(nn.GRU(3, 4, memory=memory)), Graphs()
    compiled = torch.compile(model, backend=graphs, fullgraph=True)
    for steps, rows in ((5, 2), (6, 3), (7, 4), (13, 5), (6, 2), (11, 3)):
        same(compiled, model, torch.randn(steps, rows, 3), assert_close)
    assert len(graphs.nodes) <= most


def test_an_engine_forced_later_is_heeded() -> None:
    model = Model(nn.GRU(3, 4))
    compiled, x = torch.compile(model, backend="eager"), torch.randn(5, 2, 3)
    for engine in (None, "reference", "torch_native", "cpu"):
        with use_engine(engine):
            assert compiled(x).equal(model(x))


def test_an_output_changed_in_place(assert_close: Any) -> None:
    class InPlace(Model):
        def forward(self, x: Tensor, **given: Any) -> Tensor:
            y: Tensor = self.layer(self.into(x), **given)[0]
            return y.relu_()

    model = InPlace(nn.GRU(3, 4))
    same(torch.compile(model, backend="aot_eager"), model, torch.randn(5, 2, 3), assert_close)


def test_a_kind_of_ones_own(assert_close: Any) -> None:
    class Own(nn.GRU):
        pass

    model = Model(Own(3, 4))
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    same(compiled, model, torch.randn(5, 2, 3), assert_close)


def test_a_layer_alone_rows_first_with_a_state(assert_close: Any) -> None:
    layer, x, h = nn.GRU(3, 4, batch_first=True), torch.randn(2, 5, 3), torch.randn(1, 2, 4)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    assert_close(compiled(x, h), layer(x, h))
    assert compiled(x, h)[0].stride() == layer(x, h)[0].stride()


def test_packed_sequences(assert_close: Any) -> None:
    layer, x = nn.GRU(3, 4), torch.randn(5, 2, 3)
    packed = pack_padded_sequence(x, torch.tensor([5, 2]))
    compiled = torch.compile(lambda given: layer(given)[0].data.square(), backend="aot_eager")
    assert_close(compiled(packed), layer(packed)[0].data.square())


@pytest.mark.parametrize("name", ["RNNCell", "GRUCell", "LSTMCell"])
def test_cells_compile_without_a_break(name: str) -> None:
    cell, x = getattr(nn, name)(3, 4), torch.randn(2, 3)
    compiled = torch.compile(cell, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), cell(x))


@pytest.mark.parametrize("given", [{}, RAGGED], ids=["whole", "ragged"])
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_export(layer: Any, given: dict[str, Any], assert_close: Any) -> None:
    model = Model(layer)
    exported = torch.export.export(model, (torch.randn(5, 2, 3),), given)
    other = {"lengths": torch.tensor([0, 4]), "reset": ~RAGGED["reset"]} if given else {}
    same(exported.module(), model, torch.randn(5, 2, 3), assert_close, **other) if not given else None
    assert_close(exported.module()(torch.ones(5, 2, 3), **other), model(torch.ones(5, 2, 3), **other))
    assert sum("recurra.layer" in str(node.target) for node in exported.graph.nodes) == layer.num_layers
    decomposed = exported.run_decompositions().module()
    assert_close(decomposed(torch.ones(5, 2, 3), **other), model(torch.ones(5, 2, 3), **other))


@pytest.mark.parametrize("memory", ["stored", "checkpointed"])
def test_export_for_every_size(memory: str, assert_close: Any) -> None:
    model = Model(nn.GRU(3, 4, memory=memory, batch_first=True))
    rows, steps = torch.export.Dim("rows"), torch.export.Dim("steps")
    exported = torch.export.export(model, (torch.randn(2, 5, 3),), dynamic_shapes={"x": {0: rows, 1: steps}})
    for size in ((1, 1, 3), (4, 33, 3)):
        x = torch.randn(size)
        assert_close(exported.module()(x), model(x))


def test_lengths_out_of_bounds_in_a_graph_are_cut() -> None:
    layer, x = nn.GRU(3, 4), torch.randn(5, 2, 3)
    compiled = torch.compile(lambda x, n: layer(x, lengths=n)[0], backend="aot_eager", fullgraph=True)
    assert compiled(x, torch.tensor([99, -3])).equal(layer(x, lengths=[5, 0])[0])


@pytest.mark.parametrize("first", ["torch._dynamo", "recurra.nn"])
def test_whichever_is_loaded_first(first: str) -> None:
    code = (
        f"import sys, torch, {first}\n"
        "import recurra.nn\n"
        f"assert ('torch._dynamo' in sys.modules) == ({first!r} == 'torch._dynamo')\n"
        "layer = torch.nn.Sequential(recurra.nn.GRU(3, 4))\n"
        "torch.compile(layer, backend='eager', fullgraph=True)(torch.ones(5, 2, 3))"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
