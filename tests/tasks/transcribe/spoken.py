"""Recordings for tests of what is judged: each word is a tone of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recurra.data.ragged import Ragged
from recurra.data.tokens import FIRST, Tokens
from recurra.decode.wordtimes import Word
from recurra.tasks.base import Transcript
from recurra.tasks.transcribe.data import Encoded, TranscribeData
from recurra.tasks.transcribe.recordings import Recordings
from recurra.tasks.transcribe.schema import Schema
from recurra.tasks.transcribe.shape import Shape

RATE, LASTS = 8000, 0.25
WORDS = ("go", "stop", "left", "right", "one", "two")
# What sounds alike.
SOUNDS = {"write": "right"}
PHONES = {
    "go": ("G OW",),
    "stop": ("S T AA P",),
    "left": ("L EH F T",),
    "right": ("R AY T",),
    "write": ("R AY T",),
    "one": ("W AH N",),
    "two": ("T UW",),
}


def texts(many: int, seed: int = 0, longest: int = 5) -> list[str]:
    """Words at random."""
    dice = np.random.default_rng(seed)
    return [" ".join(dice.choice(WORDS, dice.integers(1, longest + 1))) for _ in range(many)]


def sound(text: str, seed: int = 0) -> np.ndarray:
    """A tone for each word, and some noise."""
    dice = np.random.default_rng(seed)
    at = np.arange(int(LASTS * RATE)) / RATE
    hertz = [300 + 400 * WORDS.index(SOUNDS.get(word, word)) for word in text.split()]
    tones = [np.sin(2 * np.pi * one * at) * np.hanning(len(at)) for one in hertz]
    whole = np.concatenate([*tones, np.zeros(400)])
    return (0.3 * whole + 0.01 * dice.standard_normal(len(whole))).astype(np.float32)


def recordings(said: Sequence[str], speakers: Sequence[str] | None = None, seed: int = 0) -> Recordings:
    sounds = [sound(text, seed + n) for n, text in enumerate(said)]
    lengths = np.array([len(one) for one in sounds], dtype=np.int64)
    return Recordings(
        names=[f"clips/{n}.wav" for n in range(len(said))],
        places=[f"transcripts.csv, row {n + 2}" for n in range(len(said))],
        texts=list(said),
        speakers=None if speakers is None else list(speakers),
        sound=np.concatenate([*sounds, np.zeros(0, dtype=np.float32)]),
        begins=np.cumsum(lengths) - lengths,
        lengths=lengths,
        rate=RATE,
        digests=[b""] * len(said),
    )


def data(
    test: Recordings, train: Recordings | None = None, valid: Recordings | None = None, phones: bool = False
) -> TranscribeData:
    """Data whose parts are these."""
    letters = tuple(sorted({letter for text in (test.texts or []) for letter in text} | {" ", "\n"}))
    spelt = tuple(sorted({phone for ways in PHONES.values() for way in ways for phone in way.split()}))
    tokens = Tokens(
        unit="words" if phones else "characters",
        tokens=(*FIRST, *(("\n", "|", *spelt) if phones else letters)),
    )
    schema = Schema(
        rate=RATE,
        tokens=tokens,
        phones=PHONES if phones else None,
        longest=10.0,
        mean=(0.0,) * 40,
        deviation=(1.0,) * 40,
        shape=Shape(hidden=4),
    )

    def encoded(part: Recordings | None) -> Encoded:
        part = test.take([]) if part is None else part
        found = [tokens.encode(text) for text in part.texts or []]
        return Encoded(part, Ragged.of(found, like=np.zeros(0, dtype=np.int32)))

    return TranscribeData(schema, ("8 recordings",), "0" * 64, encoded(train), encoded(valid), encoded(test))


def transcript(text: str, confidence: float = 0.9) -> Transcript:
    """What was heard, each word as long as a tone."""
    words = [Word(word, LASTS * n, LASTS * (n + 1), confidence) for n, word in enumerate(text.split())]
    return Transcript(text, tuple(words), -1.0)
