"""Recordings of one part: their sound in one file on disk, so that many hours need no memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recurra.data.frequency import Array


@dataclass(frozen=True)
class Recordings:
    """Recordings of one part, in the order of their files.

    names: as the user's files call them.  places: the same, with where they are named.  texts, speakers: None
    where nobody says.  sound: (S,) float32 in [-1, 1], mono, of all parts.  begins, lengths: (N,) int64,
    where in it each recording lies.  rate: samples a second.  digests: sha256 of each file.
    """

    names: list[str]
    places: list[str]
    texts: list[str] | None
    speakers: list[str] | None
    sound: Array
    begins: Array
    lengths: Array
    rate: int
    digests: list[bytes]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def seconds(self) -> float:
        """Of all recordings."""
        return float(self.lengths.sum()) / self.rate

    def samples(self, n: int) -> Array:
        """One recording, (lengths[n],) float32; read-only, and on disk until it is used."""
        begin = int(self.begins[n])
        return self.sound[begin : begin + int(self.lengths[n])]

    def take(self, rows: Iterable[int] | Array) -> Recordings:
        """Some of them; their sound stays where it is."""
        which = np.array([int(n) for n in rows], dtype=np.int64)

        def some(of: Sequence[str]) -> list[str]:
            return [of[n] for n in which]

        return Recordings(
            some(self.names),
            some(self.places),
            None if self.texts is None else some(self.texts),
            None if self.speakers is None else some(self.speakers),
            self.sound,
            self.begins[which],
            self.lengths[which],
            self.rate,
            [self.digests[n] for n in which],
        )

    def with_texts(self, texts: list[str] | None) -> Recordings:
        """The same recordings with other texts."""
        return replace(self, texts=texts)
