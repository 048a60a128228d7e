"""How large the network is and how far back it reads: chosen once by the data, kept in the schema."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

# How far back the network reads: this many seasons and horizons, where the series are long enough.
SEASONS_BACK, HORIZONS_BACK = 30, 2
MOST_STEPS_BACK, MOST_SEGMENTS = 720, 60
SHORTEST_SEGMENT, LONGEST_SEGMENT = 4, 48
SEGMENTS_AHEAD = 8  # in a horizon without a season
HIDDEN, NETWORKS = 64, 2


class Shape(BaseModel):
    """Steps that the network reads, whole segments of them; units of each of its networks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    look_back: int
    segment: int
    hidden: int = HIDDEN
    networks: int = NETWORKS


def choose_shape(seasons: Sequence[int], horizon: int, length: int) -> Shape:
    """Segments of a season, and as many of them as series of about `length` steps can spare."""
    first, last = (seasons[0], seasons[-1]) if seasons else (1, 1)
    segment = _segment(first, horizon)
    wanted = max(HORIZONS_BACK * horizon, SEASONS_BACK * first, 2 * last)
    most = min(MOST_STEPS_BACK, MOST_SEGMENTS * segment, length // 2)
    return Shape(look_back=max(1, min(wanted, most) // segment) * segment, segment=segment)


def _segment(season: int, horizon: int) -> int:
    """A season, part of a long one, several short ones; part of the horizon where there is none."""
    if season <= 1:
        return min(max(1, round(horizon / SEGMENTS_AHEAD)), LONGEST_SEGMENT)
    if season <= LONGEST_SEGMENT:
        return season * math.ceil(SHORTEST_SEGMENT / season)
    parts = [w for w in range(LONGEST_SEGMENT // 4, LONGEST_SEGMENT // 2 + 1) if season % w == 0]
    return max(parts, default=LONGEST_SEGMENT // 2)
