"""From windows of a panel to the tensors that the network reads."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from recurra.data import calendar
from recurra.tasks.forecast.history import History
from recurra.tasks.forecast.model import Forecaster, Inputs, Sizes
from recurra.tasks.forecast.smoothing import members
from recurra.tasks.forecast.view import View
from recurra.tasks.forecast.windows import Windows

if TYPE_CHECKING:
    from recurra.tasks.forecast.data import Panel
    from recurra.tasks.forecast.schema import Schema

Array = np.ndarray[Any, np.dtype[Any]]

# Encoded covariates are clipped here: beyond it a value says no more than that it is far out.
FAR = 10.0
LARGEST = np.finfo(np.float64).max


def sizes(schema: Schema) -> Sizes:
    """The network's sizes: its shape, and how much the schema has for it to read."""
    count = len(members(schema.seasons))
    return Sizes(
        **schema.network.model_dump(),
        horizon=schema.horizon,
        members=count + 1,
        context=2 * count + 4 + 2 * len(schema.static_features),
        past=len(schema.past_features),
        future=len(schema.future_features),
        calendar=2 * len(calendar.circles(schema.frequency, schema.length)),
    )


@dataclass(frozen=True, slots=True)
class Features:
    """A panel with its running states, ready to be cut into windows."""

    panel: Panel
    history: History
    sizes: Sizes
    table: Array  # (G, K) calendar of every step from `first` on
    first: int

    @staticmethod
    def of(panel: Panel) -> Features:
        """Run through the panel once."""
        size = sizes(panel.schema)
        ends = [int(s) + len(y) for s, y in zip(panel.start, panel.target, strict=True)]
        first, last = int(panel.start.min()) - size.look_back, max(ends) + size.horizon + size.segment
        schema = panel.schema
        table = calendar.features(schema.frequency, np.arange(first, last), schema.length)
        return Features(panel, History.of(panel), size, table, first)

    def view(self, which: Windows, hidden: Array | None = None) -> tuple[Inputs, View]:
        """What the network reads of the windows, and the units to bring its answers back with."""
        size = self.sizes
        view = self.history.view(which, size.look_back, size.horizon, hidden)
        static = np.asarray(self.panel.static, dtype=np.float32)[which.series]
        known = self._cut(
            self.panel.future, which, size.look_back, size.look_back + size.horizon, size.future
        )
        covariates = self._cut(self.panel.past, which, size.look_back, size.look_back, size.past)
        at = self.panel.start[which.series] + which.origin - self.first
        calendar = self.table[at[:, None] + begins(size)]
        return joined(view, static, covariates, known, calendar), view

    def _cut(self, rows: list[Array], which: Windows, back: int, count: int, width: int) -> Array:
        """`count` steps of covariates from `back` steps before each origin on: (W, count, width)."""
        found = np.full((len(which), count, width), np.nan, dtype=np.float32)
        if width:
            for w, (n, origin) in enumerate(zip(which.series, which.origin, strict=True)):
                begin = origin - back
                here = rows[n][max(begin, 0) : begin + count]
                skipped = max(-begin, 0)
                found[w, skipped : skipped + len(here)] = here
        return found


def begins(size: Sizes) -> Array:
    """The first step of each segment that the network reads, counted from an origin."""
    return np.concatenate(
        [np.arange(-size.look_back, 0, size.segment), np.arange(0, size.horizon, size.segment)]
    )


def joined(view: View, static: Array, covariates: Array, known: Array, calendar: Array) -> Inputs:
    """What the network reads of W windows.

    static: (W, S).  covariates: (W, L, P).  known: (W, L + H, F), encoded, NaN where missing.
    calendar: (W, segments, K), of each segment's first step.
    """
    gone = np.isnan(static)
    context = np.concatenate([view.context, np.where(gone, 0.0, _near(static)), gone], 1)
    return Inputs(
        past=_tensor(view.past),
        gone=_tensor(view.gone),
        since=_tensor(view.since),
        members=_tensor(view.members),
        context=_tensor(context),
        spread=_tensor(view.spread),
        covariates=_tensor(_near(covariates)),
        known=_tensor(_near(known)),
        calendar=_tensor(calendar),
        target=_tensor(view.target),
    )


def foretold(model: Forecaster, inputs: Inputs, view: View) -> Array:
    """The model's quantiles (W, H, Q) of windows, float64 in the data's unit."""
    with np.errstate(over="ignore"):
        found = model(inputs).double().numpy() * view.scale[:, None] + view.level[:, None]
    return np.asarray(np.clip(found, np.maximum(view.least, -LARGEST)[:, None, None], LARGEST))


def take(inputs: Inputs, at: slice) -> Inputs:
    """Some of the windows."""
    return Inputs(**{field.name: getattr(inputs, field.name)[at] for field in fields(Inputs)})


def _near(x: Array) -> Array:
    return np.asarray(np.clip(x, -FAR, FAR))


def _tensor(x: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))
