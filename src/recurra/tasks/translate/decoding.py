"""From tokens of sources to those of their translations, many sources side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.data.frequency import Array
from recurra.data.ragged import Ragged
from recurra.data.tokens import BORDER, UNKNOWN
from recurra.decode.attending import Steps
from recurra.decode.beam import Beam, Hypothesis, Progress, search
from recurra.tasks.translate.model import Translator
from recurra.tasks.translate.schema import Schema

# Sources that are translated side by side, and tokens of them at most.
TOGETHER, TOKENS = 32, 2048
# A translation is at most so many tokens longer than the ratio of training says.
LONGER = 10


@torch.no_grad()
def remembered(model: Translator, sources: Sequence[Array]) -> tuple[list[tuple[Tensor, Tensor]], list[Any]]:
    """What is attended to, and the decoder's first states, of sources (T,), each of 1 token or more."""
    lengths = torch.tensor([len(one) for one in sources])
    padded = np.zeros((len(sources), int(lengths.max())), dtype=np.int64)
    for row, one in zip(padded, sources, strict=True):
        row[: len(one)] = one
    memory, state = model.encode(torch.from_numpy(padded), lengths)
    whole = zip(memory.values, memory.keys, lengths.tolist(), strict=True)
    return [(values[:many], keys[:many]) for values, keys, many in whole], state


def translated(
    model: Translator, schema: Schema, sources: Ragged, beam: Beam, progress: Progress | None = None
) -> list[list[Hypothesis]]:
    """The best translations of each source, the best first; of one without tokens the empty one."""
    empty = Hypothesis([], 0.0, 0.0, np.zeros((0, 0), dtype=np.float32))
    found: list[list[Hypothesis]] = [[empty] for _ in range(len(sources))]
    model.eval()
    steps = Steps(model)
    for group in _groups(sources.lengths):
        steps.begin(*remembered(model, [sources[n] for n in group]))
        most = [_most(schema, int(many), beam) for many in sources.lengths[group]]
        told = None if progress is None else _numbered(progress, group)
        # An unknown token is written where a word of the source can be copied in its place.
        never = () if schema.target.unit == "words" else (UNKNOWN,)
        texts = search(steps, most, beam, begin=BORDER, end=BORDER, never=never, progress=told)
        for n, one in zip(group, texts, strict=True):
            found[n] = one or [empty]
    return found


def _most(schema: Schema, tokens: int, beam: Beam) -> int:
    most = int(np.ceil(schema.ratio * (tokens + 1))) + LONGER
    return most if beam.most is None else min(most, beam.most)


def _numbered(progress: Progress, group: Array) -> Progress:
    return lambda number, tokens: progress(int(group[number]), tokens)


def _groups(lengths: Array) -> Iterator[Array]:
    """Numbers of sources that are translated together, of about the same length; none without tokens."""
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]
    at = 0
    while at < len(order):
        size = max(1, min(TOGETHER, TOKENS // int(lengths[order[min(at + TOGETHER, len(order)) - 1]])))
        yield order[at : at + size]
        at += size
