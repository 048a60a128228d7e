"""Ours in the place of torch.nn's: in code, in checkpoints and with the tools of PyTorch."""

from __future__ import annotations

import copy
import io
import os
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils import parametrizations, prune

from recurra import nn
from recurra.engines import use_engine

NAMES = ["RNN", "GRU", "LSTM", "RNNCell", "GRUCell", "LSTMCell"]
LAYERS = NAMES[:3]
MORE: list[Any] = [
    nn.GRU(3, 4, num_layers=2, reset_after=False),
    nn.LSTM(3, 4, num_layers=2, bidirectional=True, peephole=True, proj_size=2),
]


def pair(name: str, *args: Any, **options: Any) -> tuple[Any, Any]:
    """Our module and PyTorch's, each made with the same seed."""
    made = []
    for kind in (getattr(nn, name), getattr(torch.nn, name)):
        torch.manual_seed(3)
        made.append(kind(*args, **options))
    return made[0], made[1]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_module_with_the_same_weights(name: str) -> None:
    ours, theirs = pair(name, 3, 4)
    assert isinstance(ours, type(theirs))
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert all(a.equal(b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
    theirs.load_state_dict(ours.state_dict())
    ours.load_state_dict(theirs.state_dict())


@pytest.mark.parametrize("name", LAYERS)
def test_bit_for_bit_pytorch_on_its_own_kernels(name: str) -> None:
    ours, theirs = pair(name, 3, 4, num_layers=2, dropout=0.5, bidirectional=True, batch_first=True)
    x = torch.randn(5, 7, 3)
    for training in (True, False):
        results = []
        with use_engine("torch_native"):
            for module in (ours.train(training), theirs.train(training)):
                torch.manual_seed(5)
                results.append(module(x))
        torch.testing.assert_close(*results, rtol=0, atol=0)


def test_arguments_by_position() -> None:
    rnn = nn.RNN(3, 4, 2, "relu", False, True, 0.5, True)
    assert (rnn.num_layers, rnn.nonlinearity, rnn.bias, rnn.batch_first, rnn.dropout) == (
        2,
        "relu",
        False,
        True,
        0.5,
    )
    gru = nn.GRU(3, 4, 2, False, True, 0.5, True)
    assert (gru.num_layers, gru.bias, gru.batch_first, gru.dropout, gru.bidirectional) == (
        2,
        False,
        True,
        0.5,
        True,
    )


def test_the_state_by_position_and_under_either_name() -> None:
    for name in ("GRU", "GRUCell"):
        module = getattr(nn, name)(3, 4)
        x, h = (
            (torch.randn(5, 1, 3), torch.randn(1, 1, 4))
            if name == "GRU"
            else (torch.randn(5, 3), torch.randn(5, 4))
        )
        torch.testing.assert_close(module(x, h), module(x, hx=h), rtol=0, atol=0)
        torch.testing.assert_close(module(x, h), module(input=x, state=h), rtol=0, atol=0)
        with pytest.raises(
            TypeError, match=r"Expected one initial state, got state and hx\. Give one of them\."
        ):
            module(x, h, hx=h)


def test_options_of_the_wrong_type() -> None:
    with pytest.raises(TypeError, match="reset_after should be of type bool, got: int"):
        nn.GRU(3, 4, reset_after=1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="peephole should be of type bool, got: str"):
        nn.LSTM(3, 4, peephole="yes")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="proj_size argument is only supported for LSTM, not RNN or GRU"):
        nn.GRU(3, 4, proj_size=2)
    with pytest.raises(RuntimeError, match="Unknown nonlinearity: sin"):
        nn.RNNCell(3, 4, nonlinearity="sin")(torch.randn(1, 3))


WRONG_SHAPES: list[tuple[str, tuple[int, ...], tuple[int, ...] | None]] = [
    ("RNN", (3,), None),
    ("GRU", (2, 2, 2, 3), None),
    ("LSTM", (2, 2, 2, 3), None),
    ("GRU", (5, 2, 4), None),
    ("GRU", (5, 2, 3), (1, 2, 5)),
    ("GRU", (5, 2, 3), (1, 4)),
    ("GRU", (5, 3), (1, 1, 4)),
    ("LSTM", (5, 2, 3), (1, 3, 4)),
    ("LSTM", (5, 2, 3), (2, 4)),
    ("LSTM", (5, 3), (1, 1, 4)),
    ("RNNCell", (1, 2, 3), None),
    ("LSTMCell", (2, 3), (2, 1, 1, 4)),
    ("GRUCell", (2, 3), (4,)),
]


@pytest.mark.parametrize(("name", "x", "h"), WRONG_SHAPES)
def test_errors_are_pytorchs_to_the_letter(name: str, x: tuple[int, ...], h: tuple[int, ...] | None) -> None:
    state: Any = None if h is None else torch.randn(h)
    state = (state, state) if name.startswith("LSTM") and h is not None else state
    texts = []
    for module in pair(name, 3, 4):
        with pytest.raises((RuntimeError, ValueError, IndexError)) as error:
            module(torch.randn(x), state)
        texts.append((error.type, str(error.value)))
    assert texts[0] == texts[1]


def test_one_tensor_is_no_state_of_an_lstm() -> None:
    x, both = torch.randn(5, 2, 3), torch.zeros(2, 1, 2, 4)
    for module in pair("LSTM", 3, 4):
        with pytest.raises(TypeError):
            module(x, both)
    with pytest.raises(
        TypeError, match=r"Expected the state to be a tuple of h and c, got one tensor\. Give"
    ):
        nn.LSTM(3, 4)(x, both)


@pytest.mark.parametrize("module", [*MORE, nn.RNN(3, 4), nn.GRU(3, 4), nn.LSTM(3, 4)], ids=str)
def test_copies_pickles_and_checkpoints(module: Any) -> None:
    x = torch.randn(5, 2, 3)
    y, _ = module(x)
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    loaded = copy.deepcopy(module)
    loaded.reset_parameters()
    loaded.load_state_dict(torch.load(file))
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), loaded):
        assert repr(other) == repr(module)
        assert other(x)[0].equal(y)
        assert not {p.data_ptr() for p in other.parameters()} & {p.data_ptr() for p in module.parameters()}


