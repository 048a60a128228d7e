"""Panels made from arrays, and real data where it is at hand."""

import os
from pathlib import Path

import numpy as np
import pytest

from recurra.data.frequency import Frequency
from recurra.tasks.forecast.data import Panel, Schema
from recurra.tasks.forecast.shape import choose_shape

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("RECURRA_DATA", ROOT.parent / "shared" / "data"))


def panel(*series, horizon=3, seasons=(), unit="day", start=None):
    """One series per array; the first step of each is 1970-01-01 unless `start` says otherwise."""
    target = [np.asarray(y, dtype=np.float64) for y in series]
    ids = [f"s{n}" for n in range(len(target))]
    length = max(map(len, target))
    schema = Schema(
        time="time",
        targets=tuple(ids),
        frequency=Frequency(unit=unit),
        seasons=seasons,
        horizon=horizon,
        length=length,
        network=choose_shape(seasons, horizon, length),
    )
    none = [np.empty((len(y), 0), dtype=np.float32) for y in target]
    first = np.zeros(len(target), dtype=np.int64) if start is None else np.asarray(start)
    return Panel(schema, ids, first, target, none, none, np.empty((len(target), 0), dtype=np.float32))


def real(*parts):
    """A file of the public data sets; the test is skipped where they are absent."""
    path = DATA.joinpath("forecasting", *parts)
    if not path.exists():
        pytest.skip(f"needs {path.name} of {path.parent.name}: set RECURRA_DATA to the folder of data sets")
    return path


def archive(path):
    """The series of a file of the Monash archive."""
    lines = path.read_text(encoding="latin-1").splitlines()
    rows = [line.split(":") for line in lines if line and line[0] not in "#@"]
    return [np.array(row[-1].split(","), dtype=np.float64) for row in rows]


def competition(train, test):
    """The series of M4's two files, each with its test part appended, and the length of the latter."""
    rows = []
    for path in (train, test):
        lines = path.read_text().splitlines()[1:]
        rows.append([np.array([c for c in _cells(line)[1:] if c], dtype=np.float64) for line in lines])
    return [np.concatenate(pair) for pair in zip(*rows, strict=True)], len(rows[1][0])


def _cells(line):
    return [cell.strip('"') for cell in line.split(",")]
