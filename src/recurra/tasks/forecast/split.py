"""Which steps of each series train, validate and test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recurra.data.frequency import Array
from recurra.errors import DataError

# Below this many horizons a series is short: one horizon each for validation and test.
SHORT = 10
VALID_SHARE, TEST_SHARE = 0.1, 0.2
# A model cannot learn from fewer steps.
FEWEST = 3


@dataclass(frozen=True, slots=True)
class Split:
    """Per series, in steps from its start: targets [0, train), [train, valid) and [valid, end).

    train, valid, end: (N,) int64.
    """

    train: Array
    valid: Array
    end: Array


def split_lengths(
    lengths: Sequence[int], horizon: int, valid: int | None, test: int | None
) -> tuple[Split, tuple[int, ...]]:
    """The split, and the series that are too short for a test part and train whole.

    A part that is not given is one horizon for a short series, else whole horizons near a tenth
    (validation) or a fifth (test). Raises DataError where no series is long enough.
    """
    end = np.asarray(lengths, dtype=np.int64)
    share = np.round(end[:, None] * [VALID_SHARE, TEST_SHARE] / horizon).astype(np.int64) * horizon
    parts = np.where(end[:, None] < SHORT * horizon, horizon, np.maximum(share, horizon))
    valid_steps = parts[:, 0] if valid is None else np.full(len(end), valid, dtype=np.int64)
    test_steps = parts[:, 1] if test is None else np.full(len(end), test, dtype=np.int64)
    if end.max() < test_steps.min() + valid_steps.min() + FEWEST:
        _refuse_if_given(end, horizon, valid, test)
    valid_steps = np.where(end - test_steps - valid_steps >= FEWEST, valid_steps, 0)
    whole = end - test_steps - valid_steps < FEWEST
    test_steps = np.where(whole, 0, test_steps)
    if whole.all() and not (test == 0 and end.max() >= FEWEST):
        _refuse(int(end.max()), horizon)
    split = Split(end - test_steps - valid_steps, end - test_steps, end)
    return split, tuple(np.flatnonzero(whole).tolist())


def _refuse_if_given(end: Array, horizon: int, valid: int | None, test: int | None) -> None:
    if valid or test:
        need = (horizon if valid is None else valid) + (horizon if test is None else test) + FEWEST
        raise DataError(
            f"expected at least {need} steps in some series for {valid if valid is not None else horizon} "
            f"validation steps, {test if test is not None else horizon} test steps and {FEWEST} to learn from, "
            f"got at most {end.max()}. Ask for fewer."
        )


def _refuse(longest: int, horizon: int) -> None:
    raise DataError(
        f"expected at least {horizon + FEWEST} steps in some series to forecast {horizon}, got at most {longest}. "
        f"Give more data, or a horizon of {max(1, longest // 4)}."
    )
