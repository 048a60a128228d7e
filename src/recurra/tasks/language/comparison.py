"""Intervals of scores on a text, and whether the difference between two methods could be chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from recurra.report.methods import Difference, Interval

Array = np.ndarray[Any, np.dtype[Any]]

# Resamples of the bootstrap; the ends of a 95 % interval then rest on 50 resamples each.
RESAMPLES = 2000
ENDS = (0.025, 0.975)
# Tokens in a row that are drawn together, since what stands close together in a text is alike. Intervals of
# newspaper text widen up to blocks of some 2,000 words; those of plays up to 8,000 characters and more.
BLOCKS = {"words": 2_000, "bpe": 2_000, "characters": 10_000, "bytes": 10_000}
# Longer blocks where there would be more of them than this; shorter ones where there would be fewer.
MOST_BLOCKS, FEWEST_BLOCKS = 2_000, 40
# Blocks shorter than this are no pieces of their own, and give no interval.
SHORTEST = 25


def block_length(tokens: int, unit: str) -> int:
    """Tokens in a block of a text of so many; 0 where it is too short for an interval."""
    length = max(min(BLOCKS[unit], tokens // FEWEST_BLOCKS), -(-tokens // MOST_BLOCKS))
    return length if length >= SHORTEST else 0


def resampled(nats: Sequence[Array], block: int, seed: int, resamples: int = RESAMPLES) -> list[Array]:
    """Mean nats a token of each method, (resamples,) each, on blocks drawn with return, the same for all.

    nats: (N,) each. Blocks do not overlap (Carlstein 1986). NaN where their length is 0.
    """
    if not block:
        return [np.full(resamples, np.nan) for _ in nats]
    tokens = len(nats[0])
    starts = np.arange(0, tokens, block)
    lengths = np.diff(starts, append=tokens).astype(np.float64)
    even = np.full(len(starts), 1 / len(starts))
    # How often each block is drawn, (resamples, blocks).
    weight = np.random.default_rng(seed).multinomial(len(starts), even, resamples).astype(np.float64)
    drawn = weight @ lengths
    with np.errstate(invalid="ignore"):  # surprise without end has no mean
        return [weight @ np.add.reduceat(np.asarray(one, dtype=np.float64), starts) / drawn for one in nats]


def interval(draws: Array) -> Interval:
    """The 95 % interval of a metric from its resamples."""
    return Interval(*_ends(draws))


def difference(ours: float, theirs: float, draws: Array) -> Difference:
    """The model's gain over a method where less is better; draws: resamples of theirs less ours."""
    return Difference(theirs - ours, *_ends(draws))


def _ends(draws: Array) -> tuple[float, float]:
    if not np.isfinite(draws).all():
        return float("nan"), float("nan")
    low, high = np.quantile(draws, ENDS)
    return float(low), float(high)
