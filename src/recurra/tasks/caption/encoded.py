"""Pictures and the tokens of their captions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from recurra.data.frequency import Array
from recurra.data.media.problems import Problems
from recurra.data.ragged import Ragged
from recurra.data.tokens import Tokens, Unit
from recurra.tasks.caption.pictures import Pictures
from recurra.tasks.caption.texts import encode_text, normal


@dataclass(frozen=True)
class Encoded:
    """Pictures of a part, and the tokens of their captions.

    target: (S,) int32, all captions of the first picture, of the second, ….  begins: (N + 1,) int64, where
    each picture's begin.
    """

    pictures: Pictures
    target: Ragged
    begins: Array

    def __len__(self) -> int:
        return len(self.pictures)

    def captions_of(self, n: int) -> Array:
        """The numbers of a picture's captions."""
        return np.arange(self.begins[n], self.begins[n + 1])

    def cut(self, longest: int) -> tuple[Encoded, int]:
        """The same with the beginnings of longer captions, and how many those are."""
        return replace(self, target=self.target.cut(longest)), int((self.target.lengths > longest).sum())

    def take(self, rows: Array) -> Encoded:
        """Some of them."""
        some = [self.captions_of(int(n)) for n in rows]
        begins = np.concatenate([[0], np.cumsum([len(one) for one in some])]).astype(np.int64)
        which = np.concatenate([np.zeros(0, dtype=np.int64), *some])
        return Encoded(self.pictures.take(rows), self.target.take(which), begins)


def encode(part: Pictures, tokens: Tokens) -> Encoded:
    """Pictures and the tokens of their captions, which are normal."""
    begins = np.concatenate([[0], np.cumsum([len(some) for some in part.captions])]).astype(np.int64)
    targets = [encode_text(text, tokens) for some in part.captions for text in some]
    return Encoded(part, Ragged.of(targets, like=np.zeros(0, dtype=np.int32)), begins)


def written(part: Pictures, unit: Unit, lower: bool, problems: Problems) -> Pictures:
    """The pictures of a part that have a caption, all normal; those without a word are left out."""
    captions = []
    for some, place in zip(part.captions, part.places, strict=True):
        found = tuple(text for text in (normal(one, unit, lower) for one in some) if text)
        captions.append(found)
        if not found:
            problems.add("unwritten", place)
    return replace(part, captions=captions).take([n for n, some in enumerate(captions) if some])
