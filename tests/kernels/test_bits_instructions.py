"""Every instruction set gives the same bits: what was trained on one machine runs alike on another."""

from __future__ import annotations

import importlib
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from forms import FORMS, INSTRUCTIONS, MEMORY, Batch, Form, Outcome, batch, outcome, same_bits, threads
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st


def core() -> Any:
    return importlib.import_module("recurra._core")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = core().instructions()
    yield
    core().use_instructions(before)


def agree(layer: Any, given: Batch, **told: Any) -> None:
    outcomes: dict[str, Outcome] = {}
    for name in core().available():
        core().use_instructions(name)
        outcomes[name] = outcome(layer, given, **told)
    expected = outcomes.pop("portable")
    for name, found in outcomes.items():
        same_bits(found, expected, f"{name} against portable")


def test_which_there_are() -> None:
    available = core().available()
    assert available == [name for name in INSTRUCTIONS if name in available]  # best first
    assert available[-1] == "portable"
    for name in available:
        core().use_instructions(name)
        assert core().instructions() == name


def test_the_machine_has_what_it_is_tested_with() -> None:
    """A processor with AVX-512 must not quietly test the portable build alone."""
    if torch.backends.cpu.get_cpu_capability() == "AVX512":
        assert core().available() == list(INSTRUCTIONS)


@pytest.mark.parametrize("name", ["", "AVX512", "sse2", "neon"])
def test_unknown_ones_are_refused(name: str) -> None:
    before = core().instructions()
    with pytest.raises(ValueError, match=r"avx512.*avx2.*portable") as error:
        core().use_instructions(name)
    assert f"got {name!r}" in str(error.value) or f'got "{name}"' in str(error.value)
    assert core().instructions() == before


SHAPES = [(1, 1, 1, 2), (7, 1, 5, 19), (9, 6, 16, 32), (5, 33, 7, 20), (300, 3, 9, 17), (4, 13, 40, 64)]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def test_shapes(form: Form, dtype: torch.dtype, shape: tuple[int, int, int, int]) -> None:
    steps, rows, inputs, units = shape
    layer = form(inputs, units, dtype=dtype)
    agree(layer, batch(layer, steps, rows))


@pytest.mark.parametrize("memory", MEMORY)
def test_ragged_rows_layers_and_directions(form: Form, dtype: torch.dtype, memory: str) -> None:
    layer = form(5, 19, num_layers=2, bidirectional=True, memory=memory, dtype=dtype)
    given = batch(layer, 30, 9)
    agree(layer, given, lengths=torch.randint(0, 31, (9,)), reset=torch.rand(9, 30) < 0.1)


def test_two_threads(form: Form, dtype: torch.dtype) -> None:
    layer = form(20, 70, dtype=dtype)
    with threads(2):
        agree(layer, batch(layer, 12, 21))


SCALES: dict[str, Callable[[Any], float]] = {
    "below the normal numbers": lambda limits: limits.smallest_normal / 100,
    "smallest": lambda limits: limits.smallest_normal * 10,
    "small": lambda limits: limits.eps,
    "less than one": lambda _: 1e-3,
    "ten": lambda _: 10.0,
    "hundred": lambda _: 100.0,
    "products overflow": lambda limits: limits.max**0.5 * 10,
    "sums overflow": lambda limits: limits.max / 10,
}


@pytest.mark.parametrize("scale", SCALES)
def test_from_the_smallest_numbers_to_the_largest(form: Form, dtype: torch.dtype, scale: str) -> None:
    layer = form(5, 19, dtype=dtype)
    given, factor = batch(layer, 9, 5), SCALES[scale](torch.finfo(dtype))
    agree(layer, given.map(lambda tensor: tensor * factor))


@pytest.mark.parametrize("special", [0.0, -0.0, math.inf, -math.inf, math.nan])
def test_special_numbers(form: Form, dtype: torch.dtype, special: float) -> None:
    layer = form(5, 19, dtype=dtype)
    given = batch(layer, 9, 5)

    def strewn(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.masked_fill(torch.rand(tensor.shape) < 0.05, special)

    agree(layer, given.map(strewn))


@examples(st.data())
@settings(max_examples=60, deadline=None)
def test_any_shape(data: st.DataObject) -> None:
    form = FORMS[data.draw(st.sampled_from(list(FORMS)))]
    dtype = data.draw(st.sampled_from([torch.float32, torch.float64]))
    torch.manual_seed(data.draw(st.integers(0, 1000)))
    layer = form(data.draw(st.integers(1, 70)), data.draw(st.integers(2, 70)), dtype=dtype)
    agree(layer, batch(layer, data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))))


RUN = """
import torch
from recurra import _core, errors, nn, use_engine
try:
    with use_engine("cpu"):
        nn.GRU(3, 4)(torch.zeros(2, 1, 3))
    print(_core.instructions())
except (ValueError, errors.EngineError) as error:
    print("refused:", error)
"""


@pytest.mark.parametrize("name", [*INSTRUCTIONS, "sse9"])
def test_the_environment_sets_the_first(name: str) -> None:
    env = os.environ | {"RECURRA_INSTRUCTIONS": name, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", RUN], env=env, capture_output=True, text=True, check=True)
    if name in core().available():
        assert done.stdout == f"{name}\n"
    else:
        assert done.stdout.startswith("refused: Expected instructions that this processor has")
        assert f"got '{name}'" in done.stdout