def test_a_class_may_be_swapped_in_place(assert_close: Any) -> None:
    for name in NAMES:
        _, theirs = pair(name, 3, 4)
        x = torch.randn(5, 3)
        expected = theirs(x)
        theirs.__class__ = getattr(nn, name)
        assert_close(theirs(x), expected)


def test_peepholes_are_named_and_drawn_like_the_rest() -> None:
    plain, peephole = pair("LSTM", 3, 4, bidirectional=True)[0], None
    torch.manual_seed(3)
    peephole = nn.LSTM(3, 4, bidirectional=True, peephole=True)
    extra = {name: p for name, p in peephole.named_parameters() if name not in dict(plain.named_parameters())}
    assert {name: tuple(p.shape) for name, p in extra.items()} == {
        "weight_peephole_l0": (3, 4),
        "weight_peephole_l0_reverse": (3, 4),
    }
    assert all(0 < p.abs().max() <= 0.5 for p in extra.values())
    assert all(p.equal(dict(peephole.named_parameters())[name]) for name, p in plain.named_parameters())
    assert [len(group) for group in peephole.all_weights] == [5, 5]
    assert repr(peephole) == "LSTM(3, 4, bidirectional=True, peephole=True)"
    assert repr(nn.GRU(3, 4, reset_after=False)) == "GRU(3, 4, reset_after=False)"


@pytest.mark.parametrize("module", [*MORE, nn.GRU(3, 4)], ids=str)
def test_moving_and_casting(module: Any) -> None:
    double = copy.deepcopy(module).double()
    y, _ = double(torch.randn(5, 2, 3, dtype=torch.float64))
    assert y.dtype == torch.float64
    module.flatten_parameters()
    assert copy.deepcopy(module).to("meta")(torch.randn(5, 2, 3, device="meta"))[0].shape == y.shape


