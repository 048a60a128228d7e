"""Small tables for the tests of reading, and the sentence that a bad one gets."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from recurra.errors import RecurraError
from recurra.tasks.forecast.config import ForecastConfig
from recurra.tasks.forecast.data import read_panel

DAYS = pl.date_range(dt.date(2020, 1, 1), dt.date(2020, 3, 30), eager=True)  # 90 days
HOURS = pl.datetime_range(dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 5, 23), "1h", eager=True)  # 120 hours


def read(source, **options):
    return read_panel(ForecastConfig(**options), source)


def refused(source, **options):
    with pytest.raises(RecurraError) as caught:
        read(source, **options)
    return str(caught.value)


def csv(tmp_path, text, name="load.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def daily(tmp_path, *rows, header="date,load", name="load.csv"):
    """A file of 20 days whose rows may be replaced: {line: text}."""
    lines = [header, *(f"2020-01-{day:02},{day}" for day in range(1, 21))]
    for row in rows:
        for line, text in row.items():
            lines[line - 1] = text
    return csv(tmp_path, "\n".join(line for line in lines if line is not None) + "\n", name)


def waves(count, seed=0):
    rng = np.random.default_rng(seed)
    return np.sin(np.arange(count) * 2 * np.pi / 24) + 0.1 * rng.normal(size=count)
