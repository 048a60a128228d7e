"""From files to samples on disk, all at one rate; files that cannot be used are told by kind."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from recurra.data.audio import Heading, Sound, decode_audio, read_heading
from recurra.data.frequency import Array
from recurra.data.media.listed import Clip
from recurra.data.media.problems import Problems
from recurra.errors import DataError
from recurra.tasks.transcribe.config import LEAST_RATE, MOST_RATE
from recurra.tasks.transcribe.recordings import Recordings

# Seconds of the shortest recording: a step of the network reads nearly as many.
SHORTEST = 0.05
# What silence moves by at most: the last bits of 16.
STILL = 4 / 32768
# Share of a recording's samples that are clipped from which on it is told.
CLIPPED = 0.001


@dataclass
class Heard:
    """Recordings by part, and what was seen on the way.

    kinds, rates, channels: of how many files.  clipped: where the first recording is that is clipped, the
    share of its samples, and how many others are.
    """

    parts: dict[str, Recordings]
    rate: int
    kinds: Counter[str] = field(default_factory=Counter)
    rates: Counter[int] = field(default_factory=Counter)
    channels: Counter[int] = field(default_factory=Counter)
    clipped: list[tuple[str, float]] = field(default_factory=list)


def hear(
    parts: Mapping[str, Sequence[Clip]], problems: Problems, *, rate: int | None, longest: float | None
) -> Heard:
    """The sound of recordings, by part. Raises DataError where there is no room for it.

    rate: None for that of most recordings of the training part.  longest: seconds of a recording; None where
    any will do, silent and empty ones, too.
    """
    headings = {part: [_headed(clip, problems, longest) for clip in clips] for part, clips in parts.items()}
    some = [one for one in headings.get("train", []) if one is not None]
    heard = Heard({}, _usual(some) if rate is None else rate)
    try:
        with tempfile.TemporaryFile(prefix="recurra-") as file:
            writing = _Writing(heard, problems, longest is not None, file.write)
            written = {part: writing.write(clips, headings[part]) for part, clips in parts.items()}
            file.flush()
            size = writing.size
            whole = np.memmap(file, np.float32, "r", shape=(size,)) if size else np.zeros(0, np.float32)
    except OSError as error:
        raise DataError(
            f"expected room for the sound of the recordings in {tempfile.gettempdir()}, got "
            f"{error.strerror}. Set TMPDIR to a folder that has it."
        ) from error
    heard.parts = {part: one.recordings(whole, heard.rate) for part, one in written.items()}
    return heard


def _usual(headings: Sequence[Heading]) -> int:
    """The rate of most recordings, but no more than speech needs."""
    rates = Counter(min(one.rate, MOST_RATE) for one in headings)
    rate = min(rates, key=lambda one: (-rates[one], -one), default=MOST_RATE)
    if rate < LEAST_RATE:
        raise DataError(
            f"expected speech at {LEAST_RATE:,} samples a second or more, got {rate:,} in most recordings. "
            "Give others, or set rate."
        )
    return rate


def _headed(clip: Clip, problems: Problems, longest: float | None) -> Heading | None:
    """What a file says of itself, None where it cannot be used."""
    place = clip.place or clip.name
    if not clip.path.is_file():
        problems.add("missing", place)
        return None
    if not clip.path.stat().st_size and longest is not None:
        problems.add("empty", place, "an empty file")
        return None
    try:
        heading = read_heading(clip.path)
    except DataError as error:
        problems.add("damaged", place, _reason(error))
        return None
    if longest is not None and heading.seconds > longest:
        problems.add("long", place, f"{heading.seconds:,.1f} s, where longest allows {longest:g}")
        return None
    return heading


def _reason(error: DataError) -> str:
    """What was wrong with a file, without its name and without what to do."""
    return str(error).removeprefix(f"{error.file}: ").rsplit(". ", 1)[0]


@dataclass
class _Written:
    """Recordings of a part that lie in the file."""

    clips: list[Clip] = field(default_factory=list)
    begins: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)

    def recordings(self, sound: Array, rate: int) -> Recordings:
        """The same as all others know them."""
        texts = [clip.text for clip in self.clips if clip.text is not None]
        speakers = [clip.speaker for clip in self.clips if clip.speaker is not None]
        return Recordings(
            [clip.name for clip in self.clips],
            [clip.place or clip.name for clip in self.clips],
            texts if len(texts) == len(self.clips) else None,
            speakers if len(speakers) == len(self.clips) else None,
            sound,
            np.array(self.begins, dtype=np.int64),
            np.array(self.lengths, dtype=np.int64),
            rate,
            self.digests,
        )


class _Writing:
    """Writes the samples of recordings one after the other. learnt: whether they must hold something."""

    def __init__(
        self, heard: Heard, problems: Problems, learnt: bool, write: Callable[[memoryview], int]
    ) -> None:
        self.heard, self.problems, self.learnt, self.put, self.size = heard, problems, learnt, write, 0

    def write(self, clips: Sequence[Clip], headings: Sequence[Heading | None]) -> _Written:
        """The recordings of a part that can be used."""
        written = _Written()
        for clip, heading in zip(clips, headings, strict=True):
            sound, digest = (None, b"") if heading is None else self._read(clip)
            if sound is None or heading is None:
                continue
            written.clips.append(clip)
            written.begins.append(self.size)
            written.lengths.append(len(sound.samples))
            written.digests.append(digest)
            self.put(sound.samples.data)
            self.size += len(sound.samples)
            self._count(clip, heading, sound)
        return written

    def _read(self, clip: Clip) -> tuple[Sound | None, bytes]:
        """The sound of a file and its sha256; None where it cannot be used."""
        place = clip.place or clip.name
        try:
            raw = _bytes(clip.path)
            sound = decode_audio(raw, clip.path.name, self.heard.rate)
        except DataError as error:
            self.problems.add("damaged", place, _reason(error))
            return None, b""
        samples = sound.samples
        if self.learnt and len(samples) < SHORTEST * sound.rate:
            self.problems.add("empty", place, f"{len(samples) / sound.rate:.3f} s")
            return None, b""
        if self.learnt and float(samples.max() - samples.min()) <= STILL:
            self.problems.add("silent", place)
            return None, b""
        return sound, hashlib.sha256(raw).digest()

    def _count(self, clip: Clip, heading: Heading, sound: Sound) -> None:
        self.heard.kinds[heading.kind] += 1
        self.heard.rates[heading.rate] += 1
        self.heard.channels[heading.channels] += 1
        if sound.clipped > CLIPPED:
            self.heard.clipped.append((clip.place or clip.name, sound.clipped))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"expected a file that can be read, got {error.strerror}. Copy it again.", file=path.name
        ) from error
