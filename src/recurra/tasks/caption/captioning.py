"""From pictures to captions: what is seen, the search, the text, and where each word looked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import torch

from recurra.data.frequency import Array
from recurra.data.tokens import BORDER, UNKNOWN
from recurra.decode.attending import Steps
from recurra.decode.beam import Beam, Hypothesis, search
from recurra.tasks.base import Caption
from recurra.tasks.caption.model import Captioner
from recurra.tasks.caption.schema import Schema
from recurra.tasks.caption.texts import decode_text

# Pictures that are captioned side by side.
TOGETHER = 32
# Tokens that a caption may have beyond nearly all of training.
LONGER = 5


def captioned(
    model: Captioner, schema: Schema, seen: Iterable[Array], beam: Beam
) -> Iterator[list[Hypothesis]]:
    """The best captions of each picture, the best first; seen: (S, S, 3) uint8 or (R, C) float32 of each."""
    model.eval()
    steps = Steps(model)
    most = schema.longest + LONGER if beam.most is None else min(schema.longest + LONGER, beam.most)
    never = (UNKNOWN, schema.tokens.newline)
    left = iter(seen)
    while some := [*islice(left, TOGETHER)]:
        with torch.no_grad():
            memory, state = model.look(torch.from_numpy(np.stack(some)))
        steps.begin(list(zip(memory.values, memory.keys, strict=True)), state)
        yield from search(steps, [most] * len(some), beam, begin=BORDER, end=BORDER, never=never)


def captions(model: Captioner, schema: Schema, seen: Iterable[Array], beam: Beam) -> Iterator[list[Caption]]:
    """The same in words."""
    for found in captioned(model, schema, seen, beam):
        yield [written(schema, one) for one in found]


def written(schema: Schema, found: Hypothesis) -> Caption:
    """A caption from its tokens."""
    rows, columns = schema.shape.grid
    words, weights = by_words(schema, found)
    return Caption(
        decode_text(found.tokens, schema.tokens), found.score, words, weights.reshape(-1, rows, columns)
    )


def by_words(schema: Schema, found: Hypothesis) -> tuple[tuple[str, ...], Array]:
    """The words of a caption, and where each looked, (W, R) in shares; characters where those are tokens."""
    if not found.tokens:
        return (), np.zeros((0, schema.shape.grid[0] * schema.shape.grid[1]), dtype=np.float32)
    pieces = schema.tokens.pieces(found.tokens)
    if schema.tokens.unit != "bpe":
        return tuple(piece.strip() or piece for piece in pieces), found.attention
    # A piece that begins with a space begins a word.
    first = np.array([n == 0 or piece[:1].isspace() for n, piece in enumerate(pieces)])
    of = np.cumsum(first) - 1
    words = ["".join(np.array(pieces)[of == n]).strip() for n in range(of[-1] + 1)]
    weights = np.zeros((len(words), found.attention.shape[1]), dtype=np.float32)
    np.add.at(weights, of, found.attention)
    return tuple(words), weights / weights.sum(1, keepdims=True)
