"""Which engine runs, who decides, and what is said about it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
import torch

import recurra
from recurra import nn
from recurra.engines import Request, choose, cpu
from recurra.errors import EngineError


def chosen(layer: Any) -> str:
    return choose(layer.request()).NAME


def test_the_core_runs_what_it_can_then_pytorch_then_the_reference() -> None:
    for layer in (nn.GRU(2, 3), nn.GRU(2, 3, reset_after=False), nn.LSTM(2, 3, peephole=True)):
        assert chosen(layer) == "cpu"
        assert chosen(layer.double()) == "cpu"
    for dtype, device in ((torch.bfloat16, "cpu"), (torch.float32, "meta")):
        assert chosen(nn.GRU(2, 3, dtype=dtype, device=device)) == "torch_native"
        assert chosen(nn.GRU(2, 3, reset_after=False, dtype=dtype, device=device)) == "reference"


def test_for_single_steps_pytorch_comes_before_the_core() -> None:
    for kind in (nn.RNNCell, nn.GRUCell, nn.LSTMCell):
        assert chosen(kind(2, 3)) == "torch_native"
        with recurra.use_engine("cpu"):
            assert chosen(kind(2, 3)) == "cpu"
    (found,) = recurra.explain(nn.GRUCell(2, 3)).modules
    assert found.others["cpu"] == "could, but torch_native comes first"


def test_why_the_core_does_not_run() -> None:
    request = nn.GRU(2, 3).request()
    for changed, why in (
        ({"device": torch.device("meta")}, "the compiled core runs on CPUs, not on meta"),
        ({"dtype": torch.float16}, "the compiled core computes in float32 and float64, not in float16"),
        ({"cell": "QRNN"}, "the compiled core has no QRNN"),
        ({"transformed": True}, "the compiled core has no rules for torch.func transforms and forward-mode "),
    ):
        assert (cpu.why_not(request._replace(**changed)) or "").startswith(why)
    assert cpu.why_not(request) is None


def test_transforms_run_on_the_reference() -> None:
    layer, seen = nn.GRU(2, 3), []

    def loss(x: torch.Tensor) -> torch.Tensor:
        seen.append(choose(layer.request()).NAME)
        return layer(x)[0].sum()

    torch.func.grad(loss)(torch.randn(4, 1, 2))
    torch.func.vmap(loss)(torch.randn(5, 4, 1, 2))
    torch.func.jvp(loss, (torch.randn(4, 1, 2),), (torch.randn(4, 1, 2),))
    with torch.autograd.forward_ad.dual_level():
        loss(torch.randn(4, 1, 2))
    assert seen == ["reference"] * 4
    loss(torch.randn(4, 1, 2))
    assert seen[-1] == "cpu"


def test_the_choice_cannot_see_batch_length_or_threads() -> None:
    assert set(Request._fields) == {
        "cell", "input_size", "hidden_size", "num_layers", "bidirectional", "bias", "proj_size",
        "dtype", "device", "one_step", "transformed",
    }  # fmt: skip


def test_use_engine_as_a_block_and_for_good() -> None:
    request = nn.GRU(2, 3).request()
    with recurra.use_engine("reference"):
        assert choose(request).NAME == "reference"
        with recurra.use_engine(None):
            assert choose(request).NAME == "cpu"
        assert choose(request).NAME == "reference"
    assert choose(request).NAME == "cpu"
    try:
        recurra.use_engine("reference")
        assert choose(request).NAME == "reference"
    finally:
        recurra.use_engine(None)


def test_a_forced_engine_runs_or_raises() -> None:
    x = torch.randn(4, 1, 2)
    with recurra.use_engine("torch_native"):
        nn.GRU(2, 3)(x)
        with pytest.raises(
            EngineError,
            match=r"Engine should be one that can run GRU\(reset_after=False\), got 'torch_native': "
            r"PyTorch has no kernel for GRU\(reset_after=False\)\. "
            r"Force another with recurra\.use_engine, or none\.",
        ):
            nn.GRU(2, 3, reset_after=False)(x)
        with pytest.raises(EngineError, match=r"no rules for torch\.func transforms and forward-mode"):
            torch.func.grad(lambda x: nn.GRU(2, 3)(x)[0].sum())(x)


def test_an_unknown_engine_is_refused() -> None:
    text = (
        "Engine should be one of 'cpu', 'torch_native', 'reference', got 'cudnn'. "
        "Name one of these in recurra.use_engine or RECURRA_ENGINE."
    )
    with pytest.raises(EngineError) as error:
        recurra.use_engine("cudnn")
    assert str(error.value) == text


@pytest.mark.parametrize(
    ("value", "said"), [("reference", "reference"), ("cudnn", "Engine should be one of")]
)
def test_the_environment_forces_an_engine(value: str, said: str) -> None:
    code = (
        "from recurra import errors, nn; from recurra.engines import choose\n"
        "try: print(choose(nn.GRU(2, 3).request()).NAME)\n"
        "except errors.EngineError as error: print(error)"
    )
    env = os.environ | {"RECURRA_ENGINE": value, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert said in done.stdout


def model() -> torch.nn.Module:
    parts = {
        "encoder": nn.LSTM(2, 3, peephole=True),
        "decoder": nn.GRU(2, 3),
        "step": nn.RNNCell(2, 3, dtype=torch.bfloat16),
        "other": torch.nn.GRU(2, 3),
        "head": torch.nn.Linear(3, 1),
    }
    return torch.nn.ModuleDict(parts)


def test_explain() -> None:
    assert str(recurra.explain(model())) == "\n".join(
        [
            "encoder: LSTM(2, 3, peephole=True)",
            "  runs on cpu",
            "  not torch_native: PyTorch has no kernel for LSTM(peephole=True)",
            "  not reference: could, but cpu comes first",
            "decoder: GRU(2, 3)",
            "  runs on cpu",
            "  not torch_native: could, but cpu comes first",
            "  not reference: could, but cpu comes first",
            "step: RNNCell(2, 3)",
            "  runs on torch_native",
            "  not cpu: the compiled core computes in float32 and float64, not in bfloat16",
            "  not reference: could, but torch_native comes first",
            "other: GRU(2, 3)",
            "  PyTorch runs it: recurra.accelerate(model) makes it run on cpu",
        ]
    )
    assert str(recurra.explain(torch.nn.Linear(1, 1))) == "No recurrent module in this model."
    assert str(recurra.explain(nn.GRU(2, 3))).startswith("(the model): GRU(2, 3)\n  runs on cpu")


def test_explain_what_is_forced() -> None:
    with recurra.use_engine("torch_native"):
        peephole, gru, _, other = recurra.explain(model()).modules
    assert peephole.engine is None
    assert peephole.why.startswith("nothing runs it. Engine should be one that can run LSTM(peephole=True)")
    assert (gru.engine, gru.others) == (
        "torch_native",
        {"cpu": "torch_native is forced", "reference": "torch_native is forced"},
    )
    assert "runs on torch_native, forced" in str(gru)
    assert other.why == "PyTorch runs it, and would after recurra.accelerate(model): it runs on torch_native"


def test_export_of_a_ragged_batch_on_pytorchs_kernels_says_where_to_go() -> None:
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = nn.GRU(2, 3)

        def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = self.gru(x, lengths=lengths)[0]
            return y

    given = (torch.randn(4, 2, 2), torch.tensor([4, 1]))
    with (
        recurra.use_engine("torch_native"),
        pytest.raises(
            EngineError, match=r"got one of them\. Export under recurra\.use_engine\('cpu'\) or 'reference'\."
        ),
    ):
        torch.export.export(Model(), given)
    with recurra.use_engine("reference"):
        model = Model()
        exported = torch.export.export(model, given).module()
        other = (torch.randn(4, 2, 2), torch.tensor([0, 3]))
        torch.testing.assert_close(exported(*other), model(*other))


def test_reference_runs_everything() -> None:
    request = nn.GRU(2, 3).request()
    for changed in (request._replace(transformed=True), request._replace(dtype=torch.bfloat16)):
        with recurra.use_engine("reference"):
            assert choose(changed).NAME == "reference"
