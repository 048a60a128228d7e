"""Which steps of each series train, validate and test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recurra.data.frequency import Array
from recurra.errors import ConfigError, DataError

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
    lengths: Sequence[int], horizon: int, valid: int | None, test: int | None, file: str | None = None
) -> Split:
    """The last `test` steps of each series test, the `valid` ones before them validate, the others train.

    A part that is not given is one horizon for a short series, else whole horizons near a tenth (validation)
    or a fifth (test). A series too short for all three goes without validation, then without test.
    Raises DataError where no series is long enough for what is asked, ConfigError for parts below a horizon.
    """
    for name, given in (("validation", valid), ("test", test)):
        if given is not None and 0 < given < horizon:
            raise ConfigError(
                f"expected at least {horizon} {name} steps, one horizon, or 0 for none, got {given}. "
                "Keep more of them, or shorten the horizon."
            )
    end = np.asarray(lengths, dtype=np.int64)
    valid_steps = _steps(end, horizon, VALID_SHARE, valid)
    test_steps = _steps(end, horizon, TEST_SHARE, test)
    room = end - FEWEST
    if (valid or test) and (room < test_steps + valid_steps).all():
        raise DataError(
            f"expected at least {int((test_steps + valid_steps).min()) + FEWEST} steps in some series for "
            f"{int(valid_steps.min())} validation steps, {int(test_steps.min())} test steps and {FEWEST} to "
            f"learn from, got at most {end.max()}. Ask for shorter parts.",
            file=file,
        )
    if (room < test_steps).all():
        raise DataError(
            f"expected at least {int(test_steps.min()) + FEWEST} steps in some series to forecast {horizon}, "
            f"got at most {end.max()}. Give more data, or a horizon of {max(1, int(end.max()) // 4)}.",
            file=file,
        )
    test_steps = np.where(room < test_steps, 0, test_steps)
    valid_steps = np.where(
        (room < test_steps + valid_steps) | (test_steps == 0) & (test != 0), 0, valid_steps
    )
    return Split(end - test_steps - valid_steps, end - test_steps, end)


def _steps(end: Array, horizon: int, share: float, given: int | None) -> Array:
    if given is not None:
        return np.full(len(end), given, dtype=np.int64)
    whole = np.maximum(np.round(end * share / horizon).astype(np.int64), 1) * horizon
    return np.where(end < SHORT * horizon, horizon, whole)
