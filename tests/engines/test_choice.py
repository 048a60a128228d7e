"""Which engine runs, who decides, and what is said about it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields, replace

import pytest
import torch

import recurra
from recurra import nn
from recurra.engines import Request, choose
from recurra.errors import EngineError


def test_pytorch_runs_what_it_can_and_the_reference_the_rest() -> None:
    assert choose(nn.GRU(2, 3).request()).NAME == "torch_native"
    assert choose(nn.GRU(2, 3, reset_after=False).request()).NAME == "reference"
    assert choose(nn.LSTM(2, 3, peephole=True).request()).NAME == "reference"


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
    assert seen[-1] == "torch_native"


def test_the_choice_cannot_see_batch_length_or_threads() -> None:
    assert {f.name for f in fields(Request)} == {
        "cell", "input_size", "hidden_size", "num_layers", "bidirectional", "bias", "proj_size",
        "dtype", "device", "transformed",
    }  # fmt: skip


def test_use_engine_as_a_block_and_for_good() -> None:
    request = nn.GRU(2, 3).request()
    with recurra.use_engine("reference"):
        assert choose(request).NAME == "reference"
        with recurra.use_engine(None):
            assert choose(request).NAME == "torch_native"
        assert choose(request).NAME == "reference"
    assert choose(request).NAME == "torch_native"
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
        "Engine should be one of 'torch_native', 'reference', got 'cudnn'. "
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
        "step": nn.RNNCell(2, 3),
        "other": torch.nn.GRU(2, 3),
        "head": torch.nn.Linear(3, 1),
    }
    return torch.nn.ModuleDict(parts)


def test_explain() -> None:
    assert str(recurra.explain(model())) == "\n".join(
        [
            "encoder: LSTM(2, 3, peephole=True)",
            "  runs on reference",
            "  not torch_native: PyTorch has no kernel for LSTM(peephole=True)",
            "decoder: GRU(2, 3)",
            "  runs on torch_native",
            "  not reference: could, but torch_native comes first",
            "step: RNNCell(2, 3)",
            "  runs on torch_native",
            "  not reference: could, but torch_native comes first",
            "other: GRU(2, 3)",
            "  PyTorch runs it: torch.nn.GRU, not recurra.nn.GRU",
        ]
    )
    assert str(recurra.explain(torch.nn.Linear(1, 1))) == "No recurrent module in this model."
    assert str(recurra.explain(nn.GRU(2, 3))).startswith("(the model): GRU(2, 3)\n  runs on torch_native")


def test_explain_what_is_forced() -> None:
    with recurra.use_engine("torch_native"):
        peephole, gru, *_ = recurra.explain(model()).modules
    assert peephole.engine is None
    assert peephole.why.startswith("nothing runs it. Engine should be one that can run LSTM(peephole=True)")
    assert (gru.engine, gru.others) == ("torch_native", {"reference": "torch_native is forced"})
    assert "runs on torch_native, forced" in str(gru)


def test_export_of_a_ragged_batch_says_where_to_go() -> None:
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = nn.GRU(2, 3)

        def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = self.gru(x, lengths=lengths)[0]
            return y

    given = (torch.randn(4, 2, 2), torch.tensor([4, 1]))
    with pytest.raises(
        EngineError, match=r"got one of them\. Export under recurra\.use_engine\('reference'\)"
    ):
        torch.export.export(Model(), given)
    with recurra.use_engine("reference"):
        model = Model()
        exported = torch.export.export(model, given).module()
        other = (torch.randn(4, 2, 2), torch.tensor([0, 3]))
        torch.testing.assert_close(exported(*other), model(*other))


def test_reference_runs_everything() -> None:
    request = nn.GRU(2, 3).request()
    for changed in (replace(request, transformed=True), replace(request, dtype=torch.bfloat16)):
        with recurra.use_engine("reference"):
            assert choose(changed).NAME == "reference"
