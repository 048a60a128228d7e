"""A small real task with streams: a GRU that follows walks of two numbers a step."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import torch
from pydantic import BaseModel
from torch import Tensor, nn

import recurra.nn
from recurra.errors import DataError
from recurra.report.page import Page
from recurra.tasks.base import Evaluation, Plan, Score
from walking.config import WalkingConfig

ROWS, LENGTH = 16, 12
FIELDS = ("east", "north")


class Schema(BaseModel):
    """What is known of the files."""

    spread: float


@dataclass
class Walks:
    """(N, T, 2) steps, and (N, T, 1) how far they have come."""

    x: Tensor
    y: Tensor
    schema: Schema
    sha256: str
    found: tuple[str, ...] = ("walks",)


class Model(nn.Module):
    """One recurrent layer."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.gru = recurra.nn.GRU(2, hidden, batch_first=True)
        self.out = recurra.nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.gru(x)
        return self.out(y)


class WalkingSteps:
    """The model, ready to go on."""

    kind = "numbers"
    observation: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "properties": {name: {"type": "number"} for name in FIELDS},
        "required": list(FIELDS),
        "additionalProperties": False,
    }
    example: ClassVar[Any] = {"east": 1.0, "north": -0.5}

    def __init__(self, model: Model, config: WalkingConfig) -> None:
        self._rows, self._out = model.gru.rows(), model.out
        self._work, self._each = config.work / 1e3, config.each / 1e6

    def fresh(self) -> dict[str, Tensor]:
        states = {name: part[0] for name, part in self._rows.fresh(1).items()}
        return states | {"steps": torch.zeros((), dtype=torch.int64)}

    def checked(self, observation: Any) -> tuple[float, float]:
        if not isinstance(observation, dict) or set(observation) != set(FIELDS):
            raise DataError(f"expected the numbers east and north, got {observation!r:.60}. Give both.")
        for name in FIELDS:
            value = observation[name]
            if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1e30:
                raise DataError(f"expected {name} to be a number, got {value!r:.60}. Correct it.")
        return float(observation["east"]), float(observation["north"])

    def step(self, pool: Mapping[str, Tensor], rows: Tensor, inputs: Sequence[Any]) -> list[Any]:
        if self._work or self._each:
            time.sleep(self._work + self._each * len(inputs))
        x = torch.tensor(inputs)
        with torch.no_grad():
            far = self._out(self._rows(x, pool, rows))[:, 0].tolist()
        pool["steps"][rows] += 1
        return [{"far": f, "steps": n} for f, n in zip(far, pool["steps"][rows].tolist(), strict=True)]


class Walking:
    """The task."""

    name = "walking"
    summary = "Where a walk goes."
    Config = WalkingConfig
    Schema = Schema

    def read(self, config: WalkingConfig, source: Any, schema: Schema | None = None) -> Walks:
        content = Path(source).read_bytes()
        try:
            x = torch.from_numpy(np.loadtxt(source, delimiter=",", dtype=np.float32, ndmin=2))
        except ValueError as error:
            raise DataError(
                f"expected numbers, got {error}. Correct them.", file=Path(source).name
            ) from error
        if x.shape[1] % 2:
            raise DataError(f"expected pairs of numbers, got {x.shape[1]} in a row. Correct them.")
        x = x.reshape(len(x), -1, 2)
        far = x.cumsum(1).norm(dim=2, keepdim=True)
        return Walks(x, far, schema or Schema(spread=float(x.std())), hashlib.sha256(content).hexdigest())

    def build(self, config: WalkingConfig, schema: Schema) -> nn.Module:
        return Model(config.hidden)

    def prepare(self, model: nn.Module, config: WalkingConfig, data: Walks) -> None:
        pass

    def plan(self, config: WalkingConfig, data: Walks) -> Plan:
        return Plan(config.steps, 0.01, validate_every=1)

    def epoch(self, config: WalkingConfig, data: Walks, epoch: int) -> list[Any]:
        return [np.arange(len(data.x))]

    def batch(self, data: Walks, key: Any) -> dict[str, Any]:
        return {"x": data.x[key], "y": data.y[key]}

    def loss(self, model: nn.Module, batch: Any, carry: Any) -> tuple[Tensor, Any]:
        return nn.functional.mse_loss(model(batch["x"]), batch["y"]), None

    def validate(self, model: nn.Module, data: Walks) -> float:
        return float(nn.functional.mse_loss(model(data.x), data.y))

    def finish(self, model: nn.Module, config: WalkingConfig, data: Walks) -> None:
        pass

    def evaluate(self, model: nn.Module, config: WalkingConfig, data: Walks) -> Evaluation:
        ours = self.validate(model, data)
        return Evaluation(
            [Score("ours", {"mse": ours}), Score("none", {"mse": math.nan})], ["Fine."], "walking"
        )

    def predict(self, model: nn.Module, config: WalkingConfig, schema: Schema, source: Any) -> pl.DataFrame:
        return pl.DataFrame({"far": model(self.read(config, source, schema).x)[:, -1, 0].tolist()})

    def steps(self, model: nn.Module, config: WalkingConfig, schema: Schema) -> WalkingSteps:
        assert isinstance(model, Model)
        return WalkingSteps(model, config)

    def report(
        self, page: Page, model: nn.Module, config: WalkingConfig, data: Walks, evaluation: Evaluation
    ) -> None:
        page.section("Scores")


def write_walks(path: Path, seed: int = 0) -> Path:
    """A file that the task reads."""
    walks = np.random.default_rng(seed).normal(size=(ROWS, 2 * LENGTH))
    np.savetxt(path, walks, delimiter=",", fmt="%.6f")
    return path
