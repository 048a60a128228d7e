"""Linear: torch.nn.Linear where gradients are wanted, the core's product where none are."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from recurra import nn
from recurra.engines import use_engine
from recurra.nn import linear


def rows_apart(layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return torch.stack([layer(row) for row in x])


class Head(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru, self.linear = nn.GRU(7, 9), nn.Linear(9, 5)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(self.gru(x)[0])
        return y.tanh()


def test_it_is_torchs(dtype: torch.dtype, assert_close: Any) -> None:
    torch.manual_seed(1)
    ours = nn.Linear(70, 17, dtype=dtype)
    torch.manual_seed(1)
    theirs = torch.nn.Linear(70, 17, dtype=dtype)
    assert isinstance(ours, torch.nn.Linear)
    assert str(ours) == str(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert ours.weight.equal(theirs.weight)
    assert nn.Linear(3, 4, bias=False).bias is None
    x = torch.randn(4, 3, 70, dtype=dtype)
    with torch.no_grad():
        assert_close(ours(x), theirs(x))
        assert_close(copy.deepcopy(ours)(x), theirs(x))


def test_gradients_are_torchs(dtype: torch.dtype) -> None:
    layer = nn.Linear(70, 17, dtype=dtype)
    x = torch.randn(12, 70, dtype=dtype, requires_grad=True)
    y = layer(x)
    assert y.equal(F.linear(x, layer.weight, layer.bias))
    assert y.requires_grad
    torch.autograd.gradcheck(
        linear, [t.double().detach().requires_grad_() for t in (x, layer.weight, layer.bias)]
    )


def test_bits_wherever_no_gradient_is_wanted(dtype: torch.dtype) -> None:
    layer, x = nn.Linear(300, 17, dtype=dtype), torch.randn(40, 300, dtype=dtype)
    with torch.inference_mode():
        expected = rows_apart(layer, x)
        assert layer(x).equal(expected)
    with torch.no_grad():
        assert layer(x).equal(expected)
    layer.requires_grad_(False)
    assert layer(x).equal(expected)
    assert not layer(x).requires_grad


@pytest.mark.parametrize(
    "wrong",
    [
        (torch.ones(2, 3), torch.ones(4, 5), None),
        (torch.ones(2, 3), torch.ones(4, 3, dtype=torch.float64), None),
        (torch.ones(2, 3), torch.ones(4, 3), torch.ones(5)),
        (torch.ones(2, 3), torch.ones(4, 3), torch.ones(4).double()),
        (torch.ones(2, 3).half(), torch.ones(4, 3), None),
        (torch.ones(()), torch.ones(4, 3), None),
    ],
)
def test_errors_are_torchs(wrong: Any) -> None:
    found = []
    for run in (linear, F.linear):
        with pytest.raises(RuntimeError) as error:
            run(*wrong)
        found.append(str(error.value))
    assert found[0] == found[1]


def test_what_torch_takes_beyond_that() -> None:
    x, weight = torch.randn(6, 3), torch.randn(3)
    assert linear(x, weight).equal(F.linear(x, weight))
    half = torch.randn(6, 3, dtype=torch.bfloat16)
    assert linear(half, half).equal(F.linear(half, half))
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        assert linear(x, x).dtype is torch.bfloat16
    meta = linear(torch.empty(2, 3, device="meta"), torch.empty(4, 3, device="meta"))
    assert meta.shape == (2, 4)


def test_another_engine_has_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight = torch.randn(6, 300), torch.randn(17, 300)
    monkeypatch.setattr("recurra.engines.cpu.linear.run", lambda *_: pytest.fail("the core ran"))
    for engine in ("torch_native", "reference"):
        with use_engine(engine):
            assert linear(x, weight).equal(F.linear(x, weight))


def test_transforms(assert_close: Any) -> None:
    x, weight, bias = torch.randn(6, 30), torch.randn(17, 30), torch.randn(17)
    assert_close(torch.func.vmap(linear, (0, None, None))(x, weight, bias), F.linear(x, weight, bias))
    slopes = [torch.func.jacrev(run)(x[0], weight, bias) for run in (linear, F.linear)]
    assert_close(*slopes)
    values = [torch.func.jvp(lambda x, run=run: run(x, weight), (x,), (x,))[1] for run in (linear, F.linear)]
    assert_close(*values)


@pytest.mark.parametrize("dynamic", [False, True])
def test_compiled_it_is_one_operator_and_has_its_bits(dynamic: bool) -> None:
    torch._dynamo.reset()
    model, graphs = Head(), []

    def backend(graph: torch.fx.GraphModule, _: Any) -> Any:
        graphs.append([str(node.target) for node in graph.graph.nodes])
        return graph.forward

    compiled = torch.compile(model, backend=backend, fullgraph=True, dynamic=dynamic)
    with torch.no_grad():
        for rows in (3, 8):
            x = torch.randn(4, rows, 7)
            assert compiled(x).equal(model(x))
    assert all(nodes.count("recurra.linear.default") == 1 for nodes in graphs)
    assert graphs
    y = compiled(torch.randn(4, 3, 7))
    assert y.requires_grad
    assert "recurra.linear.default" not in graphs[-1]


def test_compiled_ahead_of_autograd() -> None:
    torch._dynamo.reset()
    model, x = Head(), torch.randn(4, 3, 7)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    with torch.no_grad():
        assert compiled(x).equal(model(x))
    assert compiled(x).requires_grad


def test_exported_it_is_one_operator_and_has_its_bits(tmp_path: Any) -> None:
    model, x = Head().eval(), torch.randn(4, 3, 7)
    rows = torch.export.Dim("rows", min=1)
    with torch.no_grad():
        program = torch.export.export(model, (x,), dynamic_shapes=({1: rows},))
        torch.export.save(program, tmp_path / "head.pt2")
        loaded = torch.export.load(tmp_path / "head.pt2").module()
        nodes = [str(node.target) for node in program.graph.nodes]
        assert nodes.count("recurra.linear.default") == 1
        for count in (3, 11):
            x = torch.randn(4, count, 7)
            assert loaded(x).equal(model(x))


def test_the_operator_is_well_made(dtype: torch.dtype) -> None:
    for leaf in (False, True):
        x = torch.randn(2, 6, 7, dtype=dtype, requires_grad=leaf)
        weight, bias = (torch.randn(*size, dtype=dtype, requires_grad=leaf) for size in ((5, 7), (5,)))
        for given in ((x, weight, bias), (x, weight, None)):
            torch.library.opcheck(torch.ops.recurra.linear.default, given)
    torch.autograd.gradcheck(
        torch.ops.recurra.linear, [t.double().detach().requires_grad_() for t in (x, weight, bias)]
    )


def test_the_operator_under_a_profiler_and_in_modes() -> None:
    x, weight = torch.randn(6, 300), torch.randn(17, 300)
    expected = linear(x, weight)
    with torch.profiler.profile() as profile:
        assert linear(x, weight).equal(expected)
    assert "recurra::linear" in {event.key for event in profile.key_averages()}
    with torch._subclasses.FakeTensorMode() as mode:
        assert linear(mode.from_tensor(x), mode.from_tensor(weight)).shape == (6, 17)
    traced = torch.fx.experimental.proxy_tensor.make_fx(lambda x, w: linear(x, w, None))(x, weight)
    assert [str(n.target) for n in traced.graph.nodes].count("recurra.linear.default") == 1
    assert torch.jit.trace(lambda x, w: linear(x, w, None), (x, weight))(x, weight).equal(expected)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            (torch.ones(2, 3), torch.ones(4, 5), None),
            r"Expected 5 inputs, got 3\. Give as many as the weights take\.",
        ),
        ((torch.ones(2, 3), torch.ones(4, 3).double(), None), "mat1 and mat2 must have the same dtype"),
        (
            (torch.ones(2, 3), torch.ones(4, 3), torch.ones(4).double()),
            "mat1 and mat2 must have the same dtype, but got Double and Float",
        ),
        (
            (torch.ones(2, 3), torch.ones(4, 3), torch.ones(5)),
            r"Expected a tensor of size \(4,\), got \(5,\)\. Give one value for each place\.",
        ),
        (
            (torch.ones(2, 3), torch.ones(3), None),
            r"Expected rows and a matrix, got 2 and 1 dimensions\. Give x \(…, I\) and a weight \(O, I\)\.",
        ),
        (
            (torch.ones(2, 3).half(), torch.ones(4, 3).half(), None),
            r"Expected an input in float32 or float64, got torch\.float16\. Convert it: x\.float\(\)\.",
        ),
    ],
)
def test_the_operators_own_errors(wrong: Any, words: str) -> None:
    with pytest.raises(RuntimeError, match=words):
        torch.ops.recurra.linear(*wrong)
