"""The core's operators as PyTorch treats any of its own: autograd, views, hooks, modes and mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from recurra import nn
from recurra.engines import use_engine

LAYERS = [
    nn.RNN(3, 4),
    nn.GRU(3, 4, 2, bidirectional=True),
    nn.LSTM(3, 4, 2, bidirectional=True, proj_size=2),
    nn.GRU(3, 4, reset_after=False),
    nn.LSTM(3, 4, peephole=True),
]
FULL = 9  # the place of this argument
RAGGED: dict[str, Any] = {
    "lengths": torch.tensor([5, 0, 3]),
    "reset": torch.tensor([[0, 0, 1, 0, 1], [0] * 5, [1, 0, 0, 1, 1]], dtype=torch.bool),
}


IN_PLACE: list[tuple[Any, dict[str, Any]]] = [
    (kind, options)
    for kind in (nn.RNN, nn.GRU, nn.LSTM)
    for options in ({}, {"batch_first": True}, {"num_layers": 2}, {"bidirectional": True})
]
IN_PLACE += [(nn.LSTM, {"proj_size": 2})]


@pytest.fixture(autouse=True)
def _on_the_core() -> Iterator[None]:
    with use_engine("cpu"):
        yield


def results(layer: Any, x: Tensor, state: Any = None, **given: Any) -> list[Tensor]:
    """y, the last state, and every gradient of a sum of them with weights of its own."""
    y, new = layer(x, state, **given)
    outputs = [y, *((new,) if isinstance(new, Tensor) else new)]
    torch.manual_seed(1)
    total = torch.stack([(out * torch.randn_like(out)).sum() for out in outputs]).sum()
    leaves = [leaf for leaf in (x, *layer.parameters()) if leaf.requires_grad]
    return [*outputs, *torch.autograd.grad(total, leaves)]


@pytest.mark.parametrize("given", [{}, RAGGED], ids=["whole", "ragged"])
@pytest.mark.parametrize("memory", ["stored", "recomputed", "checkpointed"])
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_pytorchs_own_checks(layer: Any, memory: str, given: dict[str, Any]) -> None:
    """Schema, autograd registration, fake kernels against real ones, and both under symbolic sizes."""
    found: list[tuple[Any, tuple[Any, ...]]] = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, op: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
            if op.namespace == "recurra":
                found.append((op, args))
            return op(*args, **(kwargs or {}))

    layer.memory = memory
    x = torch.randn(5, 3, 3, requires_grad=True)
    with Watch():
        results(layer, x, **given)
        with torch.no_grad():
            layer(x, **given)
    layer.memory = "stored"
    assert {op.name() for op, _ in found} == {
        "recurra::layer",
        "recurra::layer_saving",
        "recurra::layer_backward",
    }
    for op, given_args in found:
        checks = ["test_schema", "test_faketensor"]
        args = [a.detach().requires_grad_() if a is x else a for a in given_args]
        if op.name() == "recurra::layer":
            checks += ["test_autograd_registration"]
            checks += ["test_aot_dispatch_dynamic"] if memory != "checkpointed" else []
        if op.name() != "recurra::layer_backward":
            args[FULL] = True  # whoever traces does not know the lengths, so nothing may depend on them
        torch.library.opcheck(op, tuple(args), test_utils=checks)


@pytest.mark.parametrize("memory", ["stored", "recomputed", "checkpointed"])
def test_outputs_may_be_changed_in_place(memory: str) -> None:
    layer, x = nn.GRU(3, 4, bidirectional=True, memory=memory), torch.randn(5, 2, 3, requires_grad=True)
    found = []
    for changed in (False, True):
        y, h = layer(x)
        y, h = (y.relu_(), h.mul_(2)) if changed else (y.relu(), h * 2)
        found.append(torch.autograd.grad(y.sum() + h.sum(), [x, *layer.parameters()]))
    torch.testing.assert_close(*found, rtol=0, atol=0)


@pytest.mark.parametrize("memory", ["stored", "recomputed", "checkpointed"])
@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize(("kind", "options"), IN_PLACE)
def test_an_output_changed_in_place_gives_right_gradients_or_an_error(
    kind: Any, options: dict[str, Any], batched: bool, memory: str
) -> None:
    layer = kind(3, 4, memory=memory, **options)
    x = torch.randn(*([5, 2, 3] if batched else [5, 3]), requires_grad=True)
    leaves = [x, *layer.parameters()]
    for change in (lambda y: y.zero_(), lambda y: y[1:].mul_(3), lambda y: y.unsqueeze(0).add_(1)):
        y, _ = layer(x)
        expected = torch.autograd.grad(y.sin().sum(), leaves)
        y, _ = layer(x)
        total = y.clone().sin().sum()
        with torch.no_grad():
            change(y)
        try:
            found = torch.autograd.grad(total, leaves)
        except RuntimeError as error:
            assert "modified by an inplace operation" in str(error)  # noqa: PT017
        else:
            torch.testing.assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.parametrize("what", ["input", "state", "weight"])
def test_inputs_may_not(what: str) -> None:
    layer = nn.GRU(3, 4)
    x, h = torch.randn(5, 2, 3), torch.randn(1, 2, 4)
    y, _ = layer(x, h)
    with torch.no_grad():
        {"input": x, "state": h, "weight": layer.weight_hh_l0}[what].mul_(2)
    with pytest.raises(RuntimeError, match="has been modified by an inplace operation"):
        y.sum().backward()


def test_a_backward_pass_may_be_run_again() -> None:
    for memory in ("stored", "recomputed", "checkpointed"):
        layer, x = nn.LSTM(3, 4, 2, memory=memory), torch.randn(5, 2, 3)
        y, _ = layer(x)
        once = torch.autograd.grad(y.sum(), list(layer.parameters()), retain_graph=True)
        again = torch.autograd.grad(y.sum(), list(layer.parameters()))
        torch.testing.assert_close(once, again, rtol=0, atol=0)
        with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
            y.sum().backward()


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_each_gradient_alone_is_the_same(layer: Any) -> None:
    x, parameters = torch.randn(5, 3, 3), list(layer.parameters())
    everything = results(layer, x.clone().requires_grad_(), **RAGGED)
    outputs = len(everything) - len(parameters) - 1
    all_of_them = everything[outputs + 1 :]
    (of_x,) = everything[outputs : outputs + 1]
    try:
        for wanted in parameters:
            for p in parameters:
                p.requires_grad_(p is wanted)
            (alone,) = results(layer, x, **RAGGED)[outputs:]
            (expected,) = (g for p, g in zip(parameters, all_of_them, strict=True) if p is wanted)
            assert alone.equal(expected)
        for p in parameters:
            p.requires_grad_(False)
        assert results(layer, x.requires_grad_(), **RAGGED)[outputs].equal(of_x)
    finally:
        for p in parameters:
            p.requires_grad_()


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_any_view_of_the_input(layer: Any) -> None:
    x = torch.randn(5, 3, 3)
    expected = results(layer, x.clone().requires_grad_(), **RAGGED)
    wide = torch.zeros(10, 6, 12)
    wide[::2, ::2, :3] = x
    sparse = torch.zeros(5, 3, 6)
    sparse[..., ::2] = x
    views = {
        "rows first": x.transpose(0, 1).contiguous().transpose(0, 1),
        "features first": x.permute(2, 0, 1).contiguous().permute(1, 2, 0),
        "part of a larger one": wide[::2, ::2, :3],
        "every second feature": sparse[..., ::2],
    }
    for name, view in views.items():
        found = results(layer, view.detach().requires_grad_(), **RAGGED)
        assert all(a.equal(b) for a, b in zip(found, expected, strict=True)), name


def test_inputs_and_gradients_that_repeat_or_overlap() -> None:
    layer = nn.GRU(3, 4)
    for x in (torch.randn(1, 1, 3).expand(5, 2, 3), torch.randn(9).as_strided((5, 2, 3), (1, 1, 1))):
        y, _ = layer(x)
        assert y.equal(layer(x.contiguous())[0])
        expanded = torch.autograd.grad(y.sum(), list(layer.parameters()), retain_graph=True)
        whole = torch.autograd.grad(y, list(layer.parameters()), torch.ones_like(y))
        torch.testing.assert_close(expanded, whole, rtol=0, atol=0)


def test_outputs_that_nothing_is_asked_of() -> None:
    layer, x = nn.LSTM(3, 4, 2, bidirectional=True), torch.randn(5, 2, 3, requires_grad=True)
    y, (h, c) = layer(x)
    outputs = (y, h, c)
    alone = [torch.autograd.grad(out.sum(), x, retain_graph=True)[0] for out in outputs]
    (together,) = torch.autograd.grad(y.sum() + h.sum() + c.sum(), x)
    torch.testing.assert_close(sum(alone), together)


def test_one_weight_in_two_places() -> None:
    layer, x = nn.GRU(4, 4), torch.randn(5, 2, 4)
    separate = torch.autograd.grad(layer(x)[0].sum(), [layer.weight_ih_l0, layer.weight_hh_l0])
    layer.weight_hh_l0 = layer.weight_ih_l0
    (shared,) = torch.autograd.grad(layer(x)[0].sum(), [layer.weight_ih_l0])
    layer.weight_hh_l0 = torch.nn.Parameter(layer.weight_ih_l0.detach().clone())
    apart = torch.autograd.grad(layer(x)[0].sum(), [layer.weight_ih_l0, layer.weight_hh_l0])
    torch.testing.assert_close(shared, apart[0] + apart[1])
    assert separate[0].shape == shared.shape


def test_an_input_computed_from_a_weight_differentiated_twice() -> None:
    layer = nn.GRU(3, 4).double()

    def penalty() -> Tensor:
        x = layer.weight_ih_l0[:10].tanh().reshape(5, 2, 3)
        (g,) = torch.autograd.grad(layer(x)[0].sin().sum(), layer.weight_ih_l0, create_graph=True)
        return g.square().sum()

    (found,) = torch.autograd.grad(penalty(), layer.weight_ih_l0)
    with use_engine("reference"):
        (expected,) = torch.autograd.grad(penalty(), layer.weight_ih_l0)
    torch.testing.assert_close(found, expected)


def test_hooks_on_saved_tensors_see_everything() -> None:
    layer, x = nn.GRU(3, 4, memory="recomputed"), torch.randn(5, 2, 3, requires_grad=True)
    expected = results(layer, x)
    packed: list[Tensor] = []

    def pack(tensor: Tensor) -> int:
        packed.append(tensor.clone())
        return len(packed) - 1

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda k: packed[k]):
        y, _ = layer(x)
    assert any(p.shape == y.shape and p.equal(y) for p in packed)
    grads = torch.autograd.grad(y.sum(), [x, *layer.parameters()])
    torch.testing.assert_close(
        grads, torch.autograd.grad(layer(x)[0].sum(), [x, *layer.parameters()]), rtol=0, atol=0
    )
    with torch.autograd.graph.save_on_cpu():
        found = results(layer, x)
    assert all(a.equal(b) for a, b in zip(found, expected, strict=True))


def test_activation_checkpoints() -> None:
    layer, x = nn.GRU(3, 4, 2), torch.randn(5, 2, 3, requires_grad=True)
    expected = results(layer, x)

    class Wrapped(torch.nn.Module):
        def forward(self, x: Tensor, state: Any) -> Any:
            return checkpoint(layer, x, state, use_reentrant=False)

        def parameters(self, recurse: bool = True) -> Any:
            return layer.parameters(recurse)

    assert all(a.equal(b) for a, b in zip(results(Wrapped(), x), expected, strict=True))


def test_gradients_in_batches() -> None:
    layer, x = nn.LSTM(3, 4), torch.randn(3, 2, 3, requires_grad=True)
    y, _ = layer(x)
    vectors = torch.randn(5, *y.shape)
    (together,) = torch.autograd.grad(y, x, vectors, is_grads_batched=True, retain_graph=True)
    alone = torch.stack([torch.autograd.grad(y, x, v, retain_graph=True)[0] for v in vectors])
    torch.testing.assert_close(together, alone)
    jacobian = torch.autograd.functional.jacobian(lambda x: layer(x)[0], x.detach(), vectorize=True)
    torch.testing.assert_close(
        jacobian, torch.autograd.functional.jacobian(lambda x: layer(x)[0], x.detach())
    )


def test_modes_without_gradients() -> None:
    layer, x = nn.GRU(3, 4, 2), torch.randn(5, 2, 3)
    expected = layer(x)[0]
    assert expected.requires_grad
    with torch.no_grad():
        assert not layer(x)[0].requires_grad
        assert layer(x)[0].equal(expected)
    with torch.inference_mode():
        y = layer(x)[0]
        assert y.is_inference()
        assert y.equal(expected)
        assert layer(x.clone())[0].equal(expected)
        made_here = nn.GRU(3, 4)
        made_here(x)
    for p in layer.parameters():
        p.requires_grad_(False)
    assert not layer(x)[0].requires_grad


def test_a_negative_view_is_read_as_its_values() -> None:
    layer, x = nn.GRU(3, 4), torch.randn(5, 2, 3)
    lazy = torch._neg_view(x)
    with torch.no_grad():
        assert layer(lazy)[0].equal(layer(-x)[0])


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_a_trace() -> None:
    layer, x = nn.LSTM(3, 4, 2, bidirectional=True), torch.randn(5, 2, 3)
    traced = torch.jit.trace(layer, (x,))
    other = torch.randn(7, 3, 3)
    torch.testing.assert_close(traced(other), layer(other))
    assert traced(other)[0].requires_grad


def test_who_watches_sees_the_operator() -> None:
    layer, x = nn.GRU(3, 4), torch.randn(5, 2, 3)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        layer(x)[0].sum().backward()
    names = {event.key for event in profile.key_averages()}
    assert {"recurra::layer", "recurra::layer_saving", "recurra::layer_backward"} <= names

    seen: list[str] = []

    class Watch(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append(str(func))
            return func(*args, **(kwargs or {}))

    with Watch():
        layer(x)
    assert "recurra.layer.default" in seen


def test_another_default_device_changes_nothing() -> None:
    layer, x = nn.LSTM(3, 4, 2), torch.randn(5, 2, 3)
    expected = layer(x)[0]
    with torch.device("meta"):
        assert layer(x)[0].equal(expected)


def test_inside_an_operator_no_graph_is_built() -> None:
    layer = nn.GRU(3, 4)

    @torch.library.custom_op("recurra_tests::run", mutates_args=())
    def run(x: Tensor) -> Tensor:
        assert torch.is_grad_enabled()
        y: Tensor = layer(x)[0]
        assert not y.requires_grad
        return y

    x = torch.randn(5, 2, 3)
    assert run(x).equal(layer(x)[0])


def test_fake_tensors_go_through(assert_close: Any) -> None:
    with torch._subclasses.FakeTensorMode(allow_non_fake_inputs=True):
        layer = nn.LSTM(3, 4, 2, bidirectional=True, batch_first=True)
        y, (h, c) = layer(torch.empty(2, 5, 3))
        y.sum().backward()
    assert (y.shape, h.shape, c.shape) == ((2, 5, 8), (4, 2, 4), (4, 2, 4))
    assert layer.weight_hh_l1.grad.shape == (16, 4)


MISTAKES: list[tuple[str, Any, Any, str]] = [
    (
        "state",
        None,
        torch.zeros(1, 2, 4).double(),
        "mat1 and mat2 must have the same dtype, but got Double and",
    ),
    (
        "state",
        None,
        torch.zeros(1, 2, 4).half(),
        "mat1 and mat2 must have the same dtype, but got Half and Float",
    ),
    (
        "state",
        None,
        torch.zeros(1, 2, 4, device="meta"),
        "Input and hidden tensors are not at the same device, found input tensor at cpu and hidden tensor at",
    ),
    (
        "input",
        torch.zeros(5, 2, 3, device="meta"),
        None,
        "Input and parameter tensors are not at the same device, found input tensor at meta and parameter",
    ),
]


@pytest.mark.parametrize(("what", "x", "h", "text"), MISTAKES)
def test_mistakes_are_told_as_by_pytorch(what: str, x: Any, h: Any, text: str) -> None:
    x = torch.zeros(5, 2, 3) if x is None else x
    for kind in (nn.GRU, torch.nn.GRU):
        with pytest.raises(RuntimeError, match=f"^{text}"):
            kind(3, 4)(x, h)


def test_weights_that_do_not_fit() -> None:
    x = torch.randn(5, 2, 3)
    layer = nn.GRU(3, 4)
    layer.weight_hh_l0 = torch.nn.Parameter(torch.zeros(12, 5))
    with pytest.raises(
        RuntimeError, match=r"Expected weights of sizes .* Give the layer weights of the sizes"
    ):
        layer(x)
    layer = nn.GRU(3, 4)
    layer.bias_hh_l0 = torch.nn.Parameter(torch.zeros(3))
    with pytest.raises(RuntimeError, match=r"\(12,\), \(12,\)\], got .* \(12,\), \(3,\)\]\. Give the layer"):
        layer(x)
    layer = nn.GRU(3, 4)
    layer.bias_hh_l0 = torch.nn.Parameter(torch.zeros(12).double())
    with pytest.raises(
        RuntimeError, match="mat1 and mat2 must have the same dtype, but got Double and Float"
    ):
        layer(x)
    layer = nn.GRU(3, 4)
    layer.bias_hh_l0 = torch.nn.Parameter(torch.zeros(12, device="meta"))
    with pytest.raises(RuntimeError, match="Input and parameter tensors are not at the same device"):
        layer(x)


def test_the_operator_itself_trusts_nobody() -> None:
    x, h = torch.zeros(5, 2, 3), torch.zeros(1, 2, 4)
    weights = [torch.zeros(12, 3), torch.zeros(12, 4)]
    ragged = {"lengths": None, "reset": None}

    def run(x: Tensor = x, h: Any = None, weights: list[Tensor] = weights, **told: Any) -> Any:
        lengths, reset = (ragged | told).values()
        return torch.ops.recurra.layer(
            x, h, None, weights, lengths, reset, "gru", False, False, False, "stored", 0
        )

    assert run()[0].shape == (5, 2, 4)
    for given, text in (
        (
            {"x": x.half(), "weights": [w.half() for w in weights]},
            "Expected an input in float32 or float64, got",
        ),
        ({"x": torch.zeros(5, 2, 4)}, r"Expected 3 inputs, got 4\. Give as many as the weights take\."),
        (
            {"h": h[:, :1]},
            r"Expected a tensor of size \(1, 2, 4\), got \(1, 1, 4\)\. Give one value for each",
        ),
        ({"h": h.double()}, "mat1 and mat2 must have the same dtype, but got Double and Float"),
        ({"weights": weights[:1]}, r"Expected matrices of weights, got sizes \[\(12, 3\)\]\. Give the layer"),
        ({"weights": [weights[0], torch.zeros(12)]}, r"Expected matrices of weights, got sizes"),
        (
            {"weights": [*weights, torch.zeros(12)]},
            r"Expected weights of sizes \[\(12, 3\), \(12, 4\)\], got",
        ),
        ({"lengths": torch.tensor([5])}, r"Expected a tensor of size \(2,\), got \(1,\)"),
        ({"lengths": torch.tensor([5.0, 1.0])}, "must have the same dtype, but got Float and Long"),
        ({"reset": torch.zeros(2, 5).bool()}, r"Expected a tensor of size \(5, 2\), got \(2, 5\)"),
    ):
        with pytest.raises(RuntimeError, match=text):
            run(**given)
    outside = run(lengths=torch.tensor([9, -1]))[0]
    assert outside.equal(run(lengths=torch.tensor([5, 0]))[0])


def test_autocast_computes_in_the_weights_precision() -> None:
    layer, x = nn.LSTM(3, 4), torch.randn(5, 2, 3, requires_grad=True)
    expected = results(layer, x)
    with torch.autocast("cpu", torch.bfloat16):
        found = results(layer, x)
    assert all(a.equal(b) for a, b in zip(found, expected, strict=True))
    with torch.autocast("cpu", torch.bfloat16):
        y, (h, c) = layer(x.bfloat16(), (torch.zeros(1, 2, 4).bfloat16(), torch.zeros(1, 2, 4)))
        step = nn.GRUCell(3, 4)(x[0].bfloat16())
    assert y.dtype == h.dtype == c.dtype == step.dtype == torch.float32
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.dtype == torch.float32


def test_dropout_between_layers_draws_what_pytorch_draws(assert_close: Any) -> None:
    for name in ("RNN", "GRU", "LSTM"):
        for batch_first in (False, True):
            options = {"num_layers": 3, "dropout": 0.5, "batch_first": batch_first}
            ours, theirs = getattr(nn, name)(3, 8, **options), getattr(torch.nn, name)(3, 8, **options)
            theirs.load_state_dict(ours.state_dict())
            x, found = torch.randn(5, 7, 3), []
            for layer in (ours, theirs):
                torch.manual_seed(2)
                found.append(layer(x))
            assert_close(*found)
