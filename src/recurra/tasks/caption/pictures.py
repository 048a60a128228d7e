"""Pictures of one part: what is seen of them in one file on disk, so that many need no memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recurra.data.frequency import Array


@dataclass(frozen=True)
class Pictures:
    """Pictures of one part, in the order of their files.

    paths: of their files.  names: as the user's files call them.  places: the same, with where they are
    named.  captions: of each, none where nobody says.  seen: (A, S, S, 3) uint8, or features (A, R, C)
    float32, of all parts.  rows: (N,) int64, where in it each picture lies.  sizes: (N, 2) int64, width and
    height of its file.  digests: sha256 of each file.
    """

    paths: list[Path]
    names: list[str]
    places: list[str]
    captions: list[tuple[str, ...]]
    seen: Array
    rows: Array
    sizes: Array
    digests: list[bytes]

    def __len__(self) -> int:
        return len(self.names)

    def look(self, which: Array) -> Array:
        """What is seen of some, (M, S, S, 3) or (M, R, C)."""
        return np.stack([self.seen[row] for row in self.rows[which]])

    def take(self, which: Iterable[int] | Array) -> Pictures:
        """Some of them; what is seen stays where it is."""
        at = np.array([int(n) for n in which], dtype=np.int64)
        return Pictures(
            [self.paths[n] for n in at],
            [self.names[n] for n in at],
            [self.places[n] for n in at],
            [self.captions[n] for n in at],
            self.seen,
            self.rows[at],
            self.sizes[at],
            [self.digests[n] for n in at],
        )
