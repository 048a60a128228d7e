"""What the core's operators refuse: they are given addresses to read, so every size must be right."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

pytest.importorskip("recurra._core", reason="the compiled core is not built here")

from recurra import _core, nn
from recurra.engines import use_engine
from recurra.engines.cpu.ops import OPS

STEPS, ROWS, INPUTS, UNITS = 40, 21, 7, 33
GATES = {"rnn_tanh": 1, "gru": 3, "gru_reset_before": 3, "lstm": 4}
CASES = [(kind, memory) for kind in GATES for memory in ("stored", "recomputed", "checkpointed")]
ORDER = ("x", "h", "c", "weights", "lengths", "reset", "kind", "both_ways", "memory", "y", "saved")
ORDER += ("dy", "dh", "dc", "wanted")
Called = dict[str, Any]


def forward(kind: str, memory: str, both_ways: bool, dtype: torch.dtype = torch.float32) -> Called:
    """The arguments of the backward pass of a layer that ran forward."""
    directions, has_c = 1 + both_ways, kind == "lstm"
    sizes = [(GATES[kind] * UNITS, INPUTS), (GATES[kind] * UNITS, UNITS)] * directions
    weights = [torch.randn(size, dtype=dtype) / 8 for size in sizes]
    x = torch.randn(STEPS, ROWS, INPUTS, dtype=dtype)
    h, c = (torch.randn(directions, ROWS, UNITS, dtype=dtype) for _ in "hc")
    given = [x, h, c if has_c else None, weights, None, None, kind, both_ways]
    *results, saved = OPS.layer_saving(*given, False, False, memory, 0)
    dy, dh, *dc = (torch.randn_like(result) for result in results)
    rest = [
        memory,
        results[0],
        saved,
        dy,
        dh,
        dc[0] if has_c else None,
        [True, True, has_c] + [True] * len(weights),
    ]
    return dict(zip(ORDER, [*given, *rest], strict=True))


def backward(called: Called, **other: Any) -> list[Tensor]:
    found: list[Tensor] = OPS.layer_backward(*(called | other).values())
    return found


def mistakes(called: Called) -> dict[str, tuple[Called, str]]:
    """Arguments that are wrong, and what is said of them."""
    x, h, y, saved, dy, weights = (called[name] for name in ("x", "h", "y", "saved", "dy", "weights"))
    size, dtypes = "Expected a tensor of size", "must have the same dtype"
    found: dict[str, tuple[Called, str]] = {
        "memory is none": ({"memory": "none"}, "Expected a memory mode for gradients, one of"),
        "memory is unknown": ({"memory": "stord"}, "Expected a memory mode for gradients, one of"),
        "kind is unknown": ({"kind": "gruu"}, "Expected a cell, one of"),
        "saved is too small": ({"saved": saved[:-1]}, "Expected saved to be contiguous, of at least"),
        "saved is empty": ({"saved": saved[:0]}, "Expected saved to be contiguous, of at least"),
        "saved has gaps": ({"saved": saved.repeat(2)[::2]}, "Expected saved to be contiguous"),
        "saved repeats": ({"saved": saved[:1].expand(saved.shape)}, "Expected saved to be contiguous"),
        "saved is wider": ({"saved": saved.double()}, dtypes),
        "saved is of others": ({"saved": torch.zeros_like(saved)}, "Expected what the same cell saved"),
        "y has fewer steps": ({"y": y[:-1]}, size),
        "y has fewer outputs": ({"y": y[..., :-1]}, size),
        "y is half": ({"y": y.half()}, dtypes),
        "dy has fewer steps": ({"dy": dy[:-1]}, size),
        "dy has no rows": ({"dy": dy[:, :0]}, size),
        "dy is a number": ({"dy": torch.ones(())}, size),
        "dy is wider": ({"dy": dy.double()}, dtypes),
        "dh has fewer rows": ({"dh": called["dh"][:, 1:]}, size),
        "dh is wider": ({"dh": called["dh"].double()}, dtypes),
        "x has fewer steps": ({"x": x[1:]}, size),
        "x has two dimensions": ({"x": x[0]}, "Expected an input of 3 dimensions, got 2"),
        "x has more inputs": ({"x": torch.randn(STEPS, ROWS, INPUTS + 1)}, "Expected 7 inputs, got 8"),
        "x is wider": ({"x": x.double()}, dtypes),
        "h has fewer rows": ({"h": h[:, 1:]}, size),
        "weights are fewer": ({"weights": weights[:-1]}, "Expected"),
        "weights are narrower": ({"weights": [w[:, :-1] for w in weights]}, "Expected"),
        "wanted is short": ({"wanted": called["wanted"][:-1]}, "marks of what is wanted, got"),
        "wanted is empty": ({"wanted": []}, "marks of what is wanted, got 0"),
        "lengths are few": ({"lengths": torch.ones(ROWS - 1, dtype=torch.int64)}, size),
        "reset is short": ({"reset": torch.zeros(STEPS - 1, ROWS, dtype=torch.bool)}, size),
        "one direction": ({"both_ways": not called["both_ways"]}, "Expected"),
    }
    if called["memory"] != "checkpointed":
        found["y is missing"] = ({"y": None}, "Expected y where memory is")
    if called["kind"] == "lstm":
        found["dc has fewer rows"] = ({"dc": called["dc"][:, 1:]}, size)
        found["c has fewer rows"] = ({"c": called["c"][:, 1:]}, size)
    else:
        found["c is not the cell's"] = ({"c": h}, "Expected no c for the cell")
        found["dc is not the cell's"] = ({"dc": h}, "Expected no dc for the cell")
    return found


@pytest.mark.parametrize("both_ways", [False, True], ids=["forward", "both_ways"])
@pytest.mark.parametrize(("kind", "memory"), CASES)
def test_the_backward_pass_refuses(kind: str, memory: str, both_ways: bool) -> None:
    called = forward(kind, memory, both_ways)
    for what, (wrong, text) in mistakes(called).items():
        with pytest.raises((RuntimeError, ValueError), match=text) as error:
            backward(called, **wrong)
        assert str(error.value).endswith(".") or "dtype" in str(error.value), what


@pytest.mark.parametrize(("kind", "memory"), CASES)
def test_the_backward_pass_takes_any_strides(kind: str, memory: str) -> None:
    called = forward(kind, memory, True)
    expected = backward(called)
    for name in ("x", "h", "c", "y", "dy", "dh", "dc", "weights"):
        given = called[name]
        if given is None:
            continue
        some = given if isinstance(given, list) else [given]
        for spread in (_every_other, _turned):
            laid = [spread(tensor) for tensor in some]
            found = backward(called, **{name: laid if isinstance(given, list) else laid[0]})
            assert all(a.equal(b) for a, b in zip(found, expected, strict=True)), name


def _every_other(tensor: Tensor) -> Tensor:
    wide = torch.full([2 * n for n in tensor.shape], math.nan, dtype=tensor.dtype)
    view = wide[tuple([slice(None, None, 2)] * tensor.dim())]
    return view.copy_(tensor)


def _turned(tensor: Tensor) -> Tensor:
    return tensor.transpose(0, -1).contiguous().transpose(0, -1)


def test_another_cells_record_or_modes_is_refused() -> None:
    called = forward("rnn_tanh", "stored", False)
    for other in ({"kind": "rnn_relu"}, {"memory": "recomputed"}):
        with pytest.raises(ValueError, match="Expected what the same cell saved in the same memory mode"):
            backward(called, **other)


def test_the_forward_pass_refuses() -> None:
    x, weights = torch.randn(5, 2, 3), [torch.randn(12, 3), torch.randn(12, 4)]
    projected = [torch.randn(12, 3), torch.randn(12, 2), torch.randn(2, 4)]
    for memory in ("none", "stord"):
        with pytest.raises(RuntimeError, match="Expected a memory mode for gradients, one of"):
            OPS.layer_saving(x, None, None, weights, None, None, "gru", False, False, False, memory, 0)
    for given, kind, text in (
        (weights, "gruu", r"Expected a cell, one of .* got 'gruu'\. Name one of these\."),
        (projected, "gru", r"Expected weights of sizes"),
        ([torch.randn(4, 3), torch.randn(4, 2), torch.randn(2, 4)], "rnn_tanh", r"Expected weights of sizes"),
    ):
        with pytest.raises(RuntimeError, match=text):
            OPS.layer(x, None, None, given, None, None, kind, False, False, False, "none", 0)
    with pytest.raises(RuntimeError, match=r"Expected an input of 3 dimensions, got 1\."):
        OPS.layer(x[0, 0], None, None, weights, None, None, "gru", False, False, False, "none", 0)
    with pytest.raises(RuntimeError, match=r"Expected no c for the cell 'gru', got a tensor\."):
        OPS.layer(x, None, x[:1], weights, None, None, "gru", False, False, False, "none", 0)


@pytest.mark.skipif(len(_core.available()) < 2, reason="the processor has one instruction set")
@pytest.mark.parametrize("memory", ["stored", "recomputed", "checkpointed"])
def test_other_instructions_before_the_backward_pass(memory: str) -> None:
    first, second, *_ = _core.available()
    before = _core.instructions()
    layer, x = nn.LSTM(3, 16, memory=memory), torch.randn(5, 2, 3)
    try:
        with use_engine("cpu"):
            _core.use_instructions(first)
            y, _ = layer(x)
            _core.use_instructions(second)
            with pytest.raises(ValueError, match="on the same instructions, got another record"):
                y.sum().backward(retain_graph=True)
            _core.use_instructions(first)
            y.sum().backward()
    finally:
        _core.use_instructions(before)
