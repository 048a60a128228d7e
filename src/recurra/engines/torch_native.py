"""PyTorch's own kernels: cuDNN, oneDNN and ATen behind torch.nn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import _VF, Tensor

from recurra.cells import GRU, LSTM, RNN, Cell, State, Weights
from recurra.engines import segments
from recurra.engines.request import Request, given_state
from recurra.errors import EngineError

NAME = "torch_native"
OPAQUE = False


class Kernels(NamedTuple):
    over_time: Callable[..., tuple[Tensor, ...]]
    one_step: Callable[..., Any]


KERNELS: dict[Cell, Kernels] = {
    RNN("tanh"): Kernels(_VF.rnn_tanh, _VF.rnn_tanh_cell),
    RNN("relu"): Kernels(_VF.rnn_relu, _VF.rnn_relu_cell),
    GRU(): Kernels(_VF.gru, _VF.gru_cell),
    LSTM(): Kernels(_VF.lstm, _VF.lstm_cell),
}


def why_not(request: Request) -> str | None:
    if request.cell not in KERNELS:
        return f"PyTorch has no kernel for {request.cell}"
    if request.transformed:
        return "PyTorch's kernels have no rules for torch.func transforms and forward-mode differentiation"
    return None


def run(
    request: Request,
    x: Tensor,
    state: State | None,
    weights: Sequence[Tensor],
    *,
    lengths: Tensor | None = None,
    reset: Tensor | None = None,
    dropout: float = 0.0,
    training: bool = False,
    rows_first: bool = False,
    memory: str = "stored",
) -> tuple[Tensor, State]:
    state = given_state(request, x, state)
    kernel = KERNELS[request.cell].over_time
    options = (weights, request.bias, request.num_layers, dropout, training, request.bidirectional)
    if lengths is None and reset is None:
        y, *final = kernel(x, _given(state), *options, False)
        return y, tuple(final)

    if torch.compiler.is_exporting():
        raise EngineError(
            "Expected neither lengths nor reset in torch.export on engine 'torch_native', got one of them. "
            "Export under recurra.use_engine('cpu') or 'reference'."
        )
    steps, rows = x.shape[:2]
    parts = segments.cut(
        torch.full((rows,), steps) if lengths is None else lengths.cpu(),
        None if reset is None else reset.cpu(),
        directions=2 if request.bidirectional else 1,
    ).to(x.device)
    width = (request.proj_size or request.hidden_size) * len(parts.enters)
    y = x.new_zeros(steps * rows, width)
    if len(parts.row):
        packed = x.flatten(0, 1).index_select(0, parts.steps)
        out, *final = kernel(packed, parts.batch_sizes, _given(segments.enter(state, parts)), *options)
        y = y.to(out.dtype).index_copy(0, parts.steps, out)
        state = segments.leave(state, tuple(final), parts)
    return y.view(steps, rows, width), state


def step(request: Request, x: Tensor, state: State | None, w: Weights) -> State:
    state = given_state(request, x, state)
    new = KERNELS[request.cell].one_step(x, _given(state), w.ih, w.hh, w.b_ih, w.b_hh)
    return new if isinstance(new, tuple) else (new,)


def _given(state: State) -> Tensor | State:
    """A state as the kernels take it: LSTM's (h, c), the others' bare h."""
    return state if len(state) > 1 else state[0]
