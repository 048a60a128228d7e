"""From windows of a panel to the tensors that the network reads."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from recurra.data import calendar
from recurra.tasks.forecast.history import History, View
from recurra.tasks.forecast.model import Inputs, Sizes
from recurra.tasks.forecast.smoothing import members
from recurra.tasks.forecast.windows import Windows

if TYPE_CHECKING:
    from recurra.tasks.forecast.data import Panel
    from recurra.tasks.forecast.schema import Schema

Array = np.ndarray[Any, np.dtype[Any]]

LONGEST_SEGMENT = 48
SHORTEST_SEGMENT = 4
# How far back the network reads: this many seasons and horizons, where the series are long enough.
SEASONS_BACK, HORIZONS_BACK = 30, 2
MOST_STEPS_BACK, MOST_SEGMENTS = 720, 60
HIDDEN, NETWORKS = 64, 2
# Encoded covariates are clipped here: beyond it a value says no more than that it is far out.
FAR = 10.0


def sizes(schema: Schema) -> Sizes:
    """The network's sizes for this data: season-long segments, and a look-back of many of them."""
    seasons, horizon = tuple(schema.seasons), schema.horizon
    first, last = (seasons[0], seasons[-1]) if seasons else (1, 1)
    segment = _segment(first, horizon)
    wanted = max(HORIZONS_BACK * horizon, SEASONS_BACK * first, 2 * last)
    most = min(MOST_STEPS_BACK, MOST_SEGMENTS * segment, schema.length // 2)
    look_back = max(1, min(wanted, most) // segment) * segment
    count = len(members(seasons))
    return Sizes(
        look_back=look_back,
        segment=segment,
        horizon=horizon,
        hidden=HIDDEN,
        networks=NETWORKS,
        members=count + 1,
        context=2 * count + 4 + 2 * len(schema.static_features),
        past=len(schema.past_features),
        future=len(schema.future_features),
        calendar=2 * len(calendar.circles(schema.frequency, schema.length)),
    )


def _segment(season: int, horizon: int) -> int:
    """Steps of a segment: a season, part of a long one, several short ones; else part of the horizon."""
    if season <= 1:
        return int(np.clip(round(horizon / 8), 1, LONGEST_SEGMENT))
    if season <= LONGEST_SEGMENT:
        return season * max(1, math.ceil(SHORTEST_SEGMENT / season))
    parts = [w for w in range(LONGEST_SEGMENT // 4, LONGEST_SEGMENT // 2 + 1) if season % w == 0]
    return max(parts, default=LONGEST_SEGMENT // 2)


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
        gone = np.isnan(static)
        context = np.concatenate([view.context, np.where(gone, 0.0, _near(static)), gone], 1)
        known = self._cut(
            self.panel.future, which, size.look_back, size.look_back + size.horizon, size.future
        )
        covariates = self._cut(self.panel.past, which, size.look_back, size.look_back, size.past)
        inputs = Inputs(
            past=_tensor(view.past),
            gone=_tensor(view.gone),
            since=_tensor(view.since),
            members=_tensor(view.members),
            context=_tensor(context),
            spread=_tensor(view.spread),
            covariates=_tensor(covariates),
            known=_tensor(known),
            calendar=_tensor(self._calendar(which)),
            target=_tensor(view.target),
        )
        return inputs, view

    def _calendar(self, which: Windows) -> Array:
        """The calendar of each segment's first step, (W, segments, K)."""
        size = self.sizes
        begins = np.concatenate(
            [np.arange(-size.look_back, 0, size.segment), np.arange(0, size.horizon, size.segment)]
        )
        at = self.panel.start[which.series] + which.origin - self.first
        return np.asarray(self.table[np.maximum(at[:, None] + begins, 0)])

    def _cut(self, rows: list[Array], which: Windows, back: int, count: int, width: int) -> Array:
        """`count` steps of covariates from `back` steps before each origin on: (W, count, width)."""
        found = np.full((len(which), count, width), np.nan, dtype=np.float32)
        if width:
            for w, (n, origin) in enumerate(zip(which.series, which.origin, strict=True)):
                begin = origin - back
                here = rows[n][max(begin, 0) : begin + count]
                skipped = max(-begin, 0)
                found[w, skipped : skipped + len(here)] = here
        return _near(found)


def take(inputs: Inputs, at: slice) -> Inputs:
    """Some of the windows."""
    return Inputs(**{field.name: getattr(inputs, field.name)[at] for field in fields(Inputs)})


def _near(x: Array) -> Array:
    return np.asarray(np.clip(x, -FAR, FAR))


def _tensor(x: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))
