"""Recordings and the tokens of their texts; those that cannot be used are told by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recurra.data.frequency import Array
from recurra.data.media.problems import Problems
from recurra.data.ragged import Ragged
from recurra.data.tables import listed
from recurra.data.tokens import Tokens
from recurra.report.numbers import count
from recurra.tasks.transcribe.features import TAIL, steps
from recurra.tasks.transcribe.phones import Pronounced, Ways
from recurra.tasks.transcribe.recordings import Recordings
from recurra.tasks.transcribe.texts import normal, steps_needed, target_of


@dataclass(frozen=True)
class Encoded:
    """Recordings of a part, and the tokens of their texts.

    target: (S,) int32, without a token for what the training texts do not have; empty sequences where there
    is no text.
    """

    recordings: Recordings
    target: Ragged

    def __len__(self) -> int:
        return len(self.recordings)

    def take(self, rows: Array) -> Encoded:
        """Some of them."""
        return Encoded(self.recordings.take(rows), self.target.take(rows))


def encode(part: Recordings, tokens: Tokens, ways: Ways | None) -> Encoded:
    """Recordings and the tokens of their texts. ways: how words are said, where phones are the tokens."""
    targets = [target_of(text, tokens) for text in spelt(part, ways)]
    if part.texts is None:
        targets = [np.zeros(0, dtype=np.int32)] * len(part)
    return Encoded(part, Ragged.of(targets, like=np.zeros(0, dtype=np.int32)))


def spelt(part: Recordings, ways: Ways | None) -> list[str]:
    """The texts of a part, or their phones."""
    texts = part.texts or []
    if ways is None:
        return texts
    said = Pronounced(ways)
    return [said.spell(text) for text in texts]


def written(part: Recordings, lower: bool, problems: Problems) -> Recordings:
    """The recordings of a part that have a text, each with one space between words."""
    texts = [normal(text, lower) for text in part.texts or []]
    for text, place in zip(texts, part.places, strict=True):
        if not text:
            problems.add("unwritten", place)
    return part.with_texts(texts).take([n for n, text in enumerate(texts) if text])


def pronounced(parts: Mapping[str, Recordings], ways: Ways, problems: Problems) -> dict[str, Recordings]:
    """The recordings of which all words have a pronunciation."""
    said = Pronounced(ways)
    kept_of, words, places = {}, Counter[str](), []
    for name, part in parts.items():
        missing = [said.missing(text) for text in part.texts or []]
        words.update(word for some in missing for word in some)
        places += [part.places[n] for n, some in enumerate(missing) if some]
        kept_of[name] = part.take([n for n, some in enumerate(missing) if not some])
    if places:
        told_of = listed([repr(word) for word, _ in words.most_common()])
        reason = f"the dictionary lacks {count(len(words), 'word')}, {told_of}"
        problems.add("unpronounced", places[0], reason, len(places))
    return kept_of


def roomy(part: Encoded, problems: Problems) -> Encoded:
    """The recordings that are long enough for what is said in them."""
    keep = []
    for n, samples in enumerate(part.recordings.lengths.tolist()):
        need, room = steps_needed(part.target[n]), steps(samples, part.recordings.rate) + TAIL
        if need <= room:
            keep.append(n)
        else:
            problems.add(
                "crowded",
                part.recordings.places[n],
                f"{need:,} steps are needed for it, and there are {room:,}",
            )
    return part if len(keep) == len(part) else part.take(np.array(keep, dtype=np.int64))
