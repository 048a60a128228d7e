"""The figures of a forecaster's report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.report.figures import COLOURS, DASHES, HALF, OTHERS, WHOLE, drawing
from recurra.report.numbers import number, percent
from recurra.report.page import Figure
from recurra.tasks.forecast.metrics import central_intervals

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from recurra.tasks.forecast.evaluate import Detail, Method

Array = np.ndarray[Any, np.dtype[Any]]

# Of the history, so much is drawn: enough to see two seasons, or how the series moves.
HISTORY_HORIZONS, HISTORY_SEASONS, FEWEST, MOST = 2, 2, 24, 400
# Widest first, so that the narrow interval lies on top; each adds to the shade below it.
BANDS = ((0.95, 0.16), (0.8, 0.2), (0.5, 0.26))


def forecast(
    detail: Detail, w: int, *, caption: str = "", wide: bool = False, legend: bool = False
) -> Figure:
    """One window: the history, what happened, and the model's median and intervals."""
    n, origin = int(detail.windows.series[w]), int(detail.windows.origin[w])
    horizon = detail.truth.shape[1]
    back = _history(origin, horizon, detail.period)
    times = detail.panel.times(n, origin - back, back + horizon)
    history, ahead = times[:back], times[back:]
    with drawing(WHOLE if wide else HALF, 3.1 if wide else 2.4) as drawn:
        axes = drawn.axes
        _fan(axes, ahead, detail.quantiles[w], detail.levels)
        axes.axvline(times[back - 1], color=COLOURS["quiet"], linewidth=0.8, linestyle=(0, (2, 2)))
        axes.plot(
            history, detail.panel.target[n][origin - back : origin], color=COLOURS["ink"], linewidth=1.1
        )
        mark = "." if horizon <= 60 else None
        axes.plot(
            ahead,
            detail.truth[w],
            color=COLOURS["ink"],
            linewidth=1.1,
            marker=mark,
            markersize=3.5,
            label="what happened",
        )
        axes.set_title(str(detail.panel.ids[n]))
        axes.margins(x=0.01)
        _dates(axes, times)
        if legend:
            axes.legend(ncols=5, loc="lower left", bbox_to_anchor=(0, 1.1), borderaxespad=0)
    inside = _inside(detail, w)
    alt = (
        f"Forecast of {detail.panel.ids[n]} for {horizon} steps with its intervals, and what happened; "
        f"{inside} mean absolute error {number(error(detail, 'MAE')[w])}."
    )
    return Figure(drawn.svg, alt, caption)


def _fan(axes: Axes, x: Array, quantiles: Array, levels: tuple[float, ...]) -> None:
    pairs = central_intervals(levels)
    for share, alpha in BANDS:
        if share in pairs:
            low, high = pairs[share]
            axes.fill_between(
                x,
                quantiles[:, low],
                quantiles[:, high],
                color=COLOURS["model"],
                alpha=alpha,
                linewidth=0,
                label=f"{100 * share:.0f} % interval",
            )
    centre = int(np.argmin(np.abs(np.asarray(levels) - 0.5)))
    axes.plot(x, quantiles[:, centre], color=COLOURS["model"], linewidth=1.8, label="forecast (median)")


def _history(origin: int, horizon: int, period: int) -> int:
    wanted = max(HISTORY_HORIZONS * horizon, HISTORY_SEASONS * period, FEWEST)
    return min(origin, wanted, max(MOST, horizon))


def _dates(axes: Axes, times: Array) -> None:
    if not np.issubdtype(times.dtype, np.datetime64):
        axes.set_xlabel("step")
        return
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter  # noqa: PLC0415

    dates: Any = (AutoDateLocator, ConciseDateFormatter)  # matplotlib declares no types for these two
    locator = dates[0](minticks=3, maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates[1](locator))


def _inside(detail: Detail, w: int) -> str:
    pair = central_intervals(detail.levels).get(0.8)
    known = np.isfinite(detail.truth[w])
    if pair is None or not known.any():
        return ""
    y, low, high = (side[known] for side in (detail.truth[w], *detail.quantiles[w][:, pair].T))
    return f"the 80 % interval held {percent(float(((low <= y) & (y <= high)).mean()))};"


def error(detail: Detail, metric: str) -> Array:
    """(W,) the model's MAE or MASE of each window, NaN where it is not defined."""
    scores = detail.tables[0].methods[0].scores
    if metric == "MASE":
        return scores.mase
    return scores.absolute / np.where(scores.count == 0, np.nan, scores.count)


def by_step(detail: Detail, methods: list[Method], where: Array) -> Figure:
    """Error of each method at each step of the horizon, on the windows of one table."""
    scaled = detail.metric == "MASE"
    scale = detail.scale[detail.windows.series[where]][:, None] if scaled else np.ones((len(where), 1))
    name = "Mean absolute error" + (", scaled as MASE" if scaled else "")
    ends = []
    with drawing(HALF, 2.8) as drawn:
        axes = drawn.axes
        for i, method in enumerate(methods):
            scores = method.scores
            many = (scores.step_count & np.isfinite(scale)).sum(0)
            curve = np.nansum(scores.step_absolute / scale, 0) / np.where(many == 0, np.nan, many)
            steps = np.arange(1, len(curve) + 1)
            axes.plot(steps, curve, label=method.name, zorder=3 if i == 0 else 2, **_line(i))
            ends.append(f"{method.name} {number(float(curve[0]))} to {number(float(curve[-1]))}")
        axes.locator_params(axis="x", integer=True)
        axes.set_xlabel("steps ahead")
        axes.set_ylim(0, axes.get_ylim()[1] * 1.3)  # room for the legend
        axes.set_title(name)
        axes.legend(loc="upper left", ncols=2)
    return Figure(
        drawn.svg,
        f"{name} by steps ahead, first to last: {'; '.join(ends)}.",
        "How the error grows with distance.",
    )


def calibration(methods: list[Method]) -> Figure:
    """Share of truths that each central interval held, against the share that it promised."""
    told = []
    with drawing(HALF, 2.8) as drawn:
        axes = drawn.axes
        axes.plot([0, 1], [0, 1], color=COLOURS["quiet"], linewidth=0.8)
        for i, method in enumerate(methods):
            actual = dict(sorted(method.scores.coverage().items()))
            axes.plot(
                list(actual), list(actual.values()), marker="o", markersize=4, label=method.name, **_line(i)
            )
            told.append(
                method.name + " " + ", ".join(f"{100 * n:.0f} %: {percent(a)}" for n, a in actual.items())
            )
        low = min([0.5, *[min(m.scores.coverage().values(), default=0.5) for m in methods]])
        axes.set_xlim(max(0.0, low - 0.08), 1.01)
        axes.set_ylim(max(0.0, low - 0.08), 1.01)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
        axes.set_xlabel("promised")
        axes.set_title("Share that the intervals held")
        axes.legend(loc="best")
    return Figure(
        drawn.svg,
        f"Coverage of the intervals, promised and held: {'; '.join(told)}.",
        "On the line is right; below it, intervals are too narrow.",
    )


def _line(place: int) -> dict[str, Any]:
    """The model's line is solid and thick; the others differ in colour and in dashes."""
    if place == 0:
        return {"color": COLOURS["model"], "linewidth": 2.2}
    i = (place - 1) % len(OTHERS)
    return {"color": COLOURS[OTHERS[i]], "linestyle": DASHES[i], "linewidth": 1.4}
