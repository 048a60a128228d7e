"""Which recordings validate and test, where nobody says: drawn so that no speaker is in two parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recurra.data.frequency import Array
from recurra.data.parts import PARTS
from recurra.tasks.transcribe.config import MOST, SHARE, TranscribeConfig
from recurra.tasks.transcribe.recordings import Recordings

# A speaker is not drawn who would make a part larger than so many times what it should be.
ROOM = 1.5


def split(config: TranscribeConfig, parts: dict[str, Recordings]) -> tuple[dict[str, Recordings], str]:
    """Parts that have no recordings of their own are drawn from those to learn from; the second says how."""
    train = parts["train"]
    shares = {"valid": config.valid, "test": config.test}
    drawn = {
        name: _size(share, len(train))
        for name, share in shares.items()
        if name not in parts and not isinstance(share, str)
    }
    drawn = {name: size for name, size in drawn.items() if size}
    group, how = _groups(train, len(drawn))
    part_of = _draw(group, list(drawn.values()), np.random.default_rng(config.seed))
    numbers = {name: n for n, name in enumerate(("train", *drawn))}
    found = {name: train.take(np.flatnonzero(part_of == n)) for name, n in numbers.items()}
    found |= {name: part for name, part in parts.items() if name != "train"}
    whole = {name: found.get(name, train.take([])) for name in PARTS}
    return whole, f"{' and '.join(drawn)} drawn, {how}" if drawn else ""


def _size(share: float | str | None, many: int) -> int:
    if share == 0:
        return 0
    return max(1, min(MOST, round(SHARE * many)) if share is None else round(float(share) * many))


def _groups(train: Recordings, parts: int) -> tuple[Array, str]:
    """The number (N,) of each recording's group, whose members stay together, and what they share."""
    speakers = train.speakers
    if speakers is not None and len({*speakers}) > parts:
        return _numbers(speakers), "all recordings of a speaker together"
    if speakers is None:
        return _numbers(train.digests), "without regard to who speaks"
    return _numbers(train.digests), "without regard to who speaks, as there are too few speakers"


def _numbers(keys: Sequence[str] | Sequence[bytes]) -> Array:
    known: dict[str | bytes, int] = {}
    return np.array([known.setdefault(key, len(known)) for key in keys], dtype=np.int64)


def _draw(group: Array, sizes: Sequence[int], rng: np.random.Generator) -> Array:
    """The part (N,) that each recording is drawn for, from 1; 0 for those that stay."""
    many = np.bincount(group)
    of = np.zeros(len(many), dtype=np.int64)
    order = rng.permutation(len(many))
    for part, size in enumerate(sizes, 1):
        have = 0
        for one in order:
            # One at least is left for each part that comes later, and one to learn from.
            enough = int((of == 0).sum()) > 1 + len(sizes) - part
            if enough and have < size and not of[one] and have + many[one] <= ROOM * size:
                of[one] = part
                have += int(many[one])
        # Where all speakers say too much, the one who says least.
        left = [one for one in order if not of[one]]
        if not have and len(left) > 1:
            of[min(left, key=lambda one: many[one])] = part
    return of[group]
