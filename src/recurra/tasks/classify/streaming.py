"""Streams of the classifier: a text, events or a series as they come, and at each step the class so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.data import pending
from recurra.data.frequency import Array
from recurra.data.settled import settled
from recurra.errors import ConfigError, DataError
from recurra.tasks.base import Kind, Steps
from recurra.tasks.classify.cells import EventCells, SeriesCells
from recurra.tasks.classify.model import Classifier
from recurra.tasks.classify.schema import Schema
from recurra.tasks.classify.slots import SeriesMembers, TokenMembers

Pool = Mapping[str, Tensor]
Answers = list[dict[str, Any] | DataError]

UNKNOWN = 1  # the token of what training did not show, and of a sequence without any


def steps(model: Classifier, schema: Schema) -> Steps:
    """The model, ready to go on. Raises ConfigError for one that reads from both ends."""
    if model.bidirectional:
        raise ConfigError(
            "expected a model that reads in one direction, got one that reads from both ends and must see "
            "the end first. Fit it without bidirectional."
        )
    if schema.kind == "series":
        return SeriesSteps(model, schema)
    return TextSteps(model, schema) if schema.vocabulary is not None else EventSteps(model, schema)


class Answering:
    """Logits as answers, with the bits of `predict`."""

    def __init__(self, model: Classifier, schema: Schema) -> None:
        self._model, self._classes, self._several = model, schema.classes, schema.several

    def __call__(self, logits: Tensor, many: Sequence[int]) -> list[dict[str, Any]]:
        """One for each row of logits (B, K), after so many steps."""
        found = self._model.probabilities(logits).double().numpy()
        return [self._one(row, steps) for row, steps in zip(found, many, strict=True)]

    def _one(self, row: Array, steps: int) -> dict[str, Any]:
        chances = dict(zip(self._classes, row.tolist(), strict=True))
        if self._several:
            labels = [self._classes[k] for k in np.flatnonzero(row >= 0.5)]
            return {"labels": labels, "probabilities": chances, "steps": steps}
        best = int(row.argmax())
        return {
            "class": self._classes[best],
            "probability": float(row[best]),
            "probabilities": chances,
            "steps": steps,
        }


class TextSteps:
    """A text in pieces of any length. An answer takes for final what may still change, which waits."""

    kind: Kind = "text"

    def __init__(self, model: Classifier, schema: Schema) -> None:
        assert schema.vocabulary is not None
        self.observation: Mapping[str, Any] = {
            "type": "string",
            "description": "The next piece of the text, of any length.",
        }
        self.example: Any = "some words"
        self._vocabulary, self._members = schema.vocabulary, TokenMembers(model)
        self._answers = Answering(model, schema)
        self._parts = tuple(self._members.fresh())

    def fresh(self) -> dict[str, Tensor]:
        """The state of a stream that has seen nothing. "pending": text that may still change."""
        return {"pending": pending.fresh()} | self._members.fresh()

    def checked(self, observation: Any) -> str:
        """A piece of text. Raises DataError."""
        return pending.checked_text(observation)

    @torch.no_grad()
    def step(self, pool: Pool, rows: Tensor, inputs: Sequence[str]) -> Answers:
        """Take streams one piece of text on; a word without an end is an error."""
        buffers = pool["pending"].numpy()
        answers: Answers = []
        going, certain, waiting = [], [], []
        for row, (slot, piece) in enumerate(zip(rows.tolist(), inputs, strict=True)):
            text = pending.taken(buffers[slot]) + piece
            at = settled(text, self._vocabulary.unit, self._vocabulary.lower)
            try:
                rest = pending.packed(text[at:], "words and pieces of text without a space")
            except DataError as error:
                answers.append(error)
                continue
            answers.append({})
            going.append(row)
            certain.append(self._encode(text[:at]))
            waiting.append(self._encode(text[at:]))
            pending.put(buffers[slot], rest)
        if going:
            which = rows[torch.tensor(going)]
            self._members.read(pool, which, certain)
            for row, answer in zip(going, self._so_far(pool, which, waiting), strict=True):
                answers[row] = answer
        return answers

    def _encode(self, text: str) -> Array:
        return self._vocabulary.encode(text) if text else np.zeros(0, dtype=np.int32)

    def _so_far(self, pool: Pool, rows: Tensor, waiting: list[Array]) -> list[dict[str, Any]]:
        """Answers that take what waits for final; the streams stay where they are."""
        steps = pool["steps"].index_select(0, rows)
        for n, one in enumerate(waiting):
            if not len(one) and not steps[n]:
                waiting[n] = np.array([UNKNOWN])
        if any(len(one) for one in waiting):
            pool = {part: pool[part].index_select(0, rows) for part in self._parts}
            rows = torch.arange(len(rows))
            self._members.read(pool, rows, waiting)
            steps = pool["steps"]
        return self._answers(self._members.logits(pool, rows), steps.tolist())


class EventSteps:
    """Events, one by one, by their names."""

    kind: Kind = "event"

    def __init__(self, model: Classifier, schema: Schema) -> None:
        self._cells, self._members = EventCells(schema), TokenMembers(model)
        self._answers = Answering(model, schema)
        self.observation: Mapping[str, Any] = self._cells.observation
        self.example: Any = self._cells.example

    def fresh(self) -> dict[str, Tensor]:
        """The state of a stream that has seen nothing."""
        return self._members.fresh()

    def checked(self, observation: Any) -> int:
        """An event's number. Raises DataError."""
        return self._cells.number(observation)

    @torch.no_grad()
    def step(self, pool: Pool, rows: Tensor, inputs: Sequence[int]) -> Answers:
        """Take streams one event on."""
        self._members.read(pool, rows, [np.array([one]) for one in inputs])
        steps = pool["steps"].index_select(0, rows).tolist()
        return [*self._answers(self._members.logits(pool, rows), steps)]


class SeriesSteps:
    """Numbers by the names of their channels, null where one is missing."""

    kind: Kind = "numbers"

    def __init__(self, model: Classifier, schema: Schema) -> None:
        self._cells, self._members = SeriesCells(schema), SeriesMembers(model, schema.width)
        self._answers = Answering(model, schema)
        self.observation: Mapping[str, Any] = self._cells.observation
        self.example: Any = self._cells.example

    def fresh(self) -> dict[str, Tensor]:
        """The state of a stream that has seen nothing."""
        return self._members.fresh()

    def checked(self, observation: Any) -> Any:
        """One step's values. Raises DataError, naming the channel."""
        return self._cells.checked(observation)

    @torch.no_grad()
    def step(self, pool: Pool, rows: Tensor, inputs: Sequence[Any]) -> Answers:
        """Take streams one step on."""
        self._members.read(pool, rows, torch.from_numpy(self._cells.features(inputs)))
        steps = pool["steps"].index_select(0, rows).tolist()
        return [*self._answers(self._members.logits(pool, rows), steps)]
