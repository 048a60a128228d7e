"""Checks of what says where a ragged batch's rows end and where they begin anew."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from recurra.engines import transformed

_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def checked_lengths(given: Any, *, rows: int | None, steps: int) -> Tensor:
    """Lengths as (B,) int64, each 0 … T. rows: None without a batch, where the length is a number."""
    lengths: Tensor = torch.as_tensor(given)
    if lengths.dtype not in _INTEGERS:
        raise TypeError(f"lengths should be integers, got {lengths.dtype}. Convert them: lengths.long().")
    expected = () if rows is None else (rows,)
    if lengths.shape != expected:
        raise RuntimeError(
            f"Expected lengths of size {expected}, one for each row, got {tuple(lengths.shape)}. "
            "Give the number of steps in each row."
        )
    lengths = lengths.long().reshape(-1)
    # Under a transform or a tracer the values are not known yet; the engines clip them by themselves.
    if not (transformed() or torch.compiler.is_compiling()):
        wrong = ((lengths < 0) | (lengths > steps)).nonzero()
        if len(wrong):
            row = int(wrong[0])
            raise ValueError(
                f"Expected lengths from 0 to {steps}, the input's number of steps, got {int(lengths[row])} "
                f"in row {row}. Cut the length or pad the input."
            )
    return lengths


def checked_reset(given: Any, *, rows: int | None, steps: int) -> Tensor:
    """Resets as (T, B) bool, from (B, T), or (T,) for an input without a batch (rows is None)."""
    reset: Tensor = torch.as_tensor(given)
    if reset.dtype is not torch.bool:
        raise TypeError(f"reset should be of type bool, got {reset.dtype}. Convert it: reset.bool().")
    expected = (steps,) if rows is None else (rows, steps)
    if reset.shape != expected:
        raise RuntimeError(
            f"Expected reset of size {expected}, rows before steps whatever batch_first is, "
            f"got {tuple(reset.shape)}. Give one truth value for each row and step."
        )
    return reset.reshape(-1, steps).T
