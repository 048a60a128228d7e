"""`recurra.accelerate`: a PyTorch model becomes ours where it stands, and stays itself in all else."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils import parametrizations, parametrize, weight_norm

import recurra
from recurra import nn

CELLS = ("RNNCell", "GRUCell", "LSTMCell")
LAYERS = ("RNN", "GRU", "LSTM")


class Named(torch.nn.GRU):
    """A kind of a user's own, with a method and a default of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, batch_first=True, **kwargs)
        self.calls = 0

    def extra_repr(self) -> str:
        return "named, " + super().extra_repr()

    def last(self, x: Tensor) -> Tensor:
        self.calls += 1
        y: Tensor = self(x)[0]
        return y[:, -1]


class Residual(torch.nn.GRU):
    """One with a forward of its own, which nothing may replace."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        y: Tensor = super().forward(x)[0]
        return x + y


class Taken(torch.nn.LSTM):
    """One that uses a name of ours for something else."""

    def cell(self) -> str:
        return "mine"


class Model(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = torch.nn.LSTM(3, 4, 2, bidirectional=True, batch_first=True)
        self.tied = self.encoder
        self.middle = Named(8, 5)
        self.inner = torch.nn.ModuleList([torch.nn.RNN(5, 5, nonlinearity="relu", batch_first=True)])
        self.step = torch.nn.GRUCell(5, 6)
        self.head = torch.nn.Linear(6, 1)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.encoder(x)
        y = self.middle(y)[0]
        y = self.inner[0](y)[0]
        h = self.step(y[:, -1])
        out: Tensor = self.head(self.step(y[:, 0], h))
        return out


@pytest.fixture
def model() -> Model:
    return Model()


def test_results_and_gradients_stay(model: Model, assert_close: Any) -> None:
    x = torch.randn(4, 7, 3)
    found = []
    for _ in range(2):
        y = model(x)
        found.append((y, torch.autograd.grad(y.square().sum(), list(model.parameters()))))
        assert recurra.accelerate(model) is model
    assert_close(found[1][0], found[0][0])
    assert_close(found[1][1], found[0][1], "gradient")


def test_everything_else_stays(model: Model) -> None:
    parameters, names = dict(model.named_parameters()), list(model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    seen: list[str] = []
    model.encoder.register_forward_hook(lambda *_: seen.append("after"))
    model.encoder.register_forward_pre_hook(lambda *_: seen.append("before"))
    before = repr(model)
    recurra.accelerate(model)

    assert all(parameter is parameters[name] for name, parameter in model.named_parameters())
    assert list(model.state_dict()) == names
    assert repr(model) == before
    assert model.tied is model.encoder
    assert type(model.encoder) is nn.LSTM
    assert type(model.inner[0]) is nn.RNN
    assert type(model.step) is nn.GRUCell
    assert isinstance(model.encoder, torch.nn.LSTM)
    weight = model.encoder.weight_hh_l0.detach().clone()
    model(torch.randn(4, 7, 3)).sum().backward()
    optimizer.step()
    assert seen == ["before", "after"]
    assert not model.encoder.weight_hh_l0.equal(weight)


def test_doing_it_again_changes_nothing(model: Model) -> None:
    kinds = [type(module) for module in recurra.accelerate(model).modules()]
    assert [type(module) for module in recurra.accelerate(model).modules()] == kinds


@pytest.mark.parametrize("name", [*LAYERS, *CELLS])
def test_the_model_may_be_a_layer(name: str) -> None:
    layer = getattr(torch.nn, name)(3, 4)
    assert recurra.accelerate(layer) is layer
    assert type(layer) is getattr(nn, name)


def test_copies_pickles_and_checkpoints(model: Model) -> None:
    x = torch.randn(4, 7, 3)
    fresh = copy.deepcopy(model)
    y = recurra.accelerate(model)(x)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert [type(m) for m in other.modules()] == [type(m) for m in model.modules()]
        assert other(x).equal(y)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    plain = Model()
    plain.load_state_dict(torch.load(file))
    assert recurra.accelerate(plain)(x).equal(y)
    assert recurra.accelerate(fresh)(x).equal(y)


def test_a_kind_of_ones_own_keeps_its_methods() -> None:
    layer, x = Named(3, 4), torch.randn(2, 5, 3)
    expected = layer.last(x)
    recurra.accelerate(layer)
    assert isinstance(layer, Named)
    assert isinstance(layer, nn.GRU)
    assert type(layer).__name__ == "Named"
    assert repr(layer) == "Named(named, 3, 4, batch_first=True)"
    torch.testing.assert_close(layer.last(x), expected)
    assert layer.calls == 2
    assert layer(x, lengths=[5, 2])[0][1, 2:].eq(0).all()
    other = Named(3, 4)
    assert type(recurra.accelerate(other)) is type(layer)
    again = pickle.loads(pickle.dumps(layer))
    assert type(again) is type(layer)
    assert again.calls == 2
    assert again.last(x).equal(layer.last(x))


@pytest.mark.parametrize("when", ["before", "after"])
def test_weights_that_are_computed(when: str) -> None:
    x = torch.randn(5, 2, 3)
    layer = torch.nn.GRU(3, 4)
    expected = layer(x)[0]
    if when == "after":
        recurra.accelerate(layer)
    parametrizations.weight_norm(layer, "weight_hh_l0")
    recurra.accelerate(layer)
    assert isinstance(layer, nn.GRU)
    assert parametrize.type_before_parametrizations(layer) is nn.GRU
    torch.testing.assert_close(layer(x)[0], expected)
    layer(x)[0].sum().backward()
    assert layer.parametrizations.weight_hh_l0.original0.grad.abs().sum() > 0
    recurra.accelerate(layer)
    copied = recurra.accelerate(
        copy.deepcopy(parametrizations.weight_norm(torch.nn.GRU(3, 4), "weight_hh_l0"))
    )
    assert isinstance(copied, nn.GRU)
    parametrize.remove_parametrizations(layer, "weight_hh_l0")
    assert type(layer) is nn.GRU
    torch.testing.assert_close(layer(x)[0], expected)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_weights_that_a_hook_computes() -> None:
    layer, x = weight_norm(torch.nn.LSTM(3, 4), "weight_hh_l0"), torch.randn(5, 2, 3)
    expected = layer(x)[0]
    recurra.accelerate(layer)
    torch.testing.assert_close(layer(x)[0], expected)
    with torch.no_grad():
        layer.weight_hh_l0_g.mul_(2)
    assert not torch.allclose(layer(x)[0], expected)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_what_is_left_alone_and_what_is_said_of_it() -> None:
    parts = {
        "residual": Residual(3, 3),
        "taken": Taken(3, 4),
        "scripted": torch.jit.script(torch.nn.LSTM(3, 4)),
        "quantized": torch.ao.nn.quantized.dynamic.GRU(3, 4),
        "attribute": torch.nn.GRU(3, 4),
        "own": nn.GRU(3, 4),
        "narrow": torch.nn.GRU(3, 4, dtype=torch.bfloat16),
    }
    parts["attribute"].memory = torch.zeros(2)  # type: ignore[assignment]
    model = torch.nn.ModuleDict(parts)
    kinds = [type(module) for module in parts.values()]
    left = "PyTorch runs it, and recurra.accelerate leaves it alone: "
    expected = {
        "residual": left + "Residual has a forward of its own",
        "taken": left + "Taken has a 'cell' of its own",
        "scripted": left + "TorchScript has it in a form of its own",
        "quantized": left + "it is quantized",
        "attribute": left + "GRU has a 'memory' of its own",
        "own": "",
        "narrow": "PyTorch runs it, and would after recurra.accelerate(model): it runs on torch_native",
    }
    assert {found.name: found.why for found in recurra.explain(model).modules} == expected
    recurra.accelerate(model)
    assert [type(module) for module in parts.values()][:-1] == kinds[:-1]
    assert type(parts["narrow"]) is nn.GRU
    found = {found.name: found for found in recurra.explain(model).modules}
    assert found["narrow"].engine == "torch_native"
    assert {name: one.why for name, one in found.items() if name != "narrow"} == {
        name: why for name, why in expected.items() if name != "narrow"
    }


def test_explain_before_and_after(model: Model) -> None:
    before, after = recurra.explain(model), recurra.explain(recurra.accelerate(model))
    assert [one.name for one in before.modules] == ["encoder", "middle", "inner.0", "step"]
    assert {one.why for one in before.modules[:-1]} == {
        "PyTorch runs it: recurra.accelerate(model) makes it run on cpu"
    }
    assert before.modules[-1].why == (
        "PyTorch runs it, and would after recurra.accelerate(model): it runs on torch_native"
    )
    assert [one.engine for one in after.modules] == ["cpu", "cpu", "cpu", "torch_native"]
    assert str(after).startswith("encoder: LSTM(3, 4, num_layers=2, batch_first=True, bidirectional=True)\n")


def test_only_a_module_can_be() -> None:
    with pytest.raises(TypeError) as error:
        recurra.accelerate([torch.nn.GRU(3, 4)])  # type: ignore[type-var]
    assert str(error.value) == "Expected a torch.nn.Module, got list. Give the model itself."
