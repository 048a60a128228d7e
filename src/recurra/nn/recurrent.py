"""What RNN, GRU and LSTM have in common: torch.nn's inputs, outputs and checks around an engine."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from operator import is_not
from typing import Any, cast

import torch
from torch import _VF, Tensor
from torch._C._dynamo.eval_frame import get_eval_frame_callback
from torch.nn.utils.rnn import PackedSequence

from recurra.cells import Cell, State
from recurra.engines import MEMORY, Request, choose, cpu, transformed
from recurra.engines.cpu.stepper import Stepper
from recurra.errors import EngineError
from recurra.nn.compiled import admit
from recurra.nn.ragged import checked_lengths, checked_reset
from recurra.nn.rows import Rows


class Recurrent(torch.nn.RNNBase):
    """A layer of torch.nn whose steps are run by an engine of Recurra's."""

    # Options of ours; here, so that a torch.nn layer's class can be swapped for ours.
    peephole: bool = False
    memory: str = "stored"

    def __init__(self, *args: Any, memory: str = "stored", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _check_memory(memory)
        if memory != "stored":
            self.memory = memory

    @property
    def cell(self) -> Cell:
        """The recurrence, with this layer's options."""
        raise NotImplementedError

    def request(self) -> Request:
        """All that the choice of this layer's engine looks at."""
        weight = cast(Tensor, self._flat_weights[0])
        return Request(
            self.cell,
            self.input_size,
            self.hidden_size,
            self.num_layers,
            self.bidirectional,
            self.bias,
            self.proj_size,
            weight.dtype,
            weight.device,
            False,
            transformed(),
        )

    def forward(
        self,
        input: Tensor | PackedSequence,
        state: Any = None,
        *,
        lengths: Any = None,
        reset: Any = None,
        hx: Any = None,
    ) -> Any:
        """Run the layer over time. T steps, B rows, D directions, L layers, R outputs (H, or proj_size).

        input    (T, B, I); (B, T, I) with batch_first; (T, I) without a batch; or a PackedSequence
        state    h (L·D, B, R), LSTM's (h, c) with c (L·D, B, H); default: zeros. Also under torch's name, hx
        lengths  (B,) integers, 0 … T: the steps in each row; default: all T. A number without a batch
        reset    (B, T) bool, (T,) without a batch: nothing passes between steps t - 1 and t; a forward
                 direction begins step t from a zero state, a reverse direction step t - 1. Rows come first
                 whatever batch_first is
        Returns y, like the input with D·R features, zero beyond a row's length, and the state after each
        row's last step (in a reverse direction: step 0).

        Raises what torch.nn raises, in its words; for lengths and reset: TypeError for the wrong type,
        RuntimeError for the wrong shape, ValueError for lengths outside 0 … T.
        """
        if hx is not None:
            if state is not None:
                raise TypeError("Expected one initial state, got state and hx. Give one of them.")
            state = hx
        weights = self._current_weights()
        if isinstance(input, PackedSequence):
            run = Recurrent._forward_packed
            if torch.compiler.is_dynamo_compiling() or get_eval_frame_callback() is not None:
                run = _uncompiled(run)  # it cannot pad
            return run(self, input, state, lengths, reset, weights)
        self._check_dims(input, state)

        batch_first = self.batch_first
        batch = 0 if batch_first else 1
        batched = input.dim() == 3
        x = input if batched else input.unsqueeze(batch)
        if state is None:
            self.check_input(x, None)
        else:
            if not batched:
                state = self._bare(s.unsqueeze(1) for s in self._tuple(state))
            self.check_forward_args(x, state, None)
            if isinstance(state, Tensor) and len(self.cell.states) > 1:
                raise TypeError("Expected the state to be a tuple of h and c, got one tensor. Give both.")

        rows, steps = x.size(batch), x.size(1 - batch)
        x = x.transpose(0, 1) if batch_first else x
        given = rows if batched else None
        lengths = None if lengths is None else checked_lengths(lengths, rows=given, steps=steps)
        reset = None if reset is None else checked_reset(reset, rows=given, steps=steps)
        y, new = self._run(x, state, lengths, reset, weights)
        y = y.transpose(0, 1) if batch_first else y
        if batched:
            return y, self._bare(new)
        return y.squeeze(batch), self._bare(s.squeeze(1) for s in new)

    def stepper(self, weights: str = "exact") -> Stepper:
        """One stream through this layer, a step a call, compiled, with the weights of now: see `Stepper`.

        weights  "exact": the layer's own, and its bits; "bfloat16", for a layer in float32: rounded to 8 bits
                 of precision, half as much to read at each step. Outputs of fresh layers over 100 steps then
                 differ from the exact ones by up to 4e-3 (GRU), 3e-3 (LSTM) and 6e-3 (RNN)

        Raises ValueError for a bidirectional layer and for other weights, EngineError where the compiled core
        cannot run the layer.
        """
        request = self.request()
        self._check_one_direction()
        narrow = weights == "bfloat16"
        if weights != "exact" and not (narrow and request.dtype is torch.float32):
            raise ValueError(
                "Expected weights to be 'exact', or 'bfloat16' for a layer in float32, "
                f"got {weights!r} for {request.dtype}. Leave them exact."
            )
        reason = cpu.why_not(request)
        if reason is not None:
            raise EngineError(
                f"Expected a layer that the compiled core can run, got {request.cell}: {reason}. "
                "Call the layer itself, a step at a time."
            )
        return Stepper(request, self._current_weights(), narrow)

    def rows(self) -> Rows:
        """Many streams through this layer, a step a call, with the weights of now: see `Rows`.

        Raises ValueError for a bidirectional layer.
        """
        self._check_one_direction()
        return Rows(self.request(), self._current_weights())

    def _check_one_direction(self) -> None:
        if self.bidirectional:
            raise ValueError(
                "Expected a layer of one direction, got bidirectional=True, which begins at the end. "
                "Make a layer without it."
            )

    def _forward_packed(
        self, packed: PackedSequence, state: Any, lengths: Any, reset: Any, weights: list[Tensor]
    ) -> tuple[PackedSequence, Any]:
        if lengths is not None:
            raise ValueError(
                "Expected one kind of lengths, got lengths and a PackedSequence. Give one of them."
            )
        data, batch_sizes, to_sorted, to_given = packed
        rows, steps = int(batch_sizes[0]), len(batch_sizes)
        if state is None:
            self.check_input(data, batch_sizes)
        else:
            state = self.permute_hidden(state, to_sorted)
            self.check_forward_args(data, state, batch_sizes)
        if reset is not None:
            reset = checked_reset(reset, rows=rows, steps=steps)
            reset = reset if to_sorted is None else reset.index_select(1, to_sorted)

        x, sizes = _VF._pad_packed_sequence(data, batch_sizes, False, 0.0, steps)
        y, new = self._run(x, state, sizes, reset, weights)
        y, _ = _VF._pack_padded_sequence(y, sizes, False)
        new = self.permute_hidden(self._bare(new), to_given)
        return PackedSequence(y, batch_sizes, to_sorted, to_given), new

    def _run(
        self, x: Tensor, state: Any, lengths: Tensor | None, reset: Tensor | None, weights: list[Tensor]
    ) -> tuple[Tensor, State]:
        if not x.size(0):
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
        _check_memory(self.memory)
        request = self.request()
        engine = choose(request)
        run = engine.run
        if not engine.OPAQUE and get_eval_frame_callback() is not None:
            run = _uncompiled(engine.run)
        return run(
            request,
            x,
            None if state is None else self._tuple(state),
            weights,
            lengths=lengths,
            reset=reset,
            dropout=self.dropout,
            training=self.training,
            rows_first=self.batch_first,
            memory=self.memory,
        )

    def _current_weights(self) -> list[Tensor]:
        """The weights as they are now: pruning, parametrizations and functional_call put others in place.

        torch.nn's own way of finding them takes longer than a short sequence.
        """
        own = self._parameters
        weights: list[Any] = [
            own[name] if name in own else getattr(self, name) for name in self._flat_weights_names
        ]
        if not torch.compiler.is_compiling() and any(map(is_not, weights, self._flat_weights)):
            self._flat_weights = weights
            self._flat_weight_refs = [weakref.ref(weight) for weight in weights]
            self.flatten_parameters()
        return weights

    def _tuple(self, state: Any) -> State:
        """A state as the engines take it, from torch.nn's form."""
        return (state,) if len(self.cell.states) == 1 else tuple(state)

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.memory == "stored" else f", memory={self.memory!r}")

    def _bare(self, state: Iterable[Tensor]) -> Any:
        """A state in torch.nn's form, where a lone h is no tuple."""
        state = tuple(state)
        return state[0] if len(state) == 1 else state

    def _check_dims(self, input: Tensor, state: Any) -> None:
        """The checks that torch.nn makes inside its forward functions, in its words."""
        if input.dim() not in (2, 3):
            tensor = " tensor" if self.mode.startswith("RNN") else ""
            kind = self.mode.partition("_")[0]
            raise ValueError(f"{kind}: Expected input to be 2D or 3D, got {input.dim()}D{tensor} instead")
        if state is None:
            return
        many = len(self.cell.states)
        dims = [(state[k] if many > 1 else state).dim() for k in range(many)]
        if any(d != input.dim() for d in dims):
            which = f"For {'batched' if input.dim() == 3 else 'unbatched'} {input.dim()}-D input"
            if len(dims) == 1:
                raise RuntimeError(f"{which}, hx should also be {input.dim()}-D but got {dims[0]}-D tensor")
            got = ", ".join(f"{d}-D" for d in dims)
            raise RuntimeError(f"{which}, hx and cx should also be {input.dim()}-D but got ({got}) tensors")


def _check_memory(memory: str) -> None:
    if memory not in MEMORY:
        names = ", ".join(map(repr, MEMORY))
        raise ValueError(f"Expected memory to be one of {names}, got {memory!r}. Name one of these.")


# What was made so far.
_outside: dict[Callable[..., Any], Callable[..., Any]] = {}


def _uncompiled(run: Callable[..., Any]) -> Callable[..., Any]:
    """The same with torch.compile kept out of it, as it stays out of torch.nn's layers."""
    if run not in _outside:
        disable: Any = torch.compiler.disable
        _outside[run] = disable(run)
    return _outside[run]


def _runs_as_operators(module: object) -> bool:
    return isinstance(module, Recurrent) and choose(module.request()).OPAQUE


admit(_runs_as_operators)
