"""Streams of the recogniser: sound in pieces of any length, what is heard so far, and what was said."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from recurra.data.audio import pcm
from recurra.decode.ctc import Beam, Hypothesis, Search
from recurra.errors import DataError
from recurra.tasks.base import Transcript
from recurra.tasks.transcribe import hearing
from recurra.tasks.transcribe.augment import log_mel
from recurra.tasks.transcribe.features import STACK, TAIL, lengths, stacked, step_seconds
from recurra.tasks.transcribe.fusing import fusion
from recurra.tasks.transcribe.model import Recogniser
from recurra.tasks.transcribe.schema import Schema
from recurra.tasks.transcribe.writing import separator, utterance

Pool = Mapping[str, Tensor]
Array = np.ndarray[Any, np.dtype[Any]]

# Seconds without a word after which what was said is final, and what follows is heard as if it began
# there.
PAUSE = 1.0
# Steps that the network reads at once; what it read past the end of an utterance, it reads again.
AT_ONCE = 64
# Of "counts": samples and frames that wait, frames so far, and those that the mean has followed.
SAMPLES, WAITING, FRAMES, SEEN = range(4)
NOTHING = Transcript("", (), 0.0)
SOUND = {
    "type": "string",
    "contentEncoding": "base64",
    "description": "The next piece of sound, of any length: 16-bit PCM, little endian, one channel, in "
    "base64. An empty piece ends the recording.",
}


class Heard(NamedTuple):
    """What has been said since the piece before, what is being said so far, and seconds heard in all."""

    final: list[Transcript]
    partial: Transcript
    seconds: float


class TranscribeSteps:
    """Sound in pieces of any length. An answer has what has been said, and what is being said so far.

    State: "samples" that wait for a whole frame and "frames" for a whole step; "mean" that is taken off;
    the network's; "search", in bytes; see "counts" above.
    """

    kind: Literal["text", "event", "numbers", "sound"] = "sound"
    observation: Mapping[str, Any]
    example: Any

    def __init__(self, model: Recogniser, schema: Schema, beam: Beam) -> None:
        self._model, self._schema = model.eval(), schema
        self._mel, self._normal = log_mel(schema.rate), hearing.normal(schema)
        self._window, self._hop = lengths(schema.rate)
        self._pause = round(PAUSE / step_seconds(schema.rate))
        self._beam, self._language, self._separator = beam, fusion(model, schema), separator(schema.tokens)
        self.observation = SOUND | {"rate": schema.rate}
        self.example = base64.b64encode(bytes(2 * self._window)).decode()

    def fresh(self) -> dict[str, Tensor]:
        """The state of a stream that has heard nothing."""
        bands = self._mel.bands
        return {
            "samples": torch.zeros(self._window),
            "frames": torch.zeros(STACK, bands),
            "mean": torch.from_numpy(self._normal.mean.copy()),
            "counts": torch.zeros(4, dtype=torch.int64),
            "search": torch.zeros(self._beam.room, dtype=torch.uint8),
            **{name: part[0] for name, part in self._model.fresh(1).items()},
        }

    def checked(self, observation: Any) -> Array:
        """Samples (N,) float32 of a piece: base64, bytes of 16 bits each, or the samples themselves.

        Raises DataError.
        """
        if isinstance(observation, np.ndarray):
            return _checked_samples(observation)
        if isinstance(observation, str):
            try:
                observation = base64.b64decode(observation, validate=True)
            except (binascii.Error, ValueError) as error:
                raise DataError(
                    "expected 16-bit PCM in base64, got other characters. Encode the bytes of the samples."
                ) from error
        if not isinstance(observation, bytes):
            raise DataError(
                f"expected a piece of sound, got {type(observation).__name__}. Give 16-bit PCM in base64."
            )
        if len(observation) % 2:
            raise DataError(
                f"expected whole samples of two bytes each, got {len(observation):,} bytes. Keep the last "
                "byte for the next piece."
            )
        return pcm(observation)

    def step(self, pool: Pool, rows: Tensor, inputs: Sequence[Array]) -> Sequence[dict[str, Any] | DataError]:
        """Take streams one piece of sound on; an empty one ends the recording."""
        return [
            {
                "partial": one.partial.text,
                "final": [_told(said) for said in one.final],
                "seconds": one.seconds,
            }
            for one in self.hear(pool, rows, inputs)
        ]

    @torch.no_grad()
    def hear(self, pool: Pool, rows: Tensor, inputs: Sequence[Array]) -> list[Heard]:
        """The same as transcripts."""
        held = {name: part.numpy() for name, part in pool.items()}
        slots = rows.tolist()
        steps = [
            self._steps({name: part[slot] for name, part in held.items()}, piece)
            for slot, piece in zip(slots, inputs, strict=True)
        ]
        searches = [
            Search.from_bytes(held["search"][slot].tobytes(), self._beam, self._language, self._separator)
            for slot in slots
        ]
        final = self._followed(pool, rows, steps, searches)
        ended = [n for n, piece in enumerate(inputs) if not len(piece)]
        if ended:
            tail = [np.zeros((TAIL, self._model.inputs), dtype=np.float32)] * len(ended)
            some = [searches[n] for n in ended], [final[n] for n in ended]
            self._hear(pool, rows[ended], tail, *some)
        found = []
        for slot, piece, said, search in zip(slots, inputs, final, searches, strict=True):
            seconds = float(held["counts"][slot, FRAMES] * self._hop / self._schema.rate)
            if not len(piece):
                found.append(Heard([*said, *self._ended(search)], NOTHING, seconds))
                for name, part in self.fresh().items():
                    pool[name][slot] = part
                continue
            _put(held["search"][slot], np.frombuffer(search.to_bytes(), dtype=np.uint8))
            partial = self._utterance(search.best(1, ended=False)[0]) if search.written else NOTHING
            found.append(Heard(said, partial, seconds))
        return found

    def _steps(self, state: dict[str, Array], piece: Array) -> Array:
        """The steps (T, STACK · M) that a piece completes, as they are heard."""
        counts = state["counts"]
        samples = np.concatenate([state["samples"][: counts[SAMPLES]], piece])
        frames = self._mel(samples)
        rest = samples[len(frames) * self._hop :]
        counts[SAMPLES] = _put(state["samples"], rest)
        counts[FRAMES] += len(frames)
        frames = np.concatenate([state["frames"][: counts[WAITING]], frames])
        steps = stacked(frames)
        rest = frames[len(steps) * STACK :]
        counts[WAITING] = _put(state["frames"], rest)
        return steps

    def _followed(
        self, pool: Pool, rows: Tensor, steps: Sequence[Array], searches: Sequence[Search]
    ) -> list[list[Transcript]]:
        """Let the network and the searches hear the steps; what has been said, by stream."""
        final: list[list[Transcript]] = [[] for _ in steps]
        at = [0] * len(steps)
        while going := [n for n, one in enumerate(steps) if at[n] < len(one)]:
            where = rows[going]
            normal = self._normalised(pool, where, [steps[n][at[n] : at[n] + AT_ONCE] for n in going])
            heard = self._hear(pool, where, normal, [searches[n] for n in going], [final[n] for n in going])
            for n, many in zip(going, heard, strict=True):
                at[n] += many
        return final

    def _normalised(self, pool: Pool, rows: Tensor, steps: Sequence[Array]) -> list[Array]:
        """Steps without their running means, which go on."""
        found = []
        for slot, one in zip(rows.tolist(), steps, strict=True):
            mean, counts = pool["mean"][slot].numpy(), pool["counts"][slot].numpy()
            frames, mean[:] = self._normal(one.reshape(-1, len(mean)), mean, int(counts[SEEN]))
            counts[SEEN] += len(frames)
            found.append(stacked(frames))
        return found

    def _hear(
        self,
        pool: Pool,
        rows: Tensor,
        steps: Sequence[Array],
        searches: Sequence[Search],
        final: Sequence[list[Transcript]],
    ) -> list[int]:
        """Let the network and the searches hear some steps; of each stream how many, up to a pause."""
        x, many = hearing.padded(steps)
        log_p, after = self._model(x, many, {name: pool[name][rows] for name in self._model.fresh(0)})
        for name, part in after.items():
            pool[name][rows] = part
        heard = []
        for row, (slot, search) in enumerate(zip(rows.tolist(), searches, strict=True)):
            heard.append(self._until_pause(search, log_p[row, : many[row]].numpy(), final[row]))
            if search.silent >= self._pause:
                final[row].extend(self._ended(search))
                search.restart()
                self._begin(pool, slot)
        return heard

    def _begin(self, pool: Pool, slot: int) -> None:
        """Hear what follows a pause as if it began there: silence is forgotten, however long it lasts."""
        for name in self._model.fresh(0):
            pool[name][slot] = 0
        pool["mean"][slot] = torch.from_numpy(self._normal.mean)
        pool["counts"][slot, SEEN] = 0

    def _ended(self, search: Search) -> list[Transcript]:
        """What was said, if anything was."""
        said = [self._utterance(search.best(1)[0])] if search.written else []
        return [one for one in said if one.text]

    def _until_pause(self, search: Search, log_p: Array, final: list[Transcript]) -> int:
        """Let a search go on until an utterance has ended; how many steps it read."""
        for t, step in enumerate(log_p, 1):
            search.feed(step)
            settled = search.settled()
            if settled is not None:
                final.append(self._utterance(settled))
            if search.silent >= self._pause:
                return t
        return len(log_p)

    def _utterance(self, found: Hypothesis) -> Transcript:
        return utterance(self._schema, found, self._language)


def _put(room: Array, content: Array) -> int:
    """Let an array hold what it has room for, and zeros; how much that is."""
    room[: len(content)] = content
    room[len(content) :] = 0
    return len(content)


def _told(said: Transcript) -> dict[str, Any]:
    return {"text": said.text, "words": [word._asdict() for word in said.words]}


def _checked_samples(samples: Array) -> Array:
    if samples.ndim != 1 or samples.dtype != np.float32 or not np.isfinite(samples).all():
        raise DataError(
            "expected samples (N,) of finite float32 in [-1, 1], got "
            f"{samples.dtype} of shape {samples.shape}. Convert them, and mix channels to one."
        )
    return samples
