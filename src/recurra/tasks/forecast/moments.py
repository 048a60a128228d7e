"""Times of observations as steps of the grid, and back."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from recurra.data.stamps import EPOCHS, Problem, Stamps
from recurra.data.timeparts import join_parts
from recurra.data.times import parse_times
from recurra.errors import DataError
from recurra.tasks.forecast.schema import Schema
from recurra.tasks.forecast.steps import grid_index

Cells = tuple[str | int | float, ...]  # a time, in one column or several

# Times that are remembered: streams often step together.
REMEMBERED = 10_000
AT_ONCE = 256  # that are written
MICROSECOND, ZERO = dt.timedelta(microseconds=1), dt.timedelta()
NANOSECONDS = EPOCHS["nanoseconds"]
PLAIN = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
YEAR_AND_MONTH = "year-month"
# Beyond these no calendar goes.
FIRST, LAST = (int(np.datetime64(f"{year}-01-01", "us").astype(np.int64)) for year in ("0001", "9000"))
LARGEST = 2**61  # step
SHOWN = (str, bool, int, float, np.number)


class Moments:
    """Reads times as the file readers do, and writes them as `predict` does."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._columns = () if schema.time is None else (schema.time, *schema.time_parts)
        self._read: dict[Cells, int] = {}
        self._written: dict[int, Any] = {}

    def checked(self, observation: dict[str, Any]) -> Cells:
        """The cells of an observation's time. Raises DataError."""
        return tuple([_cell(observation[column], column) for column in self._columns])

    def index(self, cells: Sequence[Cells]) -> list[int | DataError]:
        """Grid index of each time, or what is wrong with it."""
        new = dict.fromkeys(one for one in cells if one not in self._read)
        wrong: dict[Cells, DataError] = {}
        if len(self._read) + len(new) > REMEMBERED:
            self._read.clear()
            new = dict.fromkeys(cells)
        kinds: dict[tuple[type, ...], list[Cells]] = {}
        for one in new:
            kinds.setdefault(tuple(map(type, one)), []).append(one)
        for alike in kinds.values():
            self._take(alike, wrong)
        return [wrong[one] if one in wrong else self._read[one] for one in cells]

    def _take(self, cells: list[Cells], wrong: dict[Cells, DataError]) -> None:
        """Read times together, and where that fails find out which one it is."""
        try:
            self._read |= zip(cells, self._parse(cells), strict=True)
        except DataError as error:
            if len(cells) == 1:
                wrong[cells[0]] = error
                return
            half = len(cells) // 2
            self._take(cells[:half], wrong)
            self._take(cells[half:], wrong)

    def _parse(self, cells: list[Cells]) -> list[int]:
        schema, column = self._schema, self._columns[0]

        def problem(message: str, row: int) -> DataError:
            return DataError(message, column=column)

        try:
            with np.errstate(invalid="ignore"):  # what is no time is found out below
                stamps = self._plain(cells) or self._read_as_files(cells, problem)
                index, exact = grid_index(stamps, schema.frequency, problem)
        except (ValueError, OverflowError, pl.exceptions.PolarsError) as error:  # no time at all
            raise _no_time(cells[0][0], column) from error
        low, high = (-LARGEST, LARGEST) if stamps.steps else (FIRST, LAST)
        if not ((stamps.value > low) & (stamps.value < high)).all():
            raise _no_time(cells[0][0], column)
        if not exact.all():
            row = int(np.argmin(exact))
            raise problem(
                f"expected a time on the grid, {schema.frequency}, got {stamps.show(row)}. "
                "Give a value for each step.",
                row,
            )
        found: list[int] = index.tolist()
        return found

    def _read_as_files(self, cells: list[Cells], problem: Problem) -> Stamps:
        schema = self._schema
        for one in cells:
            if any(map(_is_huge, one)):
                raise _no_time(one[0], self._columns[0])
        parts = zip(self._columns, zip(*cells, strict=True), strict=True)
        frame = pl.DataFrame([pl.Series(name, part) for name, part in parts])
        return parse_times(join_parts(frame, self._columns[0], schema.time_parts), problem, schema.time_form)

    def _plain(self, cells: list[Cells]) -> Stamps | None:
        """What `parse_times` makes of the commonest forms, much sooner for a few times; None of others."""
        if all(isinstance(one[0], str) for one in cells):
            text = [" ".join(map(str, one)) for one in cells]
            return _plain_text(text) if all(map(PLAIN.fullmatch, text)) else None
        form, scale = self._schema.time_form, EPOCHS.get(self._schema.time_form, NANOSECONDS)
        if not all(isinstance(one[0], int) and len(one) == 1 for one in cells):
            return None
        value = np.array([one[0] for one in cells], dtype=np.int64)
        if form == "step":
            return Stamps(value, form)
        if scale == NANOSECONDS or np.abs(value).max() > LAST * scale // 10**6:
            return None
        return Stamps(value * (10**6 // scale), form, "UTC")

    def show(self, index: int) -> str:
        """The time of a step in words."""
        return str(self.ahead(index, 1)[0])

    def ahead(self, index: int, count: int) -> list[Any]:
        """The times of a step and those after it as JSON has them: numbers, dates as text."""
        some = range(index, index + count)
        if some[-1] not in self._written or index not in self._written:
            if len(self._written) >= REMEMBERED:
                self._written.clear()
            # Of one step alone a midnight is a date.
            more = index + np.arange(1 if self._schema.horizon == 1 else max(count, AT_ONCE))
            cells = self._schema.write_times(more).to_list()
            text = [one.isoformat() if isinstance(one, dt.date) else one for one in cells]
            self._written |= zip(more.tolist(), text, strict=True)
        return [self._written[step] for step in some]

    def example(self, index: int) -> dict[str, Any]:
        """The time of a step as an observation bears it."""
        if not self._columns:
            return {}
        value = self.ahead(index, 1)[0]
        if len(self._columns) == 1:
            return {self._columns[0]: value}
        stamp = self._schema.frequency.to_time(np.array([index]))[0].item()
        if len(self._columns) == 2 and self._schema.time_form != YEAR_AND_MONTH:
            return dict(zip(self._columns, (stamp.date().isoformat(), f"{stamp:%H:%M}"), strict=True))
        return dict(zip(self._columns, (stamp.year, stamp.month, stamp.day, stamp.hour), strict=False))

    def kinds(self) -> dict[str, Any]:
        """JSON schemas of the columns."""
        return {column: {"type": ["string", "number"]} for column in self._columns}


def _plain_text(text: list[str]) -> Stamps | None:
    try:
        stamps = [dt.datetime.fromisoformat(one) for one in text]
    except ValueError:
        return None
    wall = np.array([one.replace(tzinfo=None) for one in stamps], dtype="datetime64[us]").astype(np.int64)
    without = {one.utcoffset() is None for one in stamps}
    if without == {True}:
        return Stamps(wall, "year-month-day")
    ahead = np.array([(one.utcoffset() or ZERO) // MICROSECOND for one in stamps])
    return Stamps(wall - ahead, "year-month-day", "UTC", wall) if without == {False} else None


def _is_huge(cell: str | int | float) -> bool:
    try:
        return not abs(float(cell)) < LARGEST
    except ValueError:
        return False


def _cell(value: Any, column: str) -> str | int | float:
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, str) and value.isascii():
        return value.strip()
    if isinstance(value, str | bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise _no_time(value, column)
    figure = float(value) if isinstance(value, float | np.floating) else int(value)
    if not abs(figure) < LARGEST:
        raise _no_time(value, column)
    return figure


def _no_time(value: Any, column: str) -> DataError:
    shown = "none" if value is None else ascii(value) if isinstance(value, SHOWN) else type(value).__name__
    return DataError(f"expected a time, got {shown:.60}. Write it as the training data do.", column=column)
