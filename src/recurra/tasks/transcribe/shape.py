"""How large a recogniser is, by the amount of speech and the time there is; kept in the bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from recurra.tasks.transcribe.config import TranscribeConfig

# Units of the recurrent layers, from the smallest, and how many layers there are.
WIDTHS, LAYERS = (64, 96, 128, 192, 256, 320, 384, 512), 3
# Passes over the recordings that a wider network must leave time for, fewer of more speech: so many of STEPS,
# and as the root of how many more there are; but no fewer than FEW. And passes at most.
LEAST_PASSES, STEPS, FEW, MOST_PASSES = 60.0, 100_000, 10.0, 200.0
# Steps of the training part for each unit of a layer: of little speech a wide network learns but that.
STEPS_PER_UNIT = 250
DROPOUT = 0.3
# Passes from which on recordings are said as much otherwise as they may be: a network that has little time
# learns more from them as they are. One that reads forwards must tell words before it has heard them whole,
# and learns to guess where they are said too much otherwise: so much of it.
MANY_PASSES, FORWARDS = 100.0, 0.4
# Recordings of a batch, and batches of a pass at least, where there are enough recordings.
ROWS, LEAST_BATCHES = 16, 50
# Operations of training for each weight and step; how many to count on in a second of the time budget (2
# cores of a small machine); weights that take as long as what each step costs besides, such as being heard;
# and the share of the budget that is planned.
OPERATIONS, SPEED, BESIDES, PLANNED = 6, 1.2e11, 1e6, 0.85


class Shape(BaseModel):
    """Sizes of the network, recordings of a batch, passes over them, and the share of channels left out.

    otherwise: how much recordings are said otherwise while training, from 0 to 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    hidden: int
    layers: int = LAYERS
    rows: int = ROWS
    passes: float = 1.0
    dropout: float = DROPOUT
    otherwise: float = 1.0


def sizes(config: TranscribeConfig, *, inputs: int, tokens: int, recordings: int, steps: int) -> Shape:
    """Sizes that suit the recordings. inputs: numbers of a step; steps: of the training part."""
    afforded = PLANNED * config.time_budget * SPEED / OPERATIONS
    layers = config.layers or LAYERS
    widths = (config.hidden,) if config.hidden is not None else WIDTHS
    least = max(FEW, LEAST_PASSES * min(1.0, (STEPS / max(1, steps)) ** 0.5))
    hidden, passes = 0, 0.0
    for width in widths:
        found = afforded / ((weights(config, inputs, tokens, width, layers) + BESIDES) * max(1, steps))
        if hidden and (found < least or width * STEPS_PER_UNIT > steps):
            break
        hidden, passes = width, min(found, MOST_PASSES)
    return Shape(
        hidden=hidden,
        layers=layers,
        rows=int(np.clip(recordings // LEAST_BATCHES, 1, ROWS)),
        passes=passes,
        dropout=DROPOUT if config.dropout is None else config.dropout,
        otherwise=min(1.0, passes / MANY_PASSES) * (FORWARDS if config.live else 1.0),
    )


def weights(config: TranscribeConfig, inputs: int, tokens: int, hidden: int, layers: int) -> int:
    """That a step is multiplied with."""
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[config.cell]
    many = 1 if config.live else 2
    first = many * gates * (inputs + hidden) * hidden
    return first + (layers - 1) * many * gates * (many + 1) * hidden * hidden + many * hidden * tokens
