"""The cells' equations against numbers worked out by hand, and against PyTorch's own cells."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import linear

from recurra import cells
from recurra.cells import CELLS, Weights

GATES = Path(__file__).parents[2] / "docs" / "gates.md"


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def one_unit(cell: Any, x: float, state: tuple[float, ...], **w: Any) -> list[float]:
    """One step of a cell with one input and one unit, its weights given as plain numbers."""
    weights = Weights(**{name: torch.tensor(value, dtype=torch.float64) for name, value in w.items()})
    given = tuple(torch.tensor([s], dtype=torch.float64) for s in state)
    a = linear(torch.tensor([x], dtype=torch.float64), weights.ih, weights.b_ih)
    return [float(s) for s in cell.step(a, given, weights)]


def test_rnn_by_hand() -> None:
    w: dict[str, Any] = {"ih": [[0.5]], "hh": [[-0.3]], "b_ih": [0.1], "b_hh": [0.2]}
    a = 0.5 * 2 + 0.1 - 0.3 * 0.7 + 0.2
    assert one_unit(cells.RNN(), 2.0, (0.7,), **w) == pytest.approx([math.tanh(a)])
    assert one_unit(cells.RNN("relu"), 2.0, (0.7,), **w) == pytest.approx([a])
    assert one_unit(cells.RNN("relu"), -9.0, (0.7,), **w) == [0.0]


@pytest.mark.parametrize("reset_after", [True, False])
def test_gru_by_hand(reset_after: bool) -> None:
    x, h = 2.0, 0.7
    w: dict[str, Any] = {
        "ih": [[0.5], [-0.4], [0.3]],
        "hh": [[-0.3], [0.2], [0.6]],
        "b_ih": [0.1, 0.2, 0.3],
        "b_hh": [0.4, -0.5, 0.6],
    }
    r = sigmoid(0.5 * x + 0.1 - 0.3 * h + 0.4)
    z = sigmoid(-0.4 * x + 0.2 + 0.2 * h - 0.5)
    inner = r * (0.6 * h + 0.6) if reset_after else 0.6 * (r * h) + 0.6
    n = math.tanh(0.3 * x + 0.3 + inner)
    assert one_unit(cells.GRU(reset_after), x, (h,), **w) == pytest.approx([(1 - z) * n + z * h])


@pytest.mark.parametrize("peephole", [True, False])
def test_lstm_by_hand(peephole: bool) -> None:
    x, h, c = 2.0, 0.7, -0.4
    w: dict[str, Any] = {
        "ih": [[0.5], [-0.4], [0.3], [0.2]],
        "hh": [[-0.3], [0.2], [0.6], [-0.7]],
        "b_ih": [0.1, 0.2, 0.3, 0.4],
        "b_hh": [0.4, -0.5, 0.6, 0.0],
    }
    p_i, p_f, p_o = (0.9, -0.8, 0.7) if peephole else (0.0, 0.0, 0.0)
    if peephole:
        w["peephole"] = [[p_i], [p_f], [p_o]]
    i = sigmoid(0.5 * x + 0.1 - 0.3 * h + 0.4 + p_i * c)
    f = sigmoid(-0.4 * x + 0.2 + 0.2 * h - 0.5 + p_f * c)
    g = math.tanh(0.3 * x + 0.3 + 0.6 * h + 0.6)
    c = f * c + i * g
    o = sigmoid(0.2 * x + 0.4 - 0.7 * h + p_o * c)
    assert one_unit(cells.LSTM(peephole), x, (h, -0.4), **w) == pytest.approx([o * math.tanh(c), c])


@pytest.mark.parametrize(
    ("cell", "kernel"),
    [
        (cells.RNN(), torch.rnn_tanh_cell),
        (cells.RNN("relu"), torch.rnn_relu_cell),
        (cells.GRU(), torch.gru_cell),
        (cells.LSTM(), torch.lstm_cell),
    ],
    ids=["rnn", "rnn_relu", "gru", "lstm"],
)
def test_as_pytorch_steps(cell: Any, kernel: Any, dtype: torch.dtype, assert_close: Any) -> None:
    rows, inputs, units = 3, 5, 7
    x = torch.randn(rows, inputs, dtype=dtype)
    state = tuple(torch.randn(rows, units, dtype=dtype) for _ in cell.states)
    height = len(cell.gates) * units
    shapes = [(height, inputs), (height, units), (height,), (height,)]
    w = Weights(*(torch.randn(*shape, dtype=dtype) for shape in shapes))
    expected = kernel(x, state if len(state) > 1 else state[0], w.ih, w.hh, w.b_ih, w.b_hh)
    new = cell.step(linear(x, w.ih, w.b_ih), state, w)
    assert_close(new, expected if isinstance(expected, tuple) else (expected,))


@pytest.mark.parametrize("name", CELLS)
def test_the_table_of_gates_has_each_cell(name: str) -> None:
    gates = " ".join(CELLS[name].gates)
    rows = [line for line in GATES.read_text(encoding="utf-8").splitlines() if line.startswith(f"| {name} |")]
    assert len(rows) == 1
    assert rows[0].split("|")[2].strip() == f"`{gates}`"
    assert CELLS[name].paper.split(",")[0] in GATES.read_text(encoding="utf-8")
