"""Bundles for tests of streams, made in a moment: real reading and real members, with weights by chance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from recurra.bundle import Bundle
from recurra.tasks.classify.config import ClassifyConfig
from recurra.tasks.classify.data import read_examples
from recurra.tasks.classify.task import Classify


def bundle_of(source: Any, networks: int = 2, **options: Any) -> Bundle:
    """A bundle whose schema is of a source."""
    task = Classify()
    config = ClassifyConfig(**({"test": 0, "hidden": 6} | options))
    data = read_examples(config, source)
    sizes = {"networks": networks}
    schema = data.schema.model_copy(update={"shape": data.schema.shape.model_copy(update=sizes)})
    torch.manual_seed(0)
    model = task.build(config, schema).eval()
    model.share.fill_(0.37)
    model.temperature.fill_(1.3)
    with torch.no_grad():
        model.counted.learn(data.examples.x, 0)
        model.counted.weight.normal_()
        model.counted.bias.normal_()
        for network in model.networks:
            for parameter in network.parameters():
                parameter.mul_(3)
    return Bundle(Path("made"), task, config, schema, model, {"seal": repr(options)})


def predicted(bundle: Bundle, frame: pl.DataFrame, row: int = 0) -> dict[str, Any]:
    """What the bundle says of a sequence of a file, as a stream says it."""
    found = bundle.predict(frame).row(row, named=True)
    names = bundle.schema.classes
    said = {"probabilities": {name: found[f"p({name})"] for name in names}}
    if bundle.schema.several:
        joint = bundle.schema.separator or "|"
        return said | {"labels": found["labels"].split(joint) if found["labels"] else []}
    return said | {"class": found["class"], "probability": found["probability"]}


def without_steps(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer, but for how many steps it follows."""
    return {name: value for name, value in answer.items() if name != "steps"}


def measured(sequences: int = 8, steps: int = 40, channels: int = 2, seed: int = 0) -> pl.DataFrame:
    """Series of several channels with gaps, one of them of words, a row for each step."""
    rng = np.random.default_rng(seed)
    rows = sequences * steps
    state = rng.choice(["up", "down", "idle", " up ", "NA"], rows)
    figures = {}
    for n in range(channels):
        value = rng.normal(10 * n, 1 + n, rows)
        value[rng.random(rows) < 0.1 * n] = np.nan
        figures[f"x{n}"] = pl.Series(value).fill_nan(None)
    return pl.DataFrame(
        {
            "id": [f"s{n // steps}" for n in range(rows)],
            "time": [n % steps for n in range(rows)],
            **figures,
            "state": state,
            "label": [("low", "high")[n // steps % 2] for n in range(rows)],
        }
    )
