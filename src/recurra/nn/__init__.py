"""Drop-in layers for torch.nn's recurrent ones: the same arguments, weights, inputs and errors, and more."""

from recurra.engines.cpu.stepper import Stepper
from recurra.nn.gru import GRU
from recurra.nn.linear import Linear, linear
from recurra.nn.lstm import LSTM
from recurra.nn.rnn import RNN
from recurra.nn.rows import Rows
from recurra.nn.steps import GRUCell, LSTMCell, RNNCell

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "GRUCell",
    "LSTMCell",
    "Linear",
    "RNNCell",
    "Rows",
    "Stepper",
    "linear",
]
