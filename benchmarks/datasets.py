"""Public data sets in the shape that their papers use; where to get them stands in docs/results.md."""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

ROOT = Path(os.environ.get("RECURRA_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
FORECASTING = ROOT / "forecasting"


@dataclass(frozen=True, slots=True)
class DataSet:
    """A frame and how it is to be split; `period` is the season that its MASE is defined with.

    valid, test: steps at the end of each series.  windows: "last" for one origin a series, or "all".
    """

    name: str
    frame: pl.DataFrame
    target: tuple[str, ...]
    horizon: int
    valid: int
    test: int
    period: int
    windows: str


def electricity(name: str, horizon: int) -> DataSet:
    """ETTh1 or ETTh2 (Zhou et al., 2021): 12, 4 and 4 months of 30 days."""
    frame = pl.read_csv(FORECASTING / "ett_hourly" / f"{name}.csv", try_parse_dates=True)[: 20 * 30 * 24]
    target = tuple(frame.columns[1:])
    return DataSet(f"{name}, {horizon}", frame, target, horizon, 2880, 2880, 24, "all")


def exchange(horizon: int) -> DataSet:
    """Daily exchange rates of eight countries (Lai et al., 2018), 70, 10 and 20 %; the file has no dates."""
    with gzip.open(FORECASTING / "exchange_rate" / "exchange_rate.txt.gz") as file:
        frame = pl.read_csv(file.read(), has_header=False)
    test = int(0.2 * len(frame))
    valid = len(frame) - test - int(0.7 * len(frame))
    return DataSet(f"exchange_rate, {horizon}", frame, tuple(frame.columns), horizon, valid, test, 1, "all")


def m4(name: str, horizon: int, period: int) -> DataSet:
    """M4's hourly or weekly series (Makridakis et al., 2020); without dates, so steps are numbered."""
    values = [_rows(FORECASTING / "m4_hourly_weekly" / f"{name}-{part}.csv") for part in ("train", "test")]
    series = {key: values[0][key] + values[1][key] for key in values[0]}
    return _long(f"M4 {name}", {key: (None, one) for key, one in series.items()}, horizon, period, "1d")


def m3(name: str, horizon: int, period: int) -> DataSet:
    """M3's yearly, quarterly or monthly series (Makridakis & Hibon, 2000), from the Monash archive."""
    series: dict[str, tuple[str | None, list[float]]] = {}
    lines = (FORECASTING / "m3" / f"m3_{name}_dataset.tsf").read_text("latin-1").split("@data\n")[1]
    for line in lines.splitlines():
        key, start, values = line.split(":")
        series[key] = (start.split(" ")[0], [float(value) for value in values.split(",")])
    step = {"yearly": "1y", "quarterly": "1q", "monthly": "1mo"}[name]
    return _long(f"M3 {name}", series, horizon, period, step)


def _rows(path: Path) -> dict[str, list[float]]:
    with path.open() as file:
        rows = list(csv.reader(file))[1:]
    return {row[0]: [float(value) for value in row[1:] if value not in ("", "NA")] for row in rows}


def _long(
    name: str, series: dict[str, tuple[str | None, list[float]]], horizon: int, period: int, step: str
) -> DataSet:
    parts = []
    for key, (start, values) in series.items():
        time = pl.Series("time", range(len(values)))
        if start is not None:
            first = pl.lit(start).str.to_date("%Y-%m-%d")
            offset = pl.int_range(len(values)).cast(pl.String) + step[1:]
            time = pl.select(first.dt.offset_by(offset).alias("time")).to_series()
        parts.append(pl.DataFrame({"id": [key] * len(values), "time": time, "value": values}))
    return DataSet(name, pl.concat(parts), ("value",), horizon, horizon, horizon, period, "last")


FORECAST_SETS: dict[str, Callable[[], DataSet]] = {
    **{
        f"{name}-{horizon}": lambda name=name, horizon=horizon: electricity(name, horizon)  # type: ignore[misc]
        for name in ("ETTh1", "ETTh2")
        for horizon in (96, 192, 336, 720)
    },
    "m4-hourly": lambda: m4("Hourly", 48, 24),
    "m4-weekly": lambda: m4("Weekly", 13, 1),
    "m3-yearly": lambda: m3("yearly", 6, 1),
    "m3-quarterly": lambda: m3("quarterly", 8, 4),
    "m3-monthly": lambda: m3("monthly", 18, 12),
    "exchange-96": lambda: exchange(96),
}
