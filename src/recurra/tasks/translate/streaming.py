"""Streams of the translator: text as it comes, and the translation of each sentence that has ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.data import pending
from recurra.decode.beam import Beam
from recurra.errors import DataError
from recurra.tasks.base import Kind, Translation
from recurra.tasks.translate.model import Translator
from recurra.tasks.translate.schema import Schema
from recurra.tasks.translate.writing import translate

Pool = Mapping[str, Tensor]

# Bytes of a sentence at most, whether it comes in pieces or at once: what a stream may ask for in one step
# grows with them.
ROOM = 4096
TEXT = {
    "type": "string",
    "description": "The next piece of the text, of any length; the end of a line ends a sentence.",
}


class TranslateSteps:
    """Text in pieces of any length. An answer has the translations of the sentences that a piece has ended.

    State: "pending", the text that waits for its newline; "steps", how many sentences there have been.
    """

    kind: Kind = "text"
    observation: Mapping[str, Any] = TEXT
    example: Any = "some words\n"
    uneven = True  # what ends a sentence takes far longer than what does not

    def __init__(self, model: Translator, schema: Schema, beam: Beam) -> None:
        self._model, self._schema, self._beam = model, schema, beam

    def fresh(self) -> dict[str, Tensor]:
        """The state of a stream that has seen nothing."""
        return {"pending": pending.fresh(ROOM), "steps": torch.zeros((), dtype=torch.int64)}

    def checked(self, observation: Any) -> str:
        """A piece of text. Raises DataError."""
        return pending.checked_text(observation)

    @torch.no_grad()
    def step(self, pool: Pool, rows: Tensor, inputs: Sequence[str]) -> Sequence[dict[str, Any] | DataError]:
        """Take streams one piece of text on; a sentence that is too long is an error."""
        held, steps = pool["pending"].numpy(), pool["steps"].numpy()
        read: list[tuple[list[str], bytes] | DataError] = []
        for slot, piece in zip(rows.tolist(), inputs, strict=True):
            try:
                read.append(_read(pending.taken(held[slot]) + piece))
            except DataError as error:
                read.append(error)
        every = [text for one in read if not isinstance(one, DataError) for text in one[0]]
        found = iter(translate(self._model, self._schema, every, self._beam))
        answers: list[dict[str, Any] | DataError] = []
        for slot, one in zip(rows.tolist(), read, strict=True):
            if isinstance(one, DataError):
                answers.append(one)
                continue
            texts, waiting = one
            pending.put(held[slot], waiting)
            steps[slot] += len(texts)
            told = [_told(text, next(found)[0]) for text in texts]
            answers.append({"translations": told, "steps": int(steps[slot])})
        return answers


def _read(text: str) -> tuple[list[str], bytes]:
    """The sentences that have ended, and what waits, as it lies in its buffer. Raises DataError."""
    *ended, waiting = text.split("\n")
    longest = max(len(one.encode()) for one in (*ended, waiting))
    if longest > ROOM:
        raise DataError(
            f"expected sentences of at most {ROOM:,} bytes, got {longest:,} bytes without the end of a line. "
            "End each sentence with a newline."
        )
    return [one.removesuffix("\r") for one in ended], pending.laid(waiting)


def _told(source: str, found: Translation) -> dict[str, Any]:
    return {
        "source": source,
        "text": found.text,
        "score": found.score,
        "alignment": [list(pair) for pair in found.alignment],
    }
