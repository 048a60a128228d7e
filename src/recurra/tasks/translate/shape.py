"""How large a translator is, by the number of pairs and the time there is; kept in the bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from recurra.tasks.translate.config import TranslateConfig

# Units of the recurrent layers, from the smallest; vectors of tokens are narrower from a width on.
WIDTHS = (64, 96, 128, 192, 256, 320, 384, 448, 512, 640, 768)
WIDEST_EMBEDDING = 384
# Passes over the pairs that a wider network must leave time for, and at most.
LEAST_PASSES, MOST_PASSES = 14.0, 40.0
# Target tokens for each unit of a layer: of few pairs a wide network learns little but themselves.
TOKENS_PER_UNIT = 200
# Passes from which on dropout has its full strength, and that strength.
FULL_PASSES, FULL_DROPOUT = 14.0, 0.35
# Pairs of a batch, and batches of a pass at least, where there are enough pairs.
ROWS, LEAST_BATCHES = 64, 50
# Operations of training for each weight and token; how many to count on in a second of the time budget (2
# cores of a small machine); and the share of the budget that is planned.
OPERATIONS, SPEED, PLANNED = 6, 1.1e11, 0.85


class Shape(BaseModel):
    """Sizes of the network, pairs of a batch, passes over the pairs, and the share of channels left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    embedding: int
    hidden: int
    rows: int = ROWS
    passes: float = 1.0
    dropout: float = 0.0


def sizes(
    config: TranslateConfig, *, tokens: int, pairs: int, source_tokens: int, target_tokens: int
) -> Shape:
    """Sizes that suit the pairs. tokens: of the target's vocabulary; the others: in the training part."""
    afforded = PLANNED * config.time_budget * SPEED / OPERATIONS
    widths = (config.hidden,) if config.hidden is not None else WIDTHS
    hidden, passes = 0, 0.0
    for width in widths:
        of_source, of_target = weights(config, tokens, width)
        found = afforded / (of_source * source_tokens + of_target * target_tokens)
        if hidden and (found < LEAST_PASSES or width * TOKENS_PER_UNIT > target_tokens):
            break
        hidden, passes = width, min(found, MOST_PASSES)
    dropout = config.dropout
    return Shape(
        embedding=min(hidden, WIDEST_EMBEDDING),
        hidden=hidden,
        rows=int(np.clip(pairs // LEAST_BATCHES, 1, ROWS)),
        passes=passes,
        dropout=FULL_DROPOUT * min(1.0, passes / FULL_PASSES) if dropout is None else dropout,
    )


def weights(config: TranslateConfig, tokens: int, hidden: int) -> tuple[int, int]:
    """That a token of the source, and one of the target, is multiplied with."""
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[config.cell]
    embedding = min(hidden, WIDEST_EMBEDDING)
    source = 2 * gates * (embedding + hidden) * hidden + 2 * hidden * hidden
    lower, upper = gates * (embedding + hidden) * hidden, gates * (3 * hidden + hidden) * hidden
    return source, lower + upper + 3 * hidden * embedding + tokens * embedding
