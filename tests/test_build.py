"""The compiled core, as a development install has it; and the package without it."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

import pytest

import recurra

ROOT = Path(__file__).parents[1]
STUB = ROOT / "src" / "recurra" / "_core.pyi"
OBJECTS = ROOT / "build" / "editable"
LINUX_X86 = sys.platform == "linux" and platform.machine() == "x86_64"


def can_be_built() -> bool:
    compiler = any(map(shutil.which, [os.environ.get("CXX", "c++"), "g++", "clang++"]))
    return compiler and Path(sysconfig.get_path("include"), "Python.h").exists()


@pytest.fixture
def core() -> ModuleType:
    try:
        return importlib.import_module("recurra._core")
    except ImportError:
        if can_be_built():
            raise
        pytest.skip("this machine has no C++ compiler, or not Python's headers")


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_core_is_there(core: ModuleType) -> None:
    assert core.available()[-1] == "portable"
    assert core.instructions() in core.available()


@pytest.mark.skipif(not LINUX_X86, reason="reads Linux's list of what an x86 processor has")
def test_it_runs_the_best_that_the_processor_has(core: ModuleType) -> None:
    flags = set(Path("/proc/cpuinfo").read_text().partition("flags")[2].partition("\n")[0].split())
    assert ("avx512" in core.available()) == ({"avx512f", "avx512bw", "avx512dq", "avx512vl", "fma"} <= flags)
    assert ("avx2" in core.available()) == ({"avx2", "fma"} <= flags)


@pytest.mark.usefixtures("core")
def test_the_environment_names_the_instructions() -> None:
    said = python("from recurra import _core; print(_core.instructions())", RECURRA_INSTRUCTIONS="portable")
    assert said.stdout.strip() == "portable", said.stderr


def test_the_stub_names_what_is_there(core: ModuleType) -> None:
    described = [n for n in ast.parse(STUB.read_text()).body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    assert {node.name for node in described} == {name for name in dir(core) if not name.startswith("_")}
    for node in described:
        if isinstance(node, ast.FunctionDef):
            arguments = [argument.arg for argument in node.args.args]
            with pytest.raises(TypeError, match="incompatible function arguments"):
                getattr(core, node.name)(*range(len(arguments) + 1))


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's list of what is loaded")
def test_it_brings_no_openmp_of_its_own(core: ModuleType) -> None:
    load = (
        "import importlib.util as u\n"
        f"spec = u.spec_from_file_location('_core', {core.__file__!r})\n"
        "spec.loader.exec_module(u.module_from_spec(spec))\n"
        "print(open('/proc/self/maps').read())"
    )
    loaded = python(load)
    assert "_core" in loaded.stdout, loaded.stderr
    assert not [line for line in loaded.stdout.splitlines() if "libgomp" in line or "libomp" in line]


@pytest.mark.skipif(not shutil.which("nm") or not OBJECTS.exists(), reason="needs binutils and a build")
def test_no_code_for_one_processor_is_linked_into_the_code_for_all() -> None:
    """A function that the linker may share must say for which instructions it was compiled."""
    kernels = sorted(OBJECTS.glob("CMakeFiles/kernels_avx*/csrc/*.o"))
    assert kernels or not can_be_built() or platform.machine() != "x86_64"
    for file in kernels:
        listed = subprocess.run(
            ["nm", "-C", "--defined-only", file], capture_output=True, text=True, check=True
        )
        symbols = [line.split(maxsplit=2)[1:] for line in listed.stdout.splitlines()]
        shared = [name for kind, name in symbols if kind in "WwVvu" and "recurra::avx" not in name]
        assert not shared, file


def test_without_the_core_layers_run_through_pytorch_and_it_is_said_once() -> None:
    code = (
        "import sys, warnings\n"
        "sys.modules['recurra._core'] = None\n"
        "warnings.simplefilter('always')\n"
        "import torch, recurra\n"
        "for layer in (recurra.nn.GRU(3, 4), recurra.nn.LSTM(3, 4), recurra.nn.GRU(3, 4)):\n"
        "    y, _ = layer(torch.ones(2, 5, 3))\n"
        "    y.sum().backward()\n"
        "print(recurra.explain(layer))"
    )
    ran = python(code)
    assert ran.returncode == 0, ran.stderr
    assert "runs on torch" in ran.stdout
    assert ran.stderr.count("got none") == 1, ran.stderr
    assert "Expected Recurra's compiled core" in ran.stderr


def test_the_version_is_the_one_that_was_built() -> None:
    assert recurra.__version__ == importlib.metadata.version("recurra")
