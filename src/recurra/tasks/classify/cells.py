"""What one step of a stream holds, as the model takes it: as the same cells of a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from recurra.data.cells import CATEGORY, Cells, Remembered, Row
from recurra.data.columns import text_of
from recurra.data.frequency import Array
from recurra.errors import DataError
from recurra.tasks.classify.encode import bounded, places
from recurra.tasks.classify.schema import Schema


class EventCells:
    """Events by their names; one that training did not show has a number, too, and so has a missing one."""

    def __init__(self, schema: Schema) -> None:
        (channel,) = schema.channels
        number = places(channel)

        def found(cell: pl.Series) -> int:
            return number(text_of(cell)[0])

        self._name, self._number = channel.name, Remembered(found)
        self.observation = CATEGORY | {"description": f"What happened: a value of {channel.name!r}."}
        self.example = channel.categories[0] if channel.categories else None

    def number(self, observation: Any) -> int:
        """The event's number. Raises DataError."""
        return int(self._number(observation, self._name))


class SeriesCells:
    """Values of all channels at one step."""

    def __init__(self, schema: Schema) -> None:
        self._names = [channel.name for channel in schema.channels]
        self._all = set(self._names)
        self._cells = Cells(schema.channels)
        # The first feature of each channel whose missing values have a flag of their own.
        starts = np.cumsum([0, *(len(channel.features) for channel in schema.channels)])
        each = zip(schema.channels, starts[:-1], strict=True)
        self._flagged = np.array([at for channel, at in each if channel.gaps], dtype=np.int64)
        self.example = self._cells.example()
        self.observation = {
            "type": "object",
            "description": "The value of each channel at this step, null where it is missing.",
            "properties": self._cells.kinds(),
            "required": self._names,
            "additionalProperties": False,
        }

    def checked(self, observation: Any) -> Row:
        """The cells of all channels. Raises DataError, naming the channel."""
        if not isinstance(observation, dict):
            raise DataError(
                f"expected values by the names of the channels, got {type(observation).__name__}. Give an "
                f"object with {', '.join(map(repr, self._names))}."
            )
        if observation.keys() != self._all:
            self._check_names(observation)
        return self._cells.checked(observation)

    def _check_names(self, observation: dict[Any, Any]) -> None:
        for name in observation:
            if name not in self._names:
                raise DataError(
                    f"expected the channels {', '.join(map(repr, self._names))}, got another. Leave it out.",
                    column=str(name),
                )
        for name in self._names:
            if name not in observation:
                raise DataError(
                    "expected a value at each step, got none. Give null where it is missing.", column=name
                )

    def features(self, given: Sequence[Row]) -> Array:
        """(B, width) float32 of what `checked` gave."""
        found = self._cells.encoded(given)
        gone = np.isnan(found)
        return np.concatenate([bounded(found, gone), gone[:, self._flagged]], 1, dtype=np.float32)
