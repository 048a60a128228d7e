"""Writing on from a prompt, token by token, in constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch

from recurra.data.documents import ENDS, Borders
from recurra.data.tokens import BORDER
from recurra.decode.sampling import Sampler, Sampling
from recurra.errors import ConfigError
from recurra.tasks.language.model import LanguageModel, State
from recurra.tasks.language.schema import Schema
from recurra.tasks.language.stepping import (
    GroupedTable,
    Layers,
    Steppers,
    Table,
    array,
    at_rest,
    stepping,
    table,
)

Array = np.ndarray[Any, np.dtype[Any]]

# Tokens of a prompt that are read at once.
PIECE = 512
# Tokens of the prompt that say how the text after it is joined to it.
JOINED = 16
# Tokens of a sample.
SAMPLE = 300


def write_on(  # noqa: PLR0917
    model: LanguageModel,
    schema: Schema,
    prompt: str | bytes = "",
    sampling: Sampling | None = None,
    length: int = SAMPLE,
    seed: int = 0,
    *,
    stop: str | None = None,
) -> Iterator[str]:
    """What the model writes after the prompt, without the prompt, each piece as soon as it is certain.

    length: tokens, at most. stop: the text ends before the first place where it has these characters.
    The weights are those of now. Raises ConfigError.
    """
    if seed < 0:
        raise ConfigError(f"expected a seed of 0 or more, got {seed}. Give another seed.")
    if length < 0:
        raise ConfigError(f"expected a length of 0 or more tokens, got {length}. Give another length.")
    if stop == "":
        raise ConfigError("expected some characters to stop at, got none. Give some, or no stop.")
    if isinstance(prompt, bytes) and schema.tokens.unit != "bytes":
        prompt = prompt.decode("utf-8", "replace").replace("\r\n", "\n")
    numbers = schema.tokens.encode(prompt)
    written = islice(_numbers(model, schema, numbers, sampling or Sampling(), seed), length)
    pieces = _pieces(schema, numbers[-JOINED:], written)
    if schema.tokens.unit == "words" and prompt[-1:] == " ":
        pieces = _without_space(pieces)
    return pieces if stop is None else until(pieces, stop)


def sample(model: LanguageModel, schema: Schema, length: int = SAMPLE, seed: int = 0) -> str:
    """What the model writes of its own accord."""
    return "".join(write_on(model, schema, length=length, seed=seed))


def until(pieces: Iterable[str], stop: str) -> Iterator[str]:
    """The text before `stop`; no more is held back than may be the beginning of it."""
    held = ""
    for piece in pieces:
        text, found, _ = (held + piece).partition(stop)
        if found:
            if text:
                yield text
            return
        sizes = range(min(len(stop) - 1, len(text)), 0, -1)
        kept = next((size for size in sizes if text.endswith(stop[:size])), 0)
        text, held = text[: len(text) - kept], text[len(text) - kept :]
        if text:
            yield text
    if held:
        yield held


def _numbers(
    model: LanguageModel, schema: Schema, prompt: Array, sampling: Sampling, seed: int
) -> Iterator[int]:
    """The tokens that follow a prompt's, (T,), without end."""
    sampler = Sampler(sampling, seed)
    sampler.see(prompt)
    ends = Ends(schema)
    # A prompt is the beginning of a document, or some documents and a beginning.
    read = Borders(schema.documents, schema.tokens.newline).put(prompt)
    after = [ends(int(number)) for number in prompt[-max(1, ends.many) :]] if len(prompt) else [True]
    if after[-1]:
        read = np.append(read, BORDER)
    y, state = _read(model, read)
    return _endless(table(model.words, sampler), stepping(model, state), y, ends)


class Ends:
    """Tells of one token after the other whether a document ends with it: the next begins from nothing."""

    def __init__(self, schema: Schema) -> None:
        # Ends of lines in a row that end a document; where only files do, none.
        self.many = ENDS.get(schema.documents, 0)
        self._newline, self._run = schema.tokens.newline, 0

    def __call__(self, token: int) -> bool:
        self._run = self._run + 1 if token == self._newline else 0
        return 0 < self.many <= self._run


def _endless(words: Table | GroupedTable, step: Steppers | Layers, y: Array, ends: Ends) -> Iterator[int]:
    """The same from the output after the last token that was read."""
    while True:
        token = words.draw(y)
        yield token
        if ends(token):
            step.reset()
            token = BORDER
        y = step(words.vector(token))


def _read(model: LanguageModel, tokens: Array) -> tuple[Array, State]:
    """The output (E,) after tokens (T,), 1 or more, and the state; read piece by piece."""
    state: State | None = None
    with at_rest(model):
        for begin in range(0, len(tokens), PIECE):
            piece = torch.from_numpy(tokens[begin : begin + PIECE].astype(np.int64))
            y, state = model(piece[:, None], state)
    assert state is not None
    return array(y[-1, 0]), state


def _without_space(pieces: Iterator[str]) -> Iterator[str]:
    """The same after a prompt that has the space before the next word already."""
    first = next(pieces, "")
    yield first.removeprefix(" ")
    yield from pieces


def _pieces(schema: Schema, before: Array, numbers: Iterator[int]) -> Iterator[str]:
    """Text of tokens that follow others, as soon as each is certain."""
    decoder = schema.tokens.decoder()
    for number in before:
        decoder.feed(int(number))
    for number in numbers:
        if text := decoder.feed(number):
            yield text
    if text := decoder.end():
        yield text
