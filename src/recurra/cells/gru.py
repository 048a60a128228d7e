"""The gated recurrent unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, sigmoid, tanh
from torch.nn.functional import linear

from recurra.cells.cell import State, Weights


@dataclass(frozen=True)
class GRU:
    """r  = σ(W_ir·x + b_ir + W_hr·h + b_hr)
    z  = σ(W_iz·x + b_iz + W_hz·h + b_hz)
    n  = tanh(W_in·x + b_in + r∘(W_hn·h + b_hn))    reset_after: the gate acts after the product
    n  = tanh(W_in·x + b_in + W_hn·(r∘h) + b_hn)    not reset_after: before it, the paper's first form
    h' = (1 - z)∘n + z∘h

    h (..., H). The paper has z and 1 - z the other way round; torch, ONNX and Keras have them as here.
    No projection, no peepholes.
    """

    reset_after: bool = True

    gates: ClassVar[tuple[str, ...]] = ("r", "z", "n")
    states: ClassVar[tuple[str, ...]] = ("h",)
    paper: ClassVar[str] = "Cho et al. 2014, Learning phrase representations using RNN encoder-decoder, EMNLP"

    def step(self, a: Tensor, state: State, w: Weights) -> State:
        (h,) = state
        a_rz, a_n = a.tensor_split([2 * h.shape[-1]], dim=-1)
        if self.reset_after:
            u_rz, u_n = linear(h, w.hh, w.b_hh).tensor_split([2 * h.shape[-1]], dim=-1)
            r, z = sigmoid(a_rz + u_rz).chunk(2, dim=-1)
            n = tanh(a_n + r * u_n)
        else:
            rows = 2 * h.shape[-1]
            b_rz, b_n = (None, None) if w.b_hh is None else (w.b_hh[:rows], w.b_hh[rows:])
            r, z = sigmoid(a_rz + linear(h, w.hh[:rows], b_rz)).chunk(2, dim=-1)
            n = tanh(a_n + linear(r * h, w.hh[rows:], b_n))
        return (n + z * (h - n),)
