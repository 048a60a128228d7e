"""Bundles of networks with random weights, as good as fitted ones where bits are compared, and their data."""

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
import torch

from recurra.bundle import Bundle
from recurra.tasks.forecast.config import ForecastConfig
from recurra.tasks.forecast.task import Forecast

START = dt.datetime(2024, 1, 1)


def values(count, seed=0, period=7, missing=0.0):
    rng = np.random.default_rng(seed)
    y = 50 + 8 * np.sin(2 * np.pi * np.arange(count) / period) + rng.normal(size=count)
    return [None if gone else float(one) for one, gone in zip(y, rng.random(count) < missing, strict=True)]


def days(count, first=START):
    return [(first + dt.timedelta(days=n)).date() for n in range(count)]


def daily(count, seed=0, **options):
    return pl.DataFrame({"day": days(count), "load": values(count, seed, **options)})


def untrained(frame, **options):
    """A bundle that was never on disk."""
    task, config = Forecast(), ForecastConfig(**options)
    schema = task.read(config, frame).schema
    torch.manual_seed(0)
    model = task.build(config, schema)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(0, 0.3)
        model.factors.uniform_(0.5, 2.0)
    return Bundle(Path("untrained"), task, config, schema, model.eval(), {"seal": "5" * 64, "parameters": 0})


def written(times):
    """Times of a predicted frame as an answer has them."""
    return [one.isoformat() if hasattr(one, "isoformat") else one for one in times.to_list()]


def assert_same(answer, predicted):
    """An answer, or what it says of one of several targets, has the bits of predicted rows."""
    time = predicted.columns[1]
    assert answer["time"] == written(predicted[time])
    np.testing.assert_array_equal(answer["forecast"], predicted["forecast"].to_numpy())
    names = [name for name in predicted.columns if name.startswith("q0.")]
    assert list(answer["quantiles"]) == names
    for name in names:
        np.testing.assert_array_equal(answer["quantiles"][name], predicted[name].to_numpy(), err_msg=name)


def shops(count=50, seed=0):
    """Sales that depend on covariates of each kind."""
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "day": days(count),
            "load": values(count, seed, missing=0.15),
            "rain": [None if one < 0.1 else float(one) for one in rng.random(count)],
            "sky": [("blue", "grey", None, "red")[k] for k in rng.integers(0, 4, count)],
            "price": rng.integers(1, 9, count).astype(float),
            "event": [("none", "fair", "market")[k] for k in rng.integers(0, 3, count)],
            "kind": "mall",
            "area": 120.0,
        }
    )


ROLES = {
    "target": ("load",),
    "past": ("rain", "sky"),
    "future": ("price", "event"),
    "static": ("kind", "area"),
    "horizon": 4,
    "season": (7,),
}


def ahead_of(rows, at, count=4):
    return [{"price": row["price"], "event": row["event"]} for row in rows[at : at + count]]
