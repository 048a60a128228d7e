"""The recurrences, one in each file: its equations in plain PyTorch, which every engine must equal."""

from recurra.cells.cell import Cell, State, Weights
from recurra.cells.gru import GRU
from recurra.cells.lstm import LSTM
from recurra.cells.rnn import RNN

CELLS: dict[str, type[Cell]] = {
    "RNN": RNN,
    "GRU": GRU,
    "LSTM": LSTM,
}

__all__ = ["CELLS", "GRU", "LSTM", "RNN", "Cell", "State", "Weights"]
