"""Streams as lines of text: an observation a line in, its answer a line out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from recurra.errors import ConfigError, DataError, PoolFull
from recurra.stream.pool import StreamPool
from recurra.stream.taking import taking

ALONE = "the stream"  # where lines do not name theirs


class Lines:
    """Lines of JSON, and the streams of a pool that they go to; `failed` counts those that had no answer.

    by     the field of a line that names its stream, which opens with its first line; text, events, sound and
           pictures stand in one other field. None: all lines are of one stream
    plain  lines are pieces of text as they stand, with the end of the line, rather than JSON

    Raises ConfigError for plain lines where a model takes sound or pictures.
    """

    def __init__(self, pool: StreamPool, *, by: str | None = None, plain: bool = False) -> None:
        if plain and pool.model.kind == "sound":
            raise ConfigError(
                "expected lines of JSON, each a piece of sound in base64, got --plain, for text. Leave it "
                "out, or give the sound itself to `recurra listen`."
            )
        if plain and pool.model.kind == "picture":
            raise ConfigError(
                "expected lines of JSON, each a picture's file in base64, got --plain, for text. Leave it "
                "out, or give the files themselves to `recurra predict`."
            )
        self._pool, self._by, self._plain = pool, by, plain
        self._read = self.failed = 0
        if by is None and ALONE not in pool:
            pool.open(ALONE)

    def answer(self, line: bytes) -> str:
        """What is said to a line, as a line without its end: {"error": …} to one that cannot be read."""
        self._read += 1
        try:
            name, observation = self._taken(line)
            if name not in self._pool:
                self._pool.open(name)
            found = self._pool.step({name: observation})[name]
            if isinstance(found, Exception):
                raise found
        except (DataError, PoolFull) as error:
            self.failed += 1
            return _json({"error": f"line {self._read}: {error}"})
        return _json(found if self._by is None else {self._by: name, **found})

    def _taken(self, line: bytes) -> tuple[str, Any]:
        """The name of a line's stream, and the observation. Raises DataError."""
        observation: Any
        try:
            text = line.decode("utf-8")
            observation = text if self._plain else json.loads(text)
        except (ValueError, RecursionError) as error:
            wanted = "text in UTF-8" if self._plain else "JSON"
            raise DataError(
                f"expected {wanted}, got {_short(line)}. Write one observation a line."
            ) from error
        if self._by is None:
            return ALONE, observation
        name = observation.pop(self._by, None) if isinstance(observation, dict) else None
        if not isinstance(name, (str, int)) or isinstance(name, bool):
            raise DataError(
                f"expected an object whose {self._by!r} names its stream, got {_short(line)}. Give it a name."
            )
        kind = self._pool.model.kind
        if kind != "numbers":
            if len(observation) != 1:
                raise DataError(
                    f"expected one field beside {self._by!r}, got {_short(line)}. Give the {kind} in it."
                )
            (observation,) = observation.values()
        return str(name), observation


def reading(file: BinaryIO) -> Iterator[bytes]:
    """A file's lines as they come. SIGINT and SIGTERM raise Stopped between two lines, never in a step."""
    return taking(file.readline, "between two lines")


def _json(answer: dict[str, Any]) -> str:
    return json.dumps(answer, ensure_ascii=False)


def _short(line: bytes) -> str:
    text = repr(line.decode("utf-8", "replace").strip())
    return text if len(text) <= 60 else text[:59] + "…"
