"""CTC by trying every alignment there is: the truth for losses and for searches, where there are few."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

BLANK = 0


class Written(NamedTuple):
    """A text's chance, the chance of the likeliest way to write it, and the step of each token on that."""

    chance: float
    best: float
    frames: tuple[int, ...]


def collapsed(way: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The text that an alignment writes, and the step at which each token comes."""
    frames = tuple(at for at, token in enumerate(way) if token != BLANK and (at == 0 or way[at - 1] != token))
    return tuple(way[at] for at in frames), frames


def every_text(log_p: np.ndarray, never: Sequence[int] = ()) -> dict[tuple[int, ...], Written]:
    """All texts of log chances (T, V), by all V^T alignments but those with what is never written."""
    rows = np.asarray(log_p, dtype=np.float64)
    tokens = [token for token in range(rows.shape[1]) if token not in never]
    total: dict[tuple[int, ...], list[float]] = defaultdict(list)
    best: dict[tuple[int, ...], tuple[float, tuple[int, ...]]] = {}
    for way in itertools.product(tokens, repeat=len(rows)):
        p = math.exp(sum(rows[at, token] for at, token in enumerate(way)))
        text, frames = collapsed(way)
        total[text].append(p)
        if text not in best or p > best[text][0]:
            best[text] = p, frames
    return {text: Written(math.fsum(some), *best[text]) for text, some in total.items()}


def ctc_loss(log_p: np.ndarray, target: Sequence[int]) -> float:
    """-log P(target), float64; infinite where no alignment writes it."""
    found = every_text(log_p).get(tuple(target))
    return math.inf if found is None or found.chance == 0 else -math.log(found.chance)
