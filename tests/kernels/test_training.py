"""What training asks of a layer besides right gradients."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from forms import FORMS, MEMORY, Form, batch, only, outcome, same_bits
from torch import Tensor

from recurra import nn
from recurra.engines import use_engine


@pytest.mark.parametrize("memory", MEMORY)
@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_the_losses_of_pytorch(name: str, memory: str) -> None:
    """Forty steps of Adam on a small task: the same losses, to within the noise of float32."""
    torch.manual_seed(1)
    x = torch.randn(32, 12, 6)
    target = x[:, 0, :1] * x[:, 5, 1:2]
    losses = []
    for module, options in ((nn, {"memory": memory}), (torch.nn, {})):
        torch.manual_seed(2)
        layer = getattr(module, name)(6, 20, num_layers=2, batch_first=True, **options)
        head = torch.nn.Linear(20, 1)
        optimizer = torch.optim.Adam([*layer.parameters(), *head.parameters()], lr=0.01)
        losses.append([])
        for _ in range(40):
            optimizer.zero_grad()
            loss = (head(layer(x)[0][:, -1]) - target).square().mean()
            loss.backward()
            optimizer.step()
            losses[-1].append(loss.item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert losses[0][-1] < 0.95 * losses[0][0]


def test_training_twice_gives_the_same_weights(form: Form) -> None:
    trained = []
    for count in (1, 3):
        torch.manual_seed(3)
        layer = form(5, 19, num_layers=2, dropout=0.3)
        optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
        before = torch.get_num_threads()
        torch.set_num_threads(count)
        for step in range(10):
            optimizer.zero_grad()
            y, _ = layer(batch(layer, 7, 9, step).x)
            y.square().mean().backward()
            optimizer.step()
        torch.set_num_threads(before)
        trained.append({name: p.detach() for name, p in layer.named_parameters()})
    same_bits(*trained)


def test_state_carried_from_batch_to_batch(form: Form) -> None:
    """Truncated backpropagation: each chunk's gradients stop where it begins."""
    layer = form(5, 19, num_layers=2)
    given = batch(layer, 12, 3)
    state: Any = given.state
    for k in range(3):
        part = given.x[4 * k : 4 * k + 4]
        y, new = layer(part, state if len(state) > 1 else state[0])
        y.sum().backward()
        state = tuple(s.detach() for s in ((new,) if isinstance(new, Tensor) else new))
    whole = outcome(layer, given, backward=False)
    same_bits(
        {f"{n}_n": s for n, s in zip(layer.cell.states, state, strict=True)}, only(whole, ("h_n", "c_n"))
    )


def test_grad_mode_inside_out(form: Form) -> None:
    layer = form(5, 19)
    x = torch.randn(6, 3, 5)
    y, _ = layer(x)
    assert y.requires_grad
    with torch.no_grad():
        assert not layer(x)[0].requires_grad
    with torch.inference_mode():
        assert layer(x)[0].is_inference()
    for parameter in layer.parameters():
        parameter.requires_grad_(False)
    assert not layer(x)[0].requires_grad
    x.requires_grad_()
    y, _ = layer(x)
    assert y.requires_grad
    y.sum().backward()
    assert x.grad is not None
    assert all(parameter.grad is None for parameter in layer.parameters())


def test_tensors_made_in_inference_mode_may_be_given_later(form: Form) -> None:
    layer = form(5, 19)
    with torch.inference_mode():
        x = torch.randn(6, 3, 5)
        expected = layer(x)[0]
    with torch.no_grad():
        assert layer(x)[0].equal(expected)
    assert layer(x.clone())[0].detach().equal(expected.clone())


@pytest.mark.parametrize("memory", MEMORY)
@pytest.mark.parametrize("ragged", [False, True], ids=["whole", "ragged"])
def test_second_derivatives_are_the_references(
    form: Form, memory: str, ragged: bool, assert_close: Any
) -> None:
    layer = form(5, 19, num_layers=2, bidirectional=True, memory=memory, dtype=torch.float64)
    given = batch(layer, 7, 4)
    told = {"lengths": torch.tensor([7, 2, 0, 5]), "reset": torch.rand(4, 7) < 0.2} if ragged else {}
    found = []
    for engine in ("cpu", "reference"):
        with use_engine(engine):
            leaves = [given.x.detach().requires_grad_(), *(s.detach().requires_grad_() for s in given.state)]
            y, _ = layer(leaves[0], tuple(leaves[1:]) if len(leaves) > 2 else leaves[1], **told)
            leaves += list(layer.parameters())
            first = torch.autograd.grad(y, leaves, given.dy, create_graph=True)
            penalty = sum(g.square().sum() for g in first)
            second = torch.autograd.grad(penalty, leaves)  # type: ignore[arg-type]
            found.append((first, second))
    assert_close(found[0][0], found[1][0], "gradient")
    assert_close(found[0][1], found[1][1], "second gradient")


