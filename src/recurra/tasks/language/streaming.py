"""Streams of the language model: text as it comes, the surprise of each token, and what may come next."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from recurra.data.frequency import Array
from recurra.data.growing import Growing
from recurra.data.ragged import rounds
from recurra.data.tokens import BORDER
from recurra.errors import DataError
from recurra.nn.recurrent import Recurrent
from recurra.tasks.base import Kind
from recurra.tasks.language.model import LanguageModel, State
from recurra.tasks.language.schema import Schema

Pool = Mapping[str, Tensor]

# Likeliest tokens that are named.
NAMED = 5
# Tokens that are read at once, and chances that are worked out at once.
TOKENS, CHANCES = 1 << 12, 1 << 22
TEXT = {"type": "string", "description": "The next piece of the text, of any length."}
BYTES = {
    "anyOf": [
        {"type": "string", "description": "The next bytes as text, in UTF-8."},
        {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 255}},
    ]
}


class LanguageSteps:
    """Text in pieces of any length. An answer tells of the tokens that a piece has made certain.

    State: that of each layer, after the last token or, at the beginning of a document, its BORDER; what
    `Growing` must know of the text; "nats", the surprise so far; "steps", how many tokens that are.
    """

    kind: Kind = "text"
    observation: Mapping[str, Any]
    example: Any

    def __init__(self, model: LanguageModel, schema: Schema) -> None:
        self.observation = BYTES if schema.tokens.unit == "bytes" else TEXT
        self.example = "some words"
        self._model, self._tokens = model, schema.tokens
        self._text = Growing(schema.tokens, schema.documents)
        layers = [cast(Recurrent, layer) for layer in model.recurrent()]
        self._layers = [layer.rows() for layer in layers]
        self._names = [{part: f"layer{n}.{part}" for part in one.sizes} for n, one in enumerate(self._layers)]
        self._last = self._names[-1]["h0"]  # what the next token is foretold from
        with torch.no_grad():
            self._begun = self._parts(model(torch.tensor([[BORDER]]))[1])

    def fresh(self) -> dict[str, Tensor]:
        """The state of a stream that has seen nothing."""
        return {
            **{name: part[0].clone() for name, part in self._begun.items()},
            **self._text.fresh(),
            "nats": torch.zeros((), dtype=torch.float64),
            "steps": torch.zeros((), dtype=torch.int64),
        }

    def checked(self, observation: Any) -> str:
        """A piece of text. Raises DataError."""
        return self._text.checked(observation)

    @torch.no_grad()
    def step(self, pool: Pool, rows: Tensor, inputs: Sequence[str]) -> Sequence[dict[str, Any] | DataError]:
        """Take streams one piece of text on; a word without an end is an error."""
        arrays = {name: pool[name].numpy() for name in self._text.fresh()}
        answers: list[dict[str, Any] | DataError] = []
        going, pieces, tokens, ended = [], [], [], []
        for row, (slot, piece) in enumerate(zip(rows.tolist(), inputs, strict=True)):
            mine = {name: array[slot] for name, array in arrays.items()}
            try:
                found, numbers = self._text.read(mine, piece)
            except DataError as error:
                answers.append(error)
                continue
            answers.append({})
            going.append(row)
            pieces.append(found)
            tokens.append(numbers)
            ended.append(self._text.ended(mine))
        if going:
            which = rows[torch.tensor(going)]
            nats = self._read(pool, which, tokens)
            onward = self._onward(pool, which, ended)
            sums, steps = pool["nats"].numpy(), pool["steps"].numpy()
            for n, (row, slot) in enumerate(zip(going, which.tolist(), strict=True)):
                for one in nats[n].tolist():
                    sums[slot] += one
                steps[slot] += len(nats[n])
                bits = (nats[n] / np.float32(math.log(2))).tolist()
                answers[row] = {
                    "tokens": [{"token": t, "bits": b} for t, b in zip(pieces[n], bits, strict=True)],
                    "bits": float(sums[slot]) / math.log(2),
                    "next": onward[n],
                    "steps": int(steps[slot]),
                }
        return answers

    def _read(self, pool: Pool, rows: Tensor, tokens: list[Array]) -> list[Array]:
        """Read the tokens (T,) of each stream: the nats of those that are none of BORDERs."""
        nats = [np.zeros(len(one), dtype=np.float32) for one in tokens]
        lengths = np.array([len(one) for one in tokens])
        for going, begin, end in rounds(lengths, TOKENS):
            x = torch.from_numpy(np.stack([tokens[n][begin:end] for n in going]).astype(np.int64))
            found = self._surprise(pool, rows[torch.from_numpy(going)], x)
            for n, row in zip(going, found.numpy(), strict=True):
                nats[n][begin:end] = row
        return [one[numbers != BORDER] for one, numbers in zip(nats, tokens, strict=True)]

    def _surprise(self, pool: Pool, rows: Tensor, x: Tensor) -> Tensor:
        """(B, T) nats of tokens x (B, T) after what has been read, 0 for a BORDER; they are read."""
        before = pool[self._last].index_select(0, rows)[:, None]
        y = torch.cat([before, self._outputs(pool, rows, x)[:, :-1]], 1).flatten(0, 1)
        flat = x.flatten()
        told = torch.nonzero(flat != BORDER)[:, 0]
        nats = y.new_zeros(len(flat))
        for some in torch.split(told, max(1, CHANCES // self._model.words.tokens)):
            nats[some] = self._model.words.surprise(y[some], flat[some])
        return nats.view(x.shape)

    def _outputs(self, pool: Pool, rows: Tensor, x: Tensor) -> Tensor:
        """(B, T, E) the last layer's outputs after tokens x (B, T)."""
        if x.shape[1] > 1:
            y, state = self._model(x.T, self._state(pool, rows))
            for name, part in self._parts(state).items():
                pool[name].index_copy_(0, rows, part)
            return y.transpose(0, 1)  # type: ignore[no-any-return]
        y = self._model.words.embed(x[:, 0])
        borders = rows[x[:, 0] == BORDER]
        for layer, names in zip(self._layers, self._names, strict=True):
            states = {part: pool[name] for part, name in names.items()}
            if len(borders):
                for part in states.values():
                    part.index_fill_(0, borders, 0.0)
            y = layer(y, states, rows)
        return y[:, None]

    def _state(self, pool: Pool, rows: Tensor) -> State:
        """As the model takes it."""
        found = []
        for names in self._names:
            parts = [pool[name].index_select(0, rows)[None] for name in names.values()]
            found.append(parts[0] if len(parts) == 1 else tuple(parts))
        return found

    def _parts(self, state: State) -> dict[str, Tensor]:
        """(B, …) of the model's state, by name."""
        found: dict[str, Tensor] = {}
        for names, parts in zip(self._names, state, strict=True):
            of = parts if isinstance(parts, tuple) else (parts,)
            found.update(zip(names.values(), (part[0] for part in of), strict=True))
        return found

    def _onward(self, pool: Pool, rows: Tensor, ended: list[bool]) -> list[list[dict[str, Any]]]:
        """The likeliest next tokens of each stream; after a document, those that another begins with."""
        y = pool[self._last].index_select(0, rows)
        y[torch.tensor(ended)] = self._begun[self._last]
        found = []
        for some in torch.split(y, max(1, CHANCES // self._model.words.tokens)):
            chances, tokens = self._model.words.likeliest(some, NAMED, BORDER)
            for logs, numbers in zip(chances, tokens.tolist(), strict=True):
                chance = logs.double().exp().tolist()
                found.append(
                    [{"token": self._named(n), "p": p} for n, p in zip(numbers, chance, strict=True)]
                )
        return found

    def _named(self, number: int) -> str:
        """A token as it stands in a text."""
        return self._tokens.bytes_of(number).decode("utf-8", "replace")
