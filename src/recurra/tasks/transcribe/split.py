"""Which recordings validate and test, where nobody says: drawn so that no speaker is in two parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recurra.data.media.drawn import drawn
from recurra.data.parts import PARTS
from recurra.tasks.transcribe.config import MOST, SHARE, TranscribeConfig
from recurra.tasks.transcribe.recordings import Recordings


def split(config: TranscribeConfig, parts: dict[str, Recordings]) -> tuple[dict[str, Recordings], str]:
    """Parts that have no recordings of their own are drawn from those to learn from; the second says how."""
    train = parts["train"]
    shares: dict[str, float | None] = {
        name: share
        for name, share in (("valid", config.valid), ("test", config.test))
        if name not in parts and not isinstance(share, str) and share != 0
    }
    keys, how = _keys(train, len(shares))
    part_of = drawn(shares, keys, np.random.default_rng(config.seed), usual=SHARE, most=MOST)
    found = {name: train.take(np.flatnonzero(part_of == n)) for n, name in enumerate(("train", *shares))}
    found |= {name: part for name, part in parts.items() if name != "train"}
    whole = {name: found.get(name, train.take([])) for name in PARTS}
    return whole, f"{' and '.join(shares)} drawn, {how}" if shares else ""


def _keys(train: Recordings, parts: int) -> tuple[Sequence[str] | Sequence[bytes], str]:
    """What recordings that stay together share, and the same in words."""
    speakers = train.speakers
    if speakers is not None and len({*speakers}) > parts:
        return speakers, "all recordings of a speaker together"
    if speakers is None:
        return train.digests, "without regard to who speaks"
    return train.digests, "without regard to who speaks, as there are too few speakers"
