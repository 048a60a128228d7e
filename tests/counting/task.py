"""A small real task: an RNN that learns the running sum of a row of numbers, in chunks with carried state."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from pydantic import BaseModel
from torch import Tensor, nn

import recurra.nn
from counting.config import CountingConfig
from counting.steps import CountingSteps
from recurra.errors import DataError
from recurra.report.page import Page
from recurra.tasks.base import Evaluation, Plan, Score

ROWS, LENGTH, CHUNK = 48, 12, 4


class Schema(BaseModel):
    """What is known of the files."""

    mean: float


@dataclass
class Rows:
    """Numbers, and their running sums."""

    x: Tensor
    y: Tensor
    schema: Schema
    sha256: str
    found: tuple[str, ...] = ("48 rows of 12 numbers",)


class Model(nn.Module):
    """One recurrent layer with dropout, so that random numbers matter."""

    def __init__(self, hidden: int, dropout: float) -> None:
        super().__init__()
        self.rnn = recurra.nn.RNN(1, hidden, batch_first=True)
        self.drop = nn.Dropout(dropout)
        self.out = recurra.nn.Linear(hidden, 1)
        self.register_buffer("spread", torch.zeros(1))

    def forward(self, x: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        y, state = self.rnn(x.unsqueeze(-1), state)
        return self.out(self.drop(y)).squeeze(-1), state


class Counting:
    """The task."""

    name = "counting"
    summary = "The running sum of a row of numbers."
    Config = CountingConfig
    Schema = Schema

    def read(self, config: CountingConfig, source: Any, schema: Schema | None = None) -> Rows:
        if not Path(source).exists():
            raise DataError(f"expected a file of numbers, got nothing at {source}. Name another file.")
        content = Path(source).read_bytes()
        x = torch.from_numpy(np.loadtxt(source, delimiter=",", dtype=np.float32))
        if config.poison >= 0:
            x[config.poison] = 1e38
        return Rows(
            x, x.cumsum(1), schema or Schema(mean=float(x.mean())), hashlib.sha256(content).hexdigest()
        )

    def build(self, config: CountingConfig, schema: Schema) -> nn.Module:
        return Model(config.hidden, config.dropout)

    def prepare(self, model: nn.Module, config: CountingConfig, data: Rows) -> None:
        with torch.no_grad():
            model.out.bias.fill_(float(data.y[:-8].median()))

    def plan(self, config: CountingConfig, data: Rows) -> Plan:
        return Plan(
            config.steps,
            0.01,
            validate_every=7,
            warmup=5,
            ema=config.ema,
            patience=config.patience,
            weight_decay=0.01,
        )

    def epoch(self, config: CountingConfig, data: Rows, epoch: int) -> list[Any]:
        """Chunks of the same rows follow one another, which is what the carried state is for."""
        order = np.random.default_rng([config.seed, epoch]).permutation(ROWS - 8)
        return [
            np.stack([rows, np.full_like(rows, start)], 1)
            for rows in order.reshape(-1, 20)
            for start in range(0, LENGTH, CHUNK)
        ]

    def batch(self, data: Rows, key: Any) -> dict[str, Any]:
        rows, start = torch.from_numpy(key[:, 0].copy()), int(key[0, 1])
        chunk = slice(start, start + CHUNK)
        return {"x": data.x[rows, chunk], "y": data.y[rows, chunk], "first": start == 0}

    def loss(self, model: nn.Module, batch: Any, carry: Any) -> tuple[Tensor, Any]:
        state = None if batch["first"] or carry is None else carry["state"]
        y, state = model(batch["x"], state)
        return nn.functional.mse_loss(y, batch["y"]), {"state": state, "seen": (1, [2.5, None])}

    def validate(self, model: nn.Module, data: Rows) -> float:
        y, _ = model(data.x[-8:], None)
        return float(nn.functional.mse_loss(y, data.y[-8:]))

    def finish(self, model: nn.Module, config: CountingConfig, data: Rows) -> None:
        y, _ = model(data.x[-8:], None)
        model.spread.fill_(float((y - data.y[-8:]).std().detach()))

    def evaluate(self, model: nn.Module, config: CountingConfig, data: Rows) -> Evaluation:
        ours = self.validate(model, data)
        zero = float((data.y[-8:] ** 2).mean())
        return Evaluation(
            [Score("ours", {"mse": ours}), Score("zero", {"mse": zero})], ["Fine."], f"counting|{ours}"
        )

    def predict(self, model: nn.Module, config: CountingConfig, schema: Schema, source: Any) -> pl.DataFrame:
        with torch.no_grad():
            y, _ = model(self.read(config, source, schema).x, None)
        return pl.DataFrame({"sum": y[:, -1].tolist()})

    def steps(self, model: nn.Module, config: CountingConfig, schema: Schema) -> CountingSteps:
        return CountingSteps(model)

    def report(
        self, page: Page, model: nn.Module, config: CountingConfig, data: Rows, evaluation: Evaluation
    ) -> None:
        page.section("Scores")


def write_numbers(path: Path, seed: int = 0) -> Path:
    """The file that the task reads."""
    np.savetxt(path, np.random.default_rng(seed).normal(size=(ROWS, LENGTH)), delimiter=",", fmt="%.6f")
    return path
