"""Streams of the forecaster: series as they come, and after each step what comes next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from recurra.data import calendar
from recurra.errors import DataError
from recurra.tasks.base import Kind
from recurra.tasks.forecast.covariates import Covariates
from recurra.tasks.forecast.features import begins, foretold, joined, sizes
from recurra.tasks.forecast.layout import SMALLEST, SPARSEST
from recurra.tasks.forecast.model import Forecaster
from recurra.tasks.forecast.moments import Moments
from recurra.tasks.forecast.observation import Observation, Reader
from recurra.tasks.forecast.running import Running
from recurra.tasks.forecast.schema import Schema
from recurra.tasks.forecast.view import view

Array = np.ndarray[Any, np.dtype[Any]]
Parts = Mapping[str, Array]
Answer = dict[str, Any] | DataError

WINDOWS = 1024  # that go through the network together
NEVER = np.iinfo(np.int64).max


class Going(NamedTuple):
    """Streams (n,) that take their observations: slots, places among the inputs, grid indices, targets.

    values: (n, K), NaN where missing.
    """

    rows: Array
    places: Array
    steps: Array
    values: Array


class ForecastSteps:
    """The forecaster, ready to go on.

    A stream is a row of the file at a time: K targets, each a series of its own from its first value on.
    Nothing is forecast from a missing value: the answer is then that of the last known one, as `predict`'s.
    """

    kind: Kind = "numbers"

    def __init__(self, model: Forecaster, levels: Sequence[float], schema: Schema) -> None:
        self._model, self._schema, self._size = model.eval(), schema, sizes(schema)
        self._levels, self._middle = [f"q{level:g}" for level in levels], list(levels).index(0.5)
        self._moments = Moments(schema)
        self._reader = Reader(schema, self._moments)
        self._running = Running(tuple(schema.seasons), self._size.look_back)
        self._states = tuple(self._running.fresh())
        count, back = len(schema.targets), self._size.look_back
        self._past = Covariates("past", self._size.past, back, 0, count)
        self._future = Covariates("future", self._size.future, back, self._size.horizon, count)
        self._begins = begins(self._size)
        # The last pool: to look at all of its parts takes a good part of a step.
        self._pool: dict[str, Tensor] = {}
        self._arrays: dict[str, Array] = {}
        self.observation: Mapping[str, Any] = self._reader.observation
        self.example = self._reader.example

    def fresh(self) -> dict[str, Tensor]:
        """The state of a stream that has seen nothing.

        taken: observations.  first, now: grid indices of the first and the newest.  series: of the ids.
        start: (K,), where each target begins.  static: encoded.  The rest is (K, …), as in `Running`, and as
        in `Covariates`.
        """
        count = len(self._schema.targets)
        parts: dict[str, Array] = {
            name: np.zeros((), np.int64) for name in ("taken", "first", "now", "series")
        }
        parts["start"] = np.zeros(count, np.int64)
        if self._reader.static.width:
            parts["static"] = np.full(self._reader.static.width, np.nan, np.float32)
        parts |= self._past.fresh() | self._future.fresh()
        for name, part in self._running.fresh().items():
            parts[name] = np.repeat(part[None], count, 0)
        return {name: torch.from_numpy(np.array(part)) for name, part in parts.items()}

    def checked(self, observation: Any) -> Observation:
        """An observation as `step` takes it. Raises DataError."""
        return self._reader.checked(observation)

    @torch.no_grad()
    def step(self, pool: Mapping[str, Tensor], rows: Tensor, inputs: Sequence[Observation]) -> list[Answer]:
        """Take streams one observation on."""
        parts, slots = self._views(pool), rows.numpy()
        answers: list[Answer] = [{} for _ in inputs]
        static = self._reader.static.encoded([one.static for one in inputs])
        index = self._places(parts, slots, inputs, answers)
        self._check_static(parts, slots, static, answers)
        places = np.flatnonzero([not isinstance(answer, DataError) for answer in answers])
        if len(places):
            values = np.array([inputs[place].values for place in places.tolist()])
            going = Going(slots[places], places, index[places], values)
            self._take(parts, going, inputs, static[places])
            self._answer(parts, going, inputs, answers)
        return answers

    def _views(self, pool: Mapping[str, Tensor]) -> Parts:
        """The pool's tensors as arrays, K slots for each stream where the states are a target's."""
        if all(pool.get(name) is tensor for name, tensor in self._pool.items()) and len(pool) == len(
            self._pool
        ):
            return self._arrays
        self._pool = dict(pool)
        self._arrays = {name: part.numpy() for name, part in pool.items()}
        for name in self._states:
            part = self._arrays[name]
            self._arrays[name] = part.reshape(-1, *part.shape[2:])
        return self._arrays

    def _places(
        self, parts: Parts, slots: Array, inputs: Sequence[Observation], answers: list[Answer]
    ) -> Array:
        """Grid index of each observation, (B,); what is wrong with a time, or a series, is the answer."""
        taken, now, first = (parts[name][slots] for name in ("taken", "now", "first"))
        index = taken.copy()
        if self._schema.time is not None:
            found = self._moments.index([one.time for one in inputs])
            for place, one in enumerate(found):
                if isinstance(one, DataError):
                    answers[place] = one
                else:
                    index[place] = one
            far = index - first + 1 > np.maximum(SPARSEST * (taken + 1), SMALLEST)
            for place in np.flatnonzero((taken > 0) & (far | (index <= now))).tolist():
                if not isinstance(answers[place], DataError):
                    answers[place] = self._jump(inputs[place], int(index[place]), int(now[place]))
        series = np.array([one.series for one in inputs])
        before = parts["series"][slots]
        for place in np.flatnonzero((series != 0) & (before != 0) & (series != before)).tolist():
            answers[place] = DataError(
                "expected rows of one series in a stream, got another. Open a stream for each series.",
                column=self._schema.ids[0],
            )
        return index

    def _jump(self, one: Observation, index: int, now: int) -> DataError:
        shown = " ".join(map(str, one.time))
        if index <= now:
            return DataError(
                f"expected a time after {self._moments.show(now)}, got {shown}. Give the rows in the "
                "order of time.",
                column=self._schema.time,
            )
        return DataError(
            f"expected times near one another, got {shown}, {index - now:,} steps from the last. "
            "Correct the time, or open another stream.",
            column=self._schema.time,
        )

    def _check_static(self, parts: Parts, slots: Array, static: Array, answers: list[Answer]) -> None:
        at = 0
        for column in self._schema.static:
            here = slice(at, at + len(column.features))
            part, before = static[:, here], parts["static"][slots, here]
            known = ~np.isnan(part).any(1) & ~np.isnan(before).any(1)
            for place in np.flatnonzero(known & (part != before).any(1)).tolist():
                answers[place] = DataError(
                    "expected one value per series in a static column, got another one. "
                    "Open a stream for each series.",
                    column=column.name,
                )
            at = here.stop

    def _take(self, parts: Parts, going: Going, inputs: Sequence[Observation], static: Array) -> None:
        rows, index, values = going.rows, going.steps, going.values
        given = [inputs[place] for place in going.places]
        taken, now = parts["taken"][rows], parts["now"][rows]
        parts["first"][rows] = np.where(taken, parts["first"][rows], index)
        series = np.array([one.series for one in given])
        parts["series"][rows] = np.where(series != 0, series, parts["series"][rows])
        if static.shape[1]:
            parts["static"][rows] = np.where(np.isnan(static), parts["static"][rows], static)
        self._take_covariates(parts, going, given, np.where(taken, index - now, 0))
        parts["taken"][rows], parts["now"][rows] = taken + 1, index
        which, target = np.nonzero(~np.isnan(values))
        if len(which):
            row = rows[which]
            at = row * values.shape[1] + target
            steps, when = parts["steps"][at], index[which]
            begun = steps > 0
            parts["start"][row, target] = np.where(begun, parts["start"][row, target], when)
            gap = np.where(begun, when - parts["start"][row, target] - steps, 0)
            self._running.take(parts, at, values[which, target], gap)

    def _take_covariates(
        self, parts: Parts, going: Going, given: Sequence[Observation], steps: Array
    ) -> None:
        """steps: (n,), from the observation before to this one."""
        if not self._past.width and not self._future.width:
            return
        rows, index = going.rows, going.steps
        now, end = index - steps, self._ends(parts, rows)
        gone = np.isnan(going.values) & (end < NEVER)
        which, target = np.nonzero(gone & (end == now[:, None] + 1))
        end = np.where(gone, end, NEVER)
        for ring in (self._past, self._future):
            ring.keep(parts, rows[which], target)
            ring.advance(parts, rows, now, steps)
        if self._past.width:
            cells = [one.past for one in given]
            encoded, said = self._reader.past.encoded(cells), self._reader.past.given(cells)
            self._past.write(parts, rows, index, encoded, said, end)
        if self._future.width:
            count = np.array([len(one.future) for one in given])
            of = np.repeat(np.arange(len(rows)), count)
            after = np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count)
            cells = [row for one in given for row in one.future]
            encoded, said = self._reader.future.encoded(cells), self._reader.future.given(cells)
            self._future.write(parts, rows[of], index[of] + after, encoded, said, end[of])

    def _ends(self, parts: Parts, rows: Array) -> Array:
        """The step after the last known value of each target, (n, K); NEVER for one that has not begun."""
        start = parts["start"][rows]
        at = rows[:, None] * start.shape[1] + np.arange(start.shape[1])
        steps = parts["steps"][at]
        return np.where(steps > 0, start + steps, NEVER)

    def _answer(
        self, parts: Parts, going: Going, inputs: Sequence[Observation], answers: list[Answer]
    ) -> None:
        wanted = np.array([inputs[place].wanted for place in going.places])
        ends = self._ends(parts, going.rows)
        which, target = np.nonzero((ends < NEVER) & wanted[:, None])
        found: dict[tuple[int, int], dict[str, Any]] = {}
        for first in range(0, len(which), WINDOWS):
            some = slice(first, first + WINDOWS)
            each = self._forecasts(
                parts, going.rows[which[some]], target[some], ends[which[some], target[some]]
            )
            found |= zip(zip(which[some].tolist(), target[some].tolist(), strict=True), each, strict=True)
        taken, names = parts["taken"][going.rows].tolist(), self._schema.targets
        for n, place in enumerate(going.places.tolist()):
            if not wanted[n]:
                answers[place] = {"forecast": None, "steps": taken[n]}
                continue
            series = {
                name: found.get((n, k)) or {"forecast": None, "needs": f"a known value of {name!r}"}
                for k, name in enumerate(names)
            }
            body = series[names[0]] if len(names) == 1 else {"series": series}
            answers[place] = {**body, "steps": taken[n]}

    def _forecasts(self, parts: Parts, rows: Array, target: Array, end: Array) -> list[dict[str, Any]]:
        """What comes after `end` (W,) of targets (W,) of streams (W,)."""
        size, count = self._size, len(self._schema.targets)
        about = rows, target, end, parts["start"][rows, target], parts["now"][rows]
        known = self._future.window(parts, *about)
        lacking = np.isnan(known[:, size.look_back :]).any((1, 2))
        answers: list[dict[str, Any]] = [{} for _ in rows]
        for w in np.flatnonzero(lacking).tolist():
            answers[w] = self._needs(known[w, size.look_back :], int(end[w]))
        able = np.flatnonzero(~lacking)
        if not len(able):
            return answers
        states = self._running.states(parts, (rows * count + target)[able], size.horizon)
        seen = view(states, np.full((len(able), size.horizon), np.nan))
        past = self._past.window(parts, *(part[able] for part in about))
        static = parts["static"][rows[able]] if "static" in parts else np.empty((len(able), 0), np.float32)
        inputs = joined(seen, static, past, known[able], self._calendar(end[able]))
        quantiles = foretold(self._model, inputs, seen).swapaxes(1, 2).tolist()
        for w, found in zip(able.tolist(), quantiles, strict=True):
            answers[w] = {
                "forecast": found[self._middle],
                "quantiles": dict(zip(self._levels, found, strict=True)),
                "time": self._moments.ahead(int(end[w]), size.horizon),
            }
        return answers

    def _calendar(self, end: Array) -> Array:
        """Of each segment's first step about origins (W,): (W, segments, K)."""
        schema = self._schema
        each, of = np.unique(end, return_inverse=True)
        steps = each[:, None] + self._begins
        table = calendar.features(schema.frequency, steps.ravel(), schema.length)
        return np.asarray(table.reshape(*steps.shape, -1)[of])

    def _needs(self, known: Array, end: int) -> dict[str, Any]:
        """Which future-known column is not known ahead: (H, F), from step `end` on."""
        gone = np.isnan(known)
        step = int(gone.any(1).argmax())
        feature = self._schema.future_features[int(gone[step].argmax())]
        column = next(one.name for one in self._schema.future if feature in one.features)
        return {"forecast": None, "needs": f"{column!r} at {self._moments.show(end + step)}"}
