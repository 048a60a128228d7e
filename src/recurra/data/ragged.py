"""Sequences of different lengths, end to end, and batches of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recurra.data.frequency import Array

if TYPE_CHECKING:
    from torch import Tensor

# Batches are cut from this many times their size, sorted by length: long enough runs that little is padded,
# short enough that the batches of two epochs differ.
POOL = 50


@dataclass(frozen=True, slots=True)
class Ragged:
    """N sequences of different lengths, end to end.

    values: (S,) int32 token numbers, or (S, C) float32.  offsets: (N + 1,) int64, where each one begins.
    """

    values: Array
    offsets: Array

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Array:
        """Steps of each sequence, (N,) int64."""
        return np.diff(self.offsets)

    def __getitem__(self, n: int) -> Array:
        return self.values[self.offsets[n] : self.offsets[n + 1]]

    def take(self, which: Array) -> Ragged:
        """Some of the sequences, in the order of `which`, (M,) int64."""
        lengths = self.lengths[which]
        offsets = ends(lengths)
        # Where each step lies now: its number less where its sequence begins, plus where it began.
        shift = np.repeat(self.offsets[:-1][which] - offsets[:-1], lengths)
        return Ragged(self.values[np.arange(int(offsets[-1])) + shift], offsets)

    @classmethod
    def of(cls, sequences: Sequence[Array], like: Array | None = None) -> Ragged:
        """Put sequences end to end. like: gives the type and width where there may be none."""
        offsets = ends(np.array([len(one) for one in sequences], dtype=np.int64))
        if sequences:
            return cls(np.concatenate(sequences), offsets)
        return cls(np.zeros(0, dtype=np.int32) if like is None else like[:0], offsets)

    def cut(self, longest: int) -> Ragged:
        """The same sequences, no more than their first `longest` steps."""
        lengths = self.lengths
        if not len(lengths) or int(lengths.max()) <= longest:
            return self
        step = np.arange(len(self.values)) - np.repeat(self.offsets[:-1], lengths)
        return Ragged(self.values[step < longest], ends(np.minimum(lengths, longest)))

    def padded(self, which: Array) -> tuple[Tensor, Tensor]:
        """Some of the sequences as one batch: (B, T) int64 or (B, T, C) float32, zero beyond the end; T >= 1.

        The second is their lengths, (B,) int64.
        """
        import torch  # noqa: PLC0415, so that reading files need not wait for it

        some = self.take(np.asarray(which, dtype=np.int64))
        lengths = some.lengths
        longest = max(1, int(lengths.max(initial=0)))
        batch = np.zeros((len(lengths), longest, *some.values.shape[1:]), dtype=some.values.dtype)
        batch[np.arange(longest) < lengths[:, None]] = some.values
        x = torch.from_numpy(batch)
        return (x if x.is_floating_point() else x.long()), torch.from_numpy(lengths)


def ends(lengths: Array) -> Array:
    """Offsets of sequences of these lengths, (N + 1,) int64."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)


def rounds(lengths: Array, most: int) -> Iterator[tuple[Array, int, int]]:
    """Read sequences of these lengths (N,) side by side without padding, at most `most` steps at a time.

    Gives the numbers of those that go on, and from which step up to which, the latter no longer among them.
    """
    at = 0
    going = np.flatnonzero(lengths > 0)
    while len(going):
        end = at + max(1, min(int(lengths[going].min()) - at, most // len(going)))
        yield going, at, end
        at = end
        going = going[lengths[going] > at]


def buckets(lengths: Array, batch: int, rng: np.random.Generator) -> list[Array]:
    """Shuffled batches of examples of about the same length; every example is in one of them."""
    order = rng.permutation(len(lengths))
    batches = []
    for begin in range(0, len(order), POOL * batch):
        pool = order[begin : begin + POOL * batch]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[at : at + batch] for at in range(0, len(pool), batch)]
    return [batches[at] for at in rng.permutation(len(batches))]
