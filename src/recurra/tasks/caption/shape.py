"""How large a captioner is, by the number of pictures and the time there is; kept in the bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from recurra.tasks.caption.config import CaptionConfig

# The network of pictures, from the smallest: pixels of a side and channels of the first stage; each stage has
# twice the channels of the one before it, and BLOCKS residual blocks.
SEEN = ((64, 32), (96, 32), (128, 32), (96, 64), (128, 64))
STAGES, BLOCKS = 3, 2
# Units of the recurrent layers, from the smallest, and tokens of captions for each.
WIDTHS, TOKENS_PER_UNIT = (64, 96, 128, 192, 256, 320, 384, 512), 1_000
WIDEST_EMBEDDING = 256
# Passes over the pictures that a larger network must leave time for, and at most, but of few pictures as many
# as make ENOUGH steps; and the share of the time that the decoder may take.
LEAST_PASSES, MOST_PASSES, ENOUGH, DECODING = 25.0, 100.0, 3_000, 0.4
DROPOUT = 0.4
# Captions of a picture that are learnt from in one pass; of more, others in each.
CAPTIONS = 2
# Pictures of a batch at least and at most, and batches of a pass, where there are enough pictures.
FEWEST_ROWS, ROWS, LEAST_BATCHES = 8, 32, 50
# Operations of training for each weight and token or pixel; how many to count on in a second of the time
# budget (2 cores of a small machine); products that take as long as what each picture, and each step, costs
# besides; and the share of the budget that is planned.
OPERATIONS, SPEED, BESIDES, STEP, PLANNED = 6, 1.2e11, 18e6, 2e8, 0.85


class Shape(BaseModel):
    """Sizes of the networks, pictures of a batch, passes over them, and the share of channels left out.

    side: pixels; 0 where features are read.  widths, blocks: of the stages.  regions, channels: of what is
    attended to.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    side: int
    widths: tuple[int, ...] = ()
    blocks: tuple[int, ...] = ()
    grid: tuple[int, int]
    channels: int
    embedding: int
    hidden: int
    rows: int = ROWS
    captions: int = CAPTIONS
    passes: float = 1.0
    dropout: float = DROPOUT


def sizes(
    config: CaptionConfig,
    *,
    vocabulary: int,
    pictures: int,
    captions: int,
    tokens: int,
    largest: int,
    features: tuple[int, int, int] | None = None,
) -> Shape:
    """Sizes that suit the pictures.

    vocabulary: tokens told apart.  pictures, captions, tokens: of the training part.  largest: pixels of a
    side beyond which there is nothing to see in them.  features: rows, columns and channels, where those are
    read.
    """
    read = tokens * min(1.0, CAPTIONS * pictures / max(1, captions))
    afforded = PLANNED * config.time_budget * SPEED / OPERATIONS
    rows = int(np.clip(pictures // LEAST_BATCHES, FEWEST_ROWS, ROWS))
    steps = -(-pictures // rows)
    found = None
    for side, widths in ((0, ()),) if features else _seen(config, largest):
        grid, channels = (features[:2], features[2]) if features else (_grid(side), widths[-1])
        hidden = config.hidden or _hidden(config, vocabulary, channels, tokens, afforded / read)
        seen = products(side, widths) + BESIDES if widths else 0.0
        told = weights(config, vocabulary, hidden, channels) * read
        passes = afforded / (seen * pictures + told + STEP * steps)
        if found and passes < LEAST_PASSES:
            break
        found = Shape(
            side=side,
            widths=widths,
            blocks=(BLOCKS,) * len(widths),
            grid=grid,
            channels=channels,
            embedding=min(hidden, WIDEST_EMBEDDING),
            hidden=hidden,
            rows=rows,
            captions=CAPTIONS,
            passes=min(passes, max(MOST_PASSES, ENOUGH / steps)),
            dropout=DROPOUT if config.dropout is None else config.dropout,
        )
    assert found is not None
    return found


def _hidden(config: CaptionConfig, vocabulary: int, channels: int, tokens: int, afforded: float) -> int:
    """Units of the decoder, which has its share of the time. afforded: weights times passes of a token."""
    units = WIDTHS[0]
    for one in WIDTHS[1:]:
        passes = DECODING * afforded / weights(config, vocabulary, one, channels)
        if passes < LEAST_PASSES or one * TOKENS_PER_UNIT > tokens:
            break
        units = one
    return units


def _seen(config: CaptionConfig, largest: int) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Sides of pictures and channels of the stages that may be, from the smallest."""
    some = tuple(one for one in SEEN if one[0] <= largest) or SEEN[:1]
    if config.side is not None:
        some = tuple((config.side, width) for width in sorted({width for _, width in SEEN}))
    return tuple((side, tuple(width * 2**n for n in range(STAGES))) for side, width in some)


def _grid(side: int) -> tuple[int, int]:
    """Rows and columns of what is attended to."""
    for _ in range(STAGES + 1):
        side = -(-side // 2)
    return side, side


def products(side: int, widths: tuple[int, ...]) -> float:
    """Weights times places that a picture is multiplied with."""
    first, at = widths[0] // 2, side // 2
    many = at * at * 27 * first
    at, before = at // 2, widths[0]
    many += at * at * 9 * first * before
    for number, width in enumerate(widths):
        at = at // 2 if number else at
        many += at * at * (9 * before * width + (2 * BLOCKS - 1) * 9 * width * width + before * width)
        before = width
    return float(many)


def weights(config: CaptionConfig, vocabulary: int, hidden: int, channels: int) -> int:
    """That a token is multiplied with."""
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[config.cell]
    embedding = min(hidden, WIDEST_EMBEDDING)
    lower, upper = gates * (embedding + hidden) * hidden, gates * (2 * hidden + channels) * hidden
    return lower + upper + (hidden + channels) * embedding + vocabulary * embedding
