"""Which files validate and test, where nobody says: drawn in groups that stay together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from recurra.data.frequency import Array

# A group is not drawn that would make a part larger than so many times what it should be.
ROOM = 1.5


def drawn(
    shares: Mapping[str, float | None],
    keys: Sequence[str] | Sequence[bytes],
    rng: np.random.Generator,
    *,
    usual: float,
    most: int,
) -> Array:
    """The part (N,) int64 that each file is drawn for, as they stand in `shares` from 1; 0 for no part.

    shares: of each part; 0 for none of it, None for the `usual` share and `most` files at most.  keys: (N,),
    files with the same key stay together.
    """
    many = len(keys)
    sizes = {
        part: max(1, min(most, round(usual * many)) if share is None else round(share * many))
        for part, share in enumerate(shares.values(), 1)
        if share != 0
    }
    part_of = _draw(_numbers(keys), list(sizes.values()), rng)
    return np.array([0, *sizes], dtype=np.int64)[part_of]


def _numbers(keys: Sequence[str] | Sequence[bytes]) -> Array:
    known: dict[str | bytes, int] = {}
    return np.array([known.setdefault(key, len(known)) for key in keys], dtype=np.int64)


def _draw(group: Array, sizes: Sequence[int], rng: np.random.Generator) -> Array:
    """The part (N,) that each file is drawn for, from 1. group: (N,), the number of each file's group."""
    many = np.bincount(group)
    of = np.zeros(len(many), dtype=np.int64)
    order = rng.permutation(len(many))
    stay = len(many)
    for part, size in enumerate(sizes, 1):
        have = 0
        for one in order:
            # One at least is left for each part that comes later, and one to learn from.
            if have >= size or stay <= 1 + len(sizes) - part:
                break
            if not of[one] and have + many[one] <= ROOM * size:
                of[one] = part
                have += int(many[one])
                stay -= 1
        # Where all groups are too large, the smallest.
        if not have and stay > 1:
            of[min((one for one in order if not of[one]), key=lambda one: many[one])] = part
            stay -= 1
    return of[group]
