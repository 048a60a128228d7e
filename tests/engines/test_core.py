"""The compiled core as the engine finds it: there, missing, or unfit for this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from recurra import nn
from recurra.engines import choose, cpu
from recurra.engines.cpu import core


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(sys.path)
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_the_core_pytorch_runs_and_it_is_said_once() -> None:
    code = (
        "import sys; sys.modules['recurra._core'] = None\n"
        "import torch, recurra\n"
        "layer = recurra.nn.GRU(3, 4)\n"
        "for _ in range(3): layer(torch.ones(2, 1, 3))\n"
        "print(recurra.explain(layer))\n"
        "print(recurra.nn.LSTM(3, 4, peephole=True)(torch.ones(2, 1, 3))[0].shape)\n"
        "try:\n"
        "    with recurra.use_engine('cpu'): layer(torch.ones(2, 1, 3))\n"
        "except recurra.errors.EngineError as error: print(error)\n"
        "try: layer.stepper()\n"
        "except recurra.errors.EngineError as error: print(error)"
    )
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Expected Recurra's compiled core beside the package, got none") == 1
    assert "layers run through PyTorch, more slowly. Install Recurra from a wheel" in done.stderr
    assert done.stdout.splitlines() == [
        "(the model): GRU(3, 4)",
        "  runs on torch_native",
        "  not cpu: the compiled core is missing",
        "  not reference: could, but torch_native comes first",
        "torch.Size([2, 1, 4])",
        "Engine should be one that can run GRU(reset_after=True), got 'cpu': the compiled core is missing. "
        "Force another with recurra.use_engine, or none.",
        "Expected a layer that the compiled core can run, got GRU(reset_after=True): the compiled core is "
        "missing. Call the layer itself, a step at a time.",
    ]


def test_unknown_instructions_are_refused_at_the_first_use() -> None:
    code = (
        "import torch, recurra\n"
        "layer = recurra.nn.GRU(3, 4)\n"
        "try: layer(torch.ones(2, 1, 3))\n"
        "except recurra.errors.EngineError as error: print(error)"
    )
    done = python(code, RECURRA_INSTRUCTIONS="mmx")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Expected instructions that this processor has, one of ")
    assert "got 'mmx'. " in done.stdout
    told = python("from recurra.cli import main; main(['explain'])", RECURRA_INSTRUCTIONS="mmx")
    assert (told.returncode, told.stdout) == (2, "")
    assert "recurra: Expected instructions that this processor has" in told.stderr


@pytest.mark.parametrize(
    ("machine", "has", "forced", "chosen"),
    [
        ("x86_64", ["portable"], "", "torch_native"),
        ("AMD64", ["portable"], "", "torch_native"),
        ("x86_64", ["portable"], "portable", "cpu"),
        ("x86_64", ["avx2", "portable"], "", "cpu"),
        ("aarch64", ["portable"], "", "cpu"),
    ],
)
def test_an_old_processor_is_left_to_pytorch(
    monkeypatch: pytest.MonkeyPatch, machine: str, has: list[str], forced: str, chosen: str
) -> None:
    there = SimpleNamespace(available=lambda: has, instructions=lambda: has[0])
    monkeypatch.setattr(core, "core", there)
    monkeypatch.setattr(core, "_answer", [])
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setenv("RECURRA_INSTRUCTIONS", forced)
    request = nn.GRU(3, 4).request()
    found = choose(request).NAME
    assert found == chosen
    if chosen != "cpu":
        reason = (
            "this CPU has no fused multiply-add, without which PyTorch is faster; "
            "RECURRA_INSTRUCTIONS=portable makes it run all the same"
        )
        assert cpu.why_not(request) == reason
        assert cpu.described() == f"cpu cannot run: {reason}"
