"""The sections of a forecaster's report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.report import figures, run
from recurra.report.methods import Difference
from recurra.report.numbers import count, number, percent, signed
from recurra.report.page import Figure, Page
from recurra.tasks.forecast import pictures

if TYPE_CHECKING:
    from recurra.tasks.base import Data, Evaluation
    from recurra.tasks.forecast.config import ForecastConfig
    from recurra.tasks.forecast.evaluate import Detail, Method, Table

Array = np.ndarray[Any, np.dtype[Any]]

# Windows that stand for all of them, by the share of windows that went better, and how many of the worst.
REPRESENTATIVE = (0.15, 0.4, 0.6, 0.85)
WORST = 2
ERRORS = ("MAE", "RMSE", "sMAPE", "MASE", "WQL")
# Lines that can still be told apart in one figure.
MOST_LINES = 5
FAR = 2.0


def write(page: Page, config: ForecastConfig, data: Data, evaluation: Evaluation) -> None:
    """Write the task's sections: verdict, forecasts, errors, intervals, data, use."""
    detail: Detail | None = evaluation.detail
    page.section("The verdict")
    run.verdict(page, evaluation.words)
    lacking = figures.missing()
    if lacking:
        page.note(lacking)
    if detail is not None:
        for table in detail.tables:
            page.heading("All windows" if table.whole else "With ETS and Theta, on a part of the windows")
            _scores(page, table, detail)
        page.text(_legend(detail))
        if lacking is None:
            _forecasts(page, detail)
            _errors(page, detail)
    page.section("What was found in the data")
    page.lines([*data.found, f"quantiles: {', '.join(f'{level:g}' for level in config.quantiles)}"])
    _use(page)
    page.footer(evaluation.signature)


def _scores(page: Page, table: Table, detail: Detail) -> None:
    metrics = [method.scores.metrics() for method in table.methods]
    covers = [name for name in metrics[0] if name.startswith("coverage_")]
    header = [
        "Method",
        *ERRORS,
        *(f"{name[9:]} % held" for name in covers),
        f"{detail.metric} difference (95 % interval)",
    ]
    rows = [
        [
            method.name,
            *(number(found[name]) for name in ERRORS),
            *(percent(found[name]) for name in covers),
            _difference(method.difference),
        ]
        for method, found in zip(table.methods, metrics, strict=True)
    ]
    best = set()
    for column, name in enumerate(ERRORS, start=1):
        values = np.array([found[name] for found in metrics])
        if np.isfinite(values).any():
            best.add((int(np.nanargmin(values)), column))
    many = count(len(table.where), "window")
    series = count(len(np.unique(detail.windows.series[table.where])), "series", "series")
    caption = f"{many} of {series}, {count(detail.truth.shape[1], 'step')} ahead each. "
    caption += (
        f"The difference is the method's {detail.metric} less the model's: above zero, the model is better."
    )
    page.table(header, rows, caption=caption, best=best, ours={0})


def _difference(difference: Difference | None) -> str:
    if difference is None:
        return ""
    if not np.isfinite(difference.low):
        return signed(difference.estimate)
    ends = f"{signed(difference.low)} to {signed(difference.high)}"
    return f"{signed(difference.estimate)} ({ends})"


def _legend(detail: Detail) -> str:
    return (
        "Lower is better for all five errors; a tick marks the best. MAE and RMSE are in the data's unit, "
        "sMAPE in percent. MASE is the error in units of the mean change over "
        f"{count(detail.period, 'step')} before the test: below 1 is less than that. WQL, the weighted "
        "quantile loss, judges the intervals too. An 80 % interval should hold 80 % of what happened."
    )


def _forecasts(page: Page, detail: Detail) -> None:
    loss = pictures.error(detail, detail.metric)
    order = np.argsort(loss)[: int(np.isfinite(loss).sum())]
    if len(order) == 0:
        return
    page.section("Forecasts and what happened")
    middle = int(order[len(order) // 2])
    page.figure(
        pictures.forecast(
            detail, middle, wide=True, legend=True, caption="A typical window: half went better, half worse."
        ),
        wide=True,
    )
    chosen = _representative(order, {middle})
    if chosen:
        page.heading("From good to bad")
        page.gallery([_captioned(detail, w, order) for w in chosen])
    worst = _worst(detail, order[::-1], [middle, *chosen])
    if worst:
        page.heading("The worst")
        page.gallery([_captioned(detail, w, order) for w in worst])


def _representative(order: Array, taken: set[int]) -> list[int]:
    """Windows at fixed ranks of the error, each once."""
    found: list[int] = []
    for share in REPRESENTATIVE:
        w = int(order[int(share * (len(order) - 1))])
        if w not in taken:
            found.append(w)
            taken.add(w)
    return found


def _worst(detail: Detail, order: Array, taken: list[int]) -> list[int]:
    """The worst windows that do not overlap with one another or with those taken."""
    series, origin, horizon = detail.windows.series, detail.windows.origin, detail.truth.shape[1]
    found: list[int] = []
    for w in order:
        seen = np.array(taken + found, dtype=np.int64)
        overlaps = (series[seen] == series[w]) & (np.abs(origin[seen] - origin[w]) < horizon)
        if not overlaps.any():
            found.append(int(w))
        if len(found) == WORST:
            break
    return found


def _captioned(detail: Detail, w: int, order: Array) -> Figure:
    loss = pictures.error(detail, detail.metric)[w]
    place = int(np.flatnonzero(order == w)[0])
    better = "the best" if place == 0 else f"{percent(place / len(order))} of the windows went better"
    return pictures.forecast(detail, w, caption=f"{detail.metric} {number(loss)}; {better}.")


def _errors(page: Page, detail: Detail) -> None:
    """Error by step and calibration, on the windows where every method was run."""
    table = detail.tables[-1]
    page.section("How the error grows, and how the intervals hold")
    if not table.whole:
        page.text(f"On the {count(len(table.where), 'window')} where every method was run.")
    methods = _shown(table, detail.metric)
    page.gallery([pictures.by_step(detail, methods, table.where), pictures.calibration(methods[:3])])


def _shown(table: Table, metric: str) -> list[Method]:
    """The model, then the others from the best on, as many as can be told apart."""
    model, *others = table.methods
    own = model.scores.metrics()[metric]
    # A method that is far off would only press the other lines together.
    near = [method for method in others if method.scores.metrics()[metric] <= FAR * own]
    ranked = sorted(near, key=lambda method: method.scores.metrics()[metric])
    return [model, *ranked[: MOST_LINES - 1]]


def _use(page: Page) -> None:
    page.section("How to use it")
    page.text("Forecast what comes after the end of a file that has the same columns:")
    page.code(f"recurra predict {page.bundle} recent.csv --out forecast.csv")
    page.text("Judge it on data that came later:")
    page.code(f"recurra evaluate {page.bundle} later.csv")
    page.text("From Python:")
    page.code(
        f'import recurra\n\nbundle = recurra.load("{page.bundle}")\nforecast = bundle.predict("recent.csv")'
    )