@pytest.mark.parametrize("module", [*MORE, nn.GRU(3, 4)], ids=str)
def test_weights_that_are_computed(module: Any) -> None:
    x = torch.randn(5, 2, 3)
    y, _ = module(x)
    normed = parametrizations.weight_norm(copy.deepcopy(module), "weight_hh_l0")
    torch.testing.assert_close(normed(x)[0], y)
    normed(x)[0].sum().backward()
    assert normed.parametrizations.weight_hh_l0.original0.grad.abs().sum() > 0
    with torch.no_grad():
        normed.parametrizations.weight_hh_l0.original0.mul_(2)
    assert not torch.allclose(normed(x)[0], y)

    pruned = prune.l1_unstructured(copy.deepcopy(module), "weight_hh_l0", amount=0.5)
    assert not torch.allclose(pruned(x)[0], y)

    new = {name: p.detach() * 2 for name, p in module.named_parameters()}
    doubled = torch.func.functional_call(module, new, (x,))[0]
    assert not torch.allclose(doubled, y)
    assert module(x)[0].equal(y)


@pytest.mark.parametrize("name", LAYERS)
def test_autocast(name: str) -> None:
    module, x = getattr(nn, name)(3, 4), torch.randn(5, 2, 3)
    with torch.autocast("cpu", torch.bfloat16):
        y, _ = module(x)
        y_low, _ = module(x.bfloat16())
    torch.testing.assert_close(y.float(), module(x)[0], rtol=0, atol=0.02)
    torch.testing.assert_close(y_low.float(), module(x)[0], rtol=0, atol=0.02)
    peephole = nn.LSTM(3, 4, peephole=True)
    with torch.autocast("cpu", torch.bfloat16):
        y, _ = peephole(x.bfloat16())
    assert y.dtype == torch.float32
    torch.testing.assert_close(y, peephole(x.bfloat16().float())[0], rtol=0, atol=0)


def test_data_parallel_processes() -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        module = nn.LSTM(3, 4, peephole=True)
        parallel = torch.nn.parallel.DistributedDataParallel(module)
        x = torch.randn(5, 2, 3)
        parallel(x, lengths=[5, 2])[0].sum().backward()
        grads = [p.grad for p in module.parameters()]
        module.zero_grad()
        expected = torch.autograd.grad(module(x, lengths=[5, 2])[0].sum(), list(module.parameters()))
        torch.testing.assert_close(grads, list(expected))
    finally:
        torch.distributed.destroy_process_group()


def article(layer: Any) -> torch.nn.Module:
    """The model of many an article: hidden state in, the output at each step, a Linear on the last."""

    class Classifier(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden_size = 20
            self.rnn = layer(10, 20, batch_first=True)
            self.fc = torch.nn.Linear(20, 2)

        def forward(self, x: Tensor) -> Tensor:
            h0 = torch.zeros(1, x.size(0), self.hidden_size)
            out, _hn = self.rnn(x, h0)
            return self.fc(out[:, -1, :])

    torch.manual_seed(0)
    return Classifier()


def trained(model: torch.nn.Module) -> list[float]:
    """The losses while it learns whether the first step's first number is positive."""
    torch.manual_seed(1)
    x = torch.randn(64, 8, 10)
    labels = (x[:, 0, 0] > 0).long()
    optimizer, losses = torch.optim.Adam(model.parameters(), lr=0.01), []
    for _ in range(60):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_an_articles_example_runs_and_learns_unchanged() -> None:
    losses, theirs = trained(article(nn.RNN)), trained(article(torch.nn.RNN))
    assert losses == pytest.approx(theirs, rel=1e-3)
    assert losses[-1] < 0.3 * losses[0]
    with use_engine("torch_native"):
        assert trained(article(nn.RNN)) == theirs
