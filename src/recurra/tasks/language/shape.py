"""How large a language model is, by the amount of text and the time there is; kept in the bundle."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from recurra.nn.tied import NARROWER

if TYPE_CHECKING:
    from recurra.tasks.language.config import LanguageConfig

# Widths of the layers, from the smallest; the embedding, which is the last layer's output too, is narrower.
WIDTHS = (64, 96, 128, 192, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536)
LAYERS = 2
WIDEST_EMBEDDING = 400
# Tokens up to which every one is foretold at once. Of more, these many are, the others in groups that grow.
FEW_TOKENS = 4_000
HEAD, GROUP_GROWS = 2_500, 4
# Of running tokens, how many are in a group other than the first.
ELSEWHERE = 0.2
# Streams read side by side, and steps through which gradients flow.
ROWS, STEPS, LETTER_STEPS = 32, 48, 96
# Tokens of a text for each of the streams, at least.
TOKENS_PER_ROW = 2_000
# Tokens that are read for each weight, counted anew in every pass: a wider network is chosen only where there
# is time for them. A text is read at most so often.
TOKENS_PER_WEIGHT, MOST_PASSES = 3.0, 40.0
# Passes, and the width, from which on the regularisers have their full strength.
FULL_PASSES, FULL_WIDTH = 20.0, 512
# Operations of training for each weight and token; how many to count on in a second of the time budget (2
# cores of a small machine); and the share of the budget that is planned.
OPERATIONS, SPEED, PLANNED = 6, 1.1e11, 0.85


class Shape(BaseModel):
    """Sizes of the network. groups: where the vocabulary is cut, frequent tokens first; () for not at all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    embedding: int
    hidden: int
    layers: int
    groups: tuple[int, ...] = ()
    rows: int = ROWS
    steps: int = STEPS
    passes: float = 1.0
    dropout: float = 0.0


def sizes(config: LanguageConfig, *, tokens: int, unit: str, train_tokens: int) -> Shape:
    """Sizes that suit the text. tokens: in the vocabulary."""
    groups, layers = _groups(tokens), config.layers or LAYERS
    afforded = PLANNED * config.time_budget * SPEED / OPERATIONS  # weights times tokens
    widths = (config.hidden,) if config.hidden is not None else WIDTHS
    embedding, hidden, passes = 0, 0, 0.0
    for width in widths:
        # The last layer's outputs are compared with the tokens' vectors, and are as many.
        narrow = width if layers == 1 else min(width, WIDEST_EMBEDDING)
        weights = _recurrent(config.cell, narrow, width, layers) + _output(groups, tokens, narrow)
        read = min(afforded / weights, MOST_PASSES * train_tokens)
        if hidden and read < TOKENS_PER_WEIGHT * weights:
            break
        embedding, hidden, passes = narrow, width, read / max(1, train_tokens)
    return Shape(
        embedding=embedding,
        hidden=hidden,
        layers=layers,
        groups=groups,
        # Few tokens make few batches; narrow ones then, so that there are steps to learn in.
        rows=int(np.clip(train_tokens // TOKENS_PER_ROW, 1, ROWS)),
        steps=LETTER_STEPS if unit in ("characters", "bytes") else STEPS,
        passes=passes,
        dropout=config.dropout if config.dropout is not None else _strength(passes, hidden),
    )


def _strength(passes: float, hidden: int) -> float:
    """Of the regularisers: a text that is read once need not be kept from being learnt by heart."""
    return min(1.0, passes / FULL_PASSES) * min(1.0, hidden / FULL_WIDTH)


def _groups(tokens: int) -> tuple[int, ...]:
    if tokens <= FEW_TOKENS:
        return ()
    ends, size = [HEAD], HEAD * GROUP_GROWS
    while ends[-1] + size < tokens:
        ends.append(ends[-1] + size)
        size *= GROUP_GROWS
    return (*ends, tokens)


def _output(groups: tuple[int, ...], tokens: int, embedding: int) -> float:
    """Weights of the output that foretelling a token takes, on average."""
    if not groups:
        return tokens * embedding
    return (groups[0] + ELSEWHERE * (groups[1] - groups[0]) / NARROWER) * embedding


def _recurrent(cell: str, embedding: int, hidden: int, layers: int) -> int:
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[cell]
    widths = [embedding, *[hidden] * (layers - 1), embedding]
    return sum(gates * (i + h) * h for i, h in pairwise(widths))
