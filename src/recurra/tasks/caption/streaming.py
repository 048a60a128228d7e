"""Streams of the captioner: one picture after the other, each with its caption and where its words looked."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.data.frequency import Array
from recurra.decode.beam import Beam
from recurra.errors import DataError
from recurra.tasks.base import Caption, Kind
from recurra.tasks.caption.captioning import captions
from recurra.tasks.caption.eyes import eyes_of
from recurra.tasks.caption.model import Captioner
from recurra.tasks.caption.schema import Schema

Pool = Mapping[str, Tensor]

PICTURE = {
    "type": "string",
    "description": "A picture's file (JPEG, PNG, WebP …) in base64; what stands before a comma, as in "
    "data:image/png;base64, is not read.",
}
# A white picture of one pixel, which is one that can be given.
EXAMPLE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4//8/AAX+Av4N70a4AAAAAElFTkSuQmCC"
# Digits of a share in an answer.
DIGITS = 4


class CaptionSteps:
    """A picture in each step. State: "steps", how many there have been."""

    kind: Kind = "picture"
    observation: Mapping[str, Any] = PICTURE
    example: Any = EXAMPLE

    def __init__(self, model: Captioner, schema: Schema, beam: Beam) -> None:
        self._model, self._schema, self._beam, self._eyes = model, schema, beam, eyes_of(schema)

    def fresh(self) -> dict[str, Tensor]:
        """The state of a stream that has seen nothing."""
        return {"steps": torch.zeros((), dtype=torch.int64)}

    def checked(self, observation: Any) -> Array:
        """What is seen of a picture. Raises DataError."""
        if not isinstance(observation, str):
            raise DataError(
                f"expected a picture's file in base64, got {type(observation).__name__}. Send a string."
            )
        try:
            raw = base64.b64decode(observation.rpartition(",")[2], validate=True)
        except (binascii.Error, ValueError) as error:
            raise DataError(
                "expected a picture's file in base64, got a string that is none. Encode the whole file."
            ) from error
        return self._eyes.look(raw, "the picture")[0]

    @torch.no_grad()
    def step(self, pool: Pool, rows: Tensor, inputs: Sequence[Array]) -> Sequence[dict[str, Any] | DataError]:
        """Take streams one picture on."""
        steps = pool["steps"].numpy()
        answers: list[dict[str, Any] | DataError] = []
        found = captions(self._model, self._schema, inputs, self._beam)
        for slot, (best, *_) in zip(rows.tolist(), found, strict=True):
            steps[slot] += 1
            answers.append({**told(best), "steps": int(steps[slot])})
        return answers


def told(found: Caption) -> dict[str, Any]:
    """A caption as JSON has it."""
    return {
        "text": found.text,
        "score": found.score,
        "words": list(found.words),
        "attention": found.attention.astype(float).round(DIGITS).tolist(),
    }
