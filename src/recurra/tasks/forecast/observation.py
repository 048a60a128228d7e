"""What a stream of the forecaster is given at a step: a row of the file, and what is known ahead."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from recurra.data.cells import FIGURE, Cells, Row, figure
from recurra.errors import DataError
from recurra.tasks.forecast.moments import Cells as Time
from recurra.tasks.forecast.moments import Moments
from recurra.tasks.forecast.schema import Schema

AHEAD, WANTED = "future", "forecast"


class Observation(NamedTuple):
    """A checked observation.

    time: as `Moments` reads it.  series: a number of the ids, 0 where none are given.
    values: the targets', NaN where missing.  past, static: their cells.
    future: of the step itself, then of the steps after it.  wanted: whether a forecast is asked for.
    """

    time: Time
    series: int
    values: list[float]
    past: Row
    static: Row
    future: list[Row]
    wanted: bool


class Reader:
    """Observations by the columns' names."""

    def __init__(self, schema: Schema, moments: Moments) -> None:
        self._schema, self._moments = schema, moments
        self.past, self.future, self.static = (
            Cells(columns) for columns in (schema.past, schema.future, schema.static)
        )
        self.ahead, self.wanted = _free(AHEAD, schema.columns), _free(WANTED, schema.columns)
        self._names = frozenset([*schema.columns, self.wanted, *([self.ahead] if schema.future else [])])
        self._times = () if schema.time is None else (schema.time, *schema.time_parts)
        self._needed = (*self._times, *schema.targets, *(column.name for column in schema.past))
        self.observation = self._described()
        self.example = self._example()

    def checked(self, observation: Any) -> Observation:
        """An observation, checked but for its time. Raises DataError, naming the column."""
        if not isinstance(observation, dict):
            raise DataError(
                f"expected values by the names of the columns, got {type(observation).__name__}. Give an "
                f"object such as {{{self._needed[0]!r}: …}}."
            )
        if not self._names.issuperset(observation):
            odd = next(name for name in observation if name not in self._names)
            raise DataError(
                f"expected the columns {', '.join(map(repr, self._schema.columns))}, got another. "
                "Leave it out.",
                column=str(odd),
            )
        for name in self._needed:
            if name not in observation:
                raise DataError(
                    "expected a value at each step, got none. "
                    + ("Write when it was." if name in self._times else "Give null where it is missing."),
                    column=name,
                )
        wanted = observation.get(self.wanted, True)
        if not isinstance(wanted, bool):
            raise DataError(f"expected true or false, got {wanted!r:.60}. Give one.", column=self.wanted)
        return Observation(
            self._moments.checked(observation),
            self._series(observation),
            [figure(observation[name], name) for name in self._schema.targets],
            self.past.checked(observation),
            self.static.checked(observation),
            [self.future.checked(observation), *self._ahead(observation.get(self.ahead))]
            if self.future.columns
            else [],
            wanted,
        )

    def _ahead(self, rows: Any) -> list[Row]:
        if rows is None:
            return []
        horizon, names = self._schema.horizon, {column.name for column in self.future.columns}
        if not isinstance(rows, list) or len(rows) > horizon:
            what = f"{len(rows)} rows" if isinstance(rows, list) else type(rows).__name__
            raise DataError(
                f"expected a list of at most {horizon} rows, one for each step after this one, got {what}. "
                "Leave out the others.",
                column=self.ahead,
            )
        for number, row in enumerate(rows):
            odd = next((name for name in row if name not in names), None) if isinstance(row, dict) else row
            if odd is not None or not isinstance(row, dict):
                raise DataError(
                    f"expected an object of {', '.join(map(repr, sorted(names)))}, got {odd!r:.60}. "
                    "Give these columns.",
                    column=f"{self.ahead}[{number}]",
                )
        return [self.future.checked(row, f"{self.ahead}[{number}].") for number, row in enumerate(rows)]

    def _series(self, observation: dict[str, Any]) -> int:
        """A number of the ids that are given, so that rows of another series can be told."""
        if not self._schema.ids:
            return 0
        ids = [str(observation.get(name, "")).strip() for name in self._schema.ids]
        if not any(ids):
            return 0
        digest = hashlib.blake2b("\0".join(ids).encode(errors="replace"), digest_size=8).digest()
        return int.from_bytes(digest, signed=True) or 1

    def _described(self) -> dict[str, Any]:
        schema, text = self._schema, {"type": ["string", "number", "boolean"]}
        ahead = {
            "type": "array",
            "maxItems": schema.horizon,
            "description": "What is known of the steps after this one, in order.",
            "items": {"type": "object", "properties": self.future.kinds(), "additionalProperties": False},
        }
        flag = {"type": "boolean", "description": "Whether a forecast is asked for; true unless given."}
        return {
            "type": "object",
            "description": "A row of the file: one step, null where a value is missing.",
            "properties": {
                **self._moments.kinds(),
                **dict.fromkeys(schema.ids, text),
                **dict.fromkeys(schema.targets, FIGURE),
                **self.past.kinds(),
                **self.future.kinds(),
                **self.static.kinds(),
                **({self.ahead: ahead} if schema.future else {}),
                self.wanted: flag,
            },
            "required": list(self._needed),
            "additionalProperties": False,
        }

    def _example(self) -> dict[str, Any]:
        schema = self._schema
        when = max(schema.learnt.values(), default=0)
        ahead = {self.ahead: [self.future.example()] * schema.horizon} if schema.future else {}
        return {
            **self._moments.example(when),
            **dict.fromkeys(schema.targets, 1.0),
            **self.past.example(),
            **self.future.example(),
            **self.static.example(),
            **ahead,
        }


def _free(name: str, columns: Sequence[str]) -> str:
    """A name that no column bears."""
    while name in columns:
        name += "_"
    return name
