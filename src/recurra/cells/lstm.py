"""Long short-term memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, sigmoid, tanh
from torch.nn.functional import linear

from recurra.cells.cell import State, Weights


@dataclass(frozen=True)
class LSTM:
    """i  = σ(W_ii·x + b_ii + W_hi·h + b_hi + p_i∘c)
    f  = σ(W_if·x + b_if + W_hf·h + b_hf + p_f∘c)
    g  = tanh(W_ig·x + b_ig + W_hg·h + b_hg)
    c' = f∘c + i∘g
    o  = σ(W_io·x + b_io + W_ho·h + b_ho + p_o∘c')
    h' = W_hr·(o∘tanh(c'))

    h (..., R), c (..., H). The terms in p are there with `peephole` alone (Gers and Schmidhuber 2000), W_hr
    where the layer has a projection (Sak et al. 2014), else R = H. `Weights.peephole` holds p_i, p_f and p_o.
    """

    peephole: bool = False

    gates: ClassVar[tuple[str, ...]] = ("i", "f", "g", "o")
    states: ClassVar[tuple[str, ...]] = ("h", "c")
    paper: ClassVar[str] = "Hochreiter and Schmidhuber 1997, Long short-term memory, Neural Computation 9(8)"

    def step(self, a: Tensor, state: State, w: Weights) -> State:
        h, c = state
        i, f, g, o = (a + linear(h, w.hh, w.b_hh)).chunk(4, dim=-1)
        if w.peephole is not None:
            p_i, p_f, p_o = w.peephole.unbind()
            i, f = i + p_i * c, f + p_f * c
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        if w.peephole is not None:
            o = o + p_o * c
        h = sigmoid(o) * tanh(c)
        return (h if w.hr is None else linear(h, w.hr), c)
