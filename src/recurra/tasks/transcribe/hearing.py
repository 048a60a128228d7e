"""From recordings to what the network reads: normal frames, several to a step, and batches of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from recurra.tasks.transcribe import augment
from recurra.tasks.transcribe.features import STACK, TAIL, Normal, stacked
from recurra.tasks.transcribe.model import Batch

if TYPE_CHECKING:
    from recurra.tasks.transcribe.data import Encoded
    from recurra.tasks.transcribe.schema import Schema

Array = np.ndarray[Any, np.dtype[Any]]


def normal(schema: Schema) -> Normal:
    """What takes the mean off frames."""
    return Normal(np.array(schema.mean, dtype=np.float32), np.array(schema.deviation, dtype=np.float32))


def heard(schema: Schema, samples: Array) -> Array:
    """Steps (T, STACK · M) of a whole recording (N,), the tail among them."""
    return with_tail(normal(schema)(augment.log_mel(schema.rate)(samples))[0])


def with_tail(frames: Array) -> Array:
    """Steps (T, STACK · M) of normal frames (F, M), and the tail after them."""
    return np.concatenate([stacked(frames), np.zeros((TAIL, STACK * frames.shape[1]), dtype=np.float32)])


def learnt(schema: Schema, part: Encoded, keys: Array) -> Batch:
    """Recordings of a part as they are learnt from; keys (B, 3): number, seed and epoch."""
    strength = schema.shape.otherwise
    found = []
    for number, *draw in keys.tolist():
        rng = np.random.default_rng([*draw, number])
        frames = augment.other(part.recordings.samples(number), schema.rate, rng, strength)
        frames = augment.masked(normal(schema)(frames)[0], rng, strength)
        found.append(with_tail(frames))
    return _batch(found, part, keys[:, 0])


def judged(schema: Schema, part: Encoded, rows: Array) -> Batch:
    """Recordings of a part as they are."""
    return _batch([heard(schema, part.recordings.samples(int(row))) for row in rows], part, rows)


def padded(steps: Sequence[Array]) -> tuple[Tensor, Tensor]:
    """Steps (B, T, STACK · M) of several recordings, padded, and how many each has."""
    lengths = torch.tensor([len(one) for one in steps])
    x = np.zeros((len(steps), int(lengths.max()), steps[0].shape[1]), dtype=np.float32)
    for row, one in zip(x, steps, strict=True):
        row[: len(one)] = one
    return torch.from_numpy(x), lengths


def _batch(steps: Sequence[Array], part: Encoded, rows: Array) -> Batch:
    target, target_lengths = part.target.padded(rows)
    return Batch(*padded(steps), target.long(), target_lengths)