def test_a_graph_wanted_of_the_backward_changes_no_gradient(form: Form, assert_close: Any) -> None:
    layer = form(5, 19)
    given = batch(layer, 7, 4)
    y, _ = layer(given.x)
    weights = list(layer.parameters())
    plain = torch.autograd.grad(y, weights, given.dy, retain_graph=True)
    again = torch.autograd.grad(y, weights, given.dy, create_graph=True)
    assert_close([g.detach() for g in again], plain, "gradient")
    assert all(g.requires_grad for g in again)


@pytest.mark.parametrize("training", [True, False])
def test_dropout_between_layers(form: Form, training: bool) -> None:
    layer = form(5, 20, num_layers=2, dropout=0.5).train(training)
    x = torch.randn(6, 3, 5)
    torch.manual_seed(1)
    first = layer(x)[0]
    same = layer(x)[0]
    torch.manual_seed(1)
    assert layer(x)[0].equal(first)
    assert same.equal(first) is not training


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_autocast(form: Form, dtype: torch.dtype) -> None:
    """Products may be rounded to bfloat16 under autocast; gradients keep their precision."""
    layer = form(5, 19, num_layers=2, dtype=dtype)
    given = batch(layer, 12, 4)
    exact = outcome(layer, given)
    with torch.autocast("cpu", torch.bfloat16):
        for x in (given.x, given.x.bfloat16()):
            y, _ = layer(x.requires_grad_())
            assert y.dtype in (torch.float32, torch.float64, torch.bfloat16)
            plain = layer(given.x)[0].to(dtype)
            torch.testing.assert_close(y.to(dtype), plain, rtol=0, atol=0.05)
            y.float().sum().backward()
            assert all(p.grad is not None and p.grad.dtype is dtype for p in layer.parameters())
    same_bits(outcome(layer, given), exact, "afterwards")


def test_hooks_and_saved_tensors_on_their_way(form: Form) -> None:
    """Tensors kept for the backward pass may be packed away, as to disk, and unpacked again."""
    layer = form(5, 19, num_layers=2)
    given = batch(layer, 9, 4)
    expected = outcome(layer, given)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t.clone()):
        same_bits(outcome(layer, given), expected, "hooks")
    with torch.autograd.graph.save_on_cpu():
        same_bits(outcome(layer, given), expected, "save_on_cpu")
    with torch.autograd.detect_anomaly(check_nan=True):
        same_bits(outcome(layer, given), expected, "detect_anomaly")


@pytest.mark.parametrize("reentrant", [True, False])
def test_under_pytorchs_own_checkpointing(form: Form, reentrant: bool) -> None:
    layer = form(5, 19, num_layers=2)
    given = batch(layer, 9, 4)
    weights = list(layer.parameters())
    x = given.x.requires_grad_()
    expected = torch.autograd.grad(layer(x)[0], weights, given.dy)
    y = torch.utils.checkpoint.checkpoint(lambda x: layer(x)[0], x, use_reentrant=reentrant)
    y.backward(given.dy)
    assert all(p.grad is not None and p.grad.equal(g) for p, g in zip(weights, expected, strict=True))


@pytest.mark.parametrize("name", ["rnn", "gru_reset_before", "lstm", "lstm_peephole_projected"])
def test_compiled(name: str) -> None:
    """The same bits inside torch.compile, in one graph."""
    torch._dynamo.reset()
    layer = FORMS[name](5, 19, num_layers=2, bidirectional=True)
    given = batch(layer, 9, 4)
    told = {"lengths": torch.tensor([9, 2, 0, 5]), "reset": torch.rand(4, 9) < 0.2}
    compiled = torch.compile(deepcopy(layer), backend="aot_eager", fullgraph=True)
    for ragged in ({}, told):
        x = given.x.requires_grad_()
        results = []
        for run in (layer, compiled):
            y, _ = run(x, given.state if len(given.state) > 1 else given.state[0], **ragged)
            grads = torch.autograd.grad(y, [x, *run.parameters()], given.dy)
            results.append({"y": y.detach()} | {str(k): g for k, g in enumerate(grads)})
        same_bits(results[1], results[0], sorted(ragged))


@pytest.mark.slow
def test_compiled_by_inductor() -> None:
    torch._dynamo.reset()
    layer, head = nn.LSTM(5, 19, batch_first=True), torch.nn.Linear(19, 3)
    model = torch.nn.Module()
    model.layer, model.head = layer, head

    def forward(x: Tensor) -> Tensor:
        return head(layer(x.tanh())[0]).relu()

    compiled = torch.compile(forward, fullgraph=True)
    for rows in (4, 9):
        x = torch.randn(rows, 1000, 5)
        grads = [torch.autograd.grad(run(x).sum(), list(layer.parameters())) for run in (compiled, forward)]
        torch.testing.assert_close(compiled(x), forward(x), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(*grads, rtol=1e-4, atol=1e-4)
