"""ETS and Theta, through statsforecast where it is installed."""

from __future__ import annotations

import importlib.util
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.tasks.forecast.baselines import seasonal_naive
from recurra.tasks.forecast.windows import Windows

if TYPE_CHECKING:
    from recurra.tasks.forecast.data import Panel

Array = np.ndarray[Any, np.dtype[Any]]

NAMES = ("ETS", "Theta")
# Steps of history that a fit sees: more changes little, as both methods forget, and takes time.
HISTORY = 1000
# Fewer known values than this are not worth a fit.
SHORTEST = 4
# Seconds that both fits take per step of history, and per step and period: measured with statsforecast 2.1
# on one core, for series of 40 to 3000 steps and periods of 1 to 365.
PER_STEP, PER_STEP_AND_PERIOD = 0.7e-3, 8e-6


def installed() -> bool:
    """Whether statsforecast can be imported."""
    return importlib.util.find_spec("statsforecast") is not None


def affordable(which: Windows, period: int, seconds: float) -> int:
    """How many of the windows can be fitted in about this time; from lengths alone, never from a clock."""
    if len(which) == 0:
        return 0
    steps = float(np.minimum(which.origin, HISTORY).mean())
    each = steps * (PER_STEP + PER_STEP_AND_PERIOD * period)
    return int(min(len(which), max(1, seconds / each)))


def forecast(
    name: str, panel: Panel, which: Windows, horizon: int, levels: tuple[float, ...], *, period: int
) -> tuple[Array, int]:
    """Quantiles (W, horizon, Q) of AutoETS or Theta, and how many windows could not be fitted.

    Gaps inside a history are filled by straight lines. Where a fit fails, seasonal naive stands in.
    """
    stand_in = seasonal_naive(period)(panel, which, horizon, levels)
    failed = 0
    for w in range(len(which)):
        y = _filled(panel.target[which.series[w]][: which.origin[w]])
        found = _fit(name, y, horizon, levels, period) if len(y) >= SHORTEST else None
        if found is None:
            failed += 1
        else:
            stand_in[w] = found
    return stand_in, failed


def _filled(history: Array) -> Array:
    """The end of a history, from a known value to the origin, with straight lines over the gaps."""
    history = history[-HISTORY:]
    known = np.flatnonzero(np.isfinite(history))
    if len(known) == 0:
        return history[:0]
    place = np.arange(known[0], len(history))
    return np.interp(place, known, history[known])


def _fit(name: str, y: Array, horizon: int, levels: tuple[float, ...], period: int) -> Array | None:
    from statsforecast.models import AutoETS, Theta  # noqa: PLC0415  # takes seconds, and may be missing

    # A season that was not seen twice cannot be estimated.
    season = period if len(y) > 2 * period else 1
    model = (AutoETS if name == "ETS" else Theta)(season_length=season)
    # Widths of the central intervals in percent; statsforecast takes fractions although it declares int.
    widths: list[Any] = sorted({round(abs(100 - 200 * level), 4) for level in levels} - {0.0})
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = model.forecast(y=y, h=horizon, level=widths)
    except Exception:  # whatever a third party's fit raises on odd data, the table goes on without it
        return None
    columns = []
    for level in levels:
        width = round(abs(100 - 200 * level), 4)
        columns.append(found["mean"] if width == 0 else found[f"{'lo' if level < 0.5 else 'hi'}-{width}"])
    quantiles = np.stack(columns, axis=-1).astype(np.float64)
    return quantiles if np.isfinite(quantiles).all() else None
