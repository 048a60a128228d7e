"""How large a classifier is, by the data and the time there is; kept in the bundle, which loads for ever."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from recurra.tasks.classify.config import ClassifyConfig
    from recurra.tasks.classify.schema import Schema

# Networks, each of which leaves out another part of the training examples; fewer where there is much to read.
NETWORKS = 5
# Widths of the recurrent layer by the number of training examples, and of texts that it learns language from.
SMALL, MIDDLE, LARGE = 64, 128, 256
FEW, MANY = 1_000, 10_000
# How the answer is made where the user does not say.
OUTPUT = "max"
# Operations that training takes for each step of a sequence, weight and network; how many of them to count on
# in a second of the time budget (2 cores of a small machine); and the share of the budget that is planned.
OPERATIONS, SPEED, PLANNED = 6, 3e10, 0.7
# Times that each example is read, for so many examples; more of them are read less often.
PASSES, PASSES_LETTERS, EXAMPLES = 8, 24, 8_000
MOST_PASSES = 300
# Places in the table of n-grams, which share one where they meet by chance.
MOST_PLACES, FEWEST_PLACES = 2**18, 2**16
# Dilations of the shapes looked for in series.
MOST_DILATIONS, TAPS = 7, 9


class Shape(BaseModel):
    """Sizes of the members."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    networks: int = 1
    hidden: int = SMALL
    output: str = OUTPUT
    places: int = FEWEST_PLACES
    dilations: tuple[int, ...] = (1,)


def shape_of(config: ClassifyConfig, schema: Schema, unlabelled: int = 0) -> Shape:
    """Sizes that suit the data. unlabelled: texts without a label that the language is learnt from first."""
    many = schema.examples + unlabelled
    hidden = config.hidden or (SMALL if many < FEW else MIDDLE if many < MANY else LARGE)
    grams = 2 ** math.ceil(math.log2(max(1, schema.examples * schema.length * 8)))
    dilations = int(math.log2(max(1, (schema.length - 1) // (TAPS - 1)))) + 1
    # As many networks as there is time for, at half the passes wanted or more.
    each = cost(config, schema, hidden) * max(1.0, passes(schema) / 2)
    return Shape(
        networks=int(np.clip(afforded(config) / each, 1, NETWORKS)),
        hidden=hidden,
        output=config.output or OUTPUT,
        places=int(np.clip(grams, FEWEST_PLACES, MOST_PLACES)),
        dilations=tuple(2**n for n in range(min(MOST_DILATIONS, dilations))),
    )


def afforded(config: ClassifyConfig) -> float:
    """Operations that the time budget has room for."""
    return PLANNED * config.time_budget * SPEED


def passes(schema: Schema) -> float:
    """How often each example is read."""
    letters = schema.vocabulary is None or schema.vocabulary.unit == "characters"
    wanted = PASSES_LETTERS if letters else PASSES
    return min(MOST_PASSES, max(2.0, wanted * math.sqrt(EXAMPLES / max(1, schema.examples))))


def cost(config: ClassifyConfig, schema: Schema, hidden: int) -> float:
    """Operations of one network over all training examples once."""
    width = hidden * (1 + config.bidirectional)
    return OPERATIONS * schema.examples * (schema.length * 3 * width * (2 * hidden) + 20 * width)
