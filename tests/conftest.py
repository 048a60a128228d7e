"""What the tests of layers share: every cell on every engine that runs it, precisions and tolerances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from recurra import nn
from recurra.cells import CELLS
from recurra.engines import ENGINES, use_engine

# How far results may lie apart, in units of the precision's eps times the largest value expected.
# Sums of a few dozen products in another order differ by a few eps; a backward pass adds its own.
TOLERANCE = {"output": 16, "gradient": 64, "second gradient": 256}


@dataclass(frozen=True)
class Case:
    """One form of a cell: the layer that has it, and the options that make it."""

    layer: type[Any]
    options: dict[str, Any] = field(default_factory=dict)

    def __call__(self, *sizes: int, **options: Any) -> Any:
        return self.layer(*sizes, **self.options, **options)


CASES = {
    "rnn": Case(nn.RNN),
    "rnn_relu": Case(nn.RNN, {"nonlinearity": "relu"}),
    "gru": Case(nn.GRU),
    "gru_reset_before": Case(nn.GRU, {"reset_after": False}),
    "lstm": Case(nn.LSTM),
    "lstm_projected": Case(nn.LSTM, {"proj_size": 2}),
    "lstm_peephole": Case(nn.LSTM, {"peephole": True}),
    "lstm_peephole_projected": Case(nn.LSTM, {"peephole": True, "proj_size": 2}),
}
assert {type(case(2, 3).cell) for case in CASES.values()} == set(CELLS.values())

RUNNABLE = [
    (name, engine.NAME)
    for name, case in CASES.items()
    for engine in ENGINES
    if engine.why_not(case(2, 3).request()) is None
]


@pytest.fixture(params=RUNNABLE, ids=["-".join(pair) for pair in RUNNABLE])
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    """Each form of each cell, while an engine that runs it is forced."""
    name, engine = request.param
    with use_engine(engine):
        yield CASES[name]


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    dtype: torch.dtype = request.param
    return dtype


@pytest.fixture(autouse=True)
def _same_dice() -> None:
    torch.manual_seed(0)


def assert_close(actual: Any, expected: Any, what: str = "output", summed: float = 1.0) -> None:
    """Compare tensors, or tuples and lists of them, within TOLERANCE[what].

    summed: the largest size of what is added up on the way, where that may be more than of what comes out.
    """
    if not isinstance(expected, Tensor):
        assert len(actual) == len(expected)
        for a, e in zip(actual, expected, strict=True):
            assert_close(a, e, what, summed)
        return
    scale = max(summed, float(expected.detach().abs().max())) if expected.numel() else summed
    atol = TOLERANCE[what] * torch.finfo(expected.dtype).eps * scale
    torch.testing.assert_close(actual, expected, rtol=0, atol=atol)


@pytest.fixture(name="assert_close", scope="session")
def _assert_close() -> Any:
    return assert_close


def random_state(layer: Any, rows: int) -> Any:
    """A state that is not zero, of layer's shape and precision."""
    layers = layer.num_layers * (2 if layer.bidirectional else 1)
    widths = {"h": layer.proj_size or layer.hidden_size, "c": layer.hidden_size}
    dtype = next(layer.parameters()).dtype
    state = tuple(torch.randn(layers, rows, widths[name], dtype=dtype) for name in layer.cell.states)
    return state[0] if len(state) == 1 else state


@pytest.fixture(name="random_state", scope="session")
def _random_state() -> Any:
    return random_state
