"""What the running states say at an origin, in the units in which the network reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.tasks.forecast.smoothing import DAMPING, SEASONS_NEEDED, TRENDS

Array = np.ndarray[Any, np.dtype[Any]]

# In units of a series' usual change: beyond this a value says no more than that it is far out. Forecasts of
# members go into the sum as they are, so their bound is only there for what would not be finite.
FAR, MEMBER_FAR = 100.0, 1e6
# The best member's recent error is at most this many usual changes, whatever it met long ago.
WORST_BEST = 10.0
LARGEST = 1e300  # in the data's unit


@dataclass(frozen=True, slots=True)
class States:
    """The running states at W origins, in each series' own unit.

    periods: P of the seasonal members.  step: (W,) int64, the last step seen.
    past: (W, L) values, NaN where unknown.  since: (W, L), steps since the last known value.
    unit, level, scale, flat, positive, nonnegative: (W,), as in `History`.
    members, slopes, errors: (W, 3, 2P + 1) float32, as `Tracks` has them.
    seasons: for each period (W, 3, 2, H) float32, its part of the steps ahead.
    """

    periods: tuple[int, ...]
    step: Array
    past: Array
    since: Array
    unit: Array
    level: Array
    scale: Array
    flat: Array
    positive: Array
    nonnegative: Array
    members: Array
    slopes: Array
    errors: Array
    seasons: list[Array]


@dataclass(frozen=True, slots=True)
class View:
    """W windows as seen from their origins, in units of `scale` about `level`.

    past: (W, L) values, 0 where unknown.  gone: (W, L), 1 where unknown.  since: (W, L), log of steps since
    the last known value.  members: (W, M, H) forecasts of the classical members, the last of which is the
    level itself.  context: (W, C) how well each member has done, and the series' size and length.
    spread: (W,) typical one-step error.  target: (W, H), NaN where unknown or hidden.
    level, scale: (W, 1), in the data's unit; scale is 0 for a series that has never changed, which is then
    forecast to stay as it is.  least: (W,), 0 for a series never seen below it, else -inf.
    """

    past: Array
    gone: Array
    since: Array
    members: Array
    context: Array
    spread: Array
    target: Array
    level: Array
    scale: Array
    least: Array


def view(states: States, target: Array) -> View:
    """The origins' inputs; target: (W, H) values in the series' unit."""
    scale, level = states.scale[:, None], states.level[:, None]
    each, errors = forecasts(states, target.shape[1])
    relative = np.log(errors / scale + 1e-3)
    best = np.minimum(relative.min(1, keepdims=True), np.log(WORST_BEST))
    scaled = np.clip((each - level[:, None]) / scale[:, None], -MEMBER_FAR, MEMBER_FAR)
    size = np.log(scale / (np.abs(level) + 1e-9)) / 3
    age = np.log(states.step + 1.0)[:, None] / 5
    context = [relative - best, np.clip(scaled.mean(2), -10, 10), age, best, size]
    gone = np.isnan(states.past)
    with np.errstate(over="ignore"):
        units = level * states.unit[:, None], np.minimum(scale * states.unit[:, None], LARGEST)
    return View(
        past=np.where(gone, 0.0, np.clip((states.past - level) / scale, -FAR, FAR)),
        gone=gone,
        since=np.log1p(states.since),
        members=scaled,
        context=np.concatenate(context, 1),
        spread=np.exp(best[:, 0]),
        target=(target - level) / scale,
        level=units[0],
        scale=np.where(states.flat[:, None], 0.0, units[1]),
        least=np.where(states.nonnegative, 0.0, -np.inf),
    )


def forecasts(states: States, horizon: int) -> tuple[Array, Array]:
    """Forecasts (W, M, H), the level itself the last, and recent errors (W, M - 1), as `members` has them.

    Until there are enough seasons a seasonal member is what its trend is without a season.
    """
    ahead, every = np.arange(1, horizon + 1), len(states.periods)
    # 0 for a level, the steps themselves for Theta
    reach = np.stack([np.cumsum(DAMPING[trend] ** ahead) for trend in TRENDS])[:, None]
    found = states.members[..., None] + states.slopes[..., None] * reach
    plain, errors = found[:, :, -1], states.errors[:, :, -1]
    each, missed = [plain], [errors]
    for number, (period, season) in enumerate(zip(states.periods, states.seasons, strict=True)):
        early = states.step + 1 < SEASONS_NEEDED * period
        for kind, at in enumerate((number, every + number)):
            multiply = kind == 0
            part, instead = season[:, :, kind], early | ~states.positive if multiply else early
            one = found[:, :, at] * part if multiply else found[:, :, at] + part
            each.append(np.where(instead[:, None, None], plain, one))
            missed.append(np.where(instead[:, None], errors, states.errors[:, :, at]))
    each.append(np.broadcast_to(states.level[:, None, None], (len(found), 1, horizon)))
    return np.concatenate(each, 1), np.concatenate(missed, 1)
