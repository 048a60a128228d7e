"""What a task is: everything that `fit`, `evaluate` and `predict` need to know about one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from recurra.report.page import Page

Source = Any  # a path, several paths, or a frame (pandas, polars, pyarrow)


class TaskConfig(BaseModel):
    """Options that every task has. Each field's description is its `--help`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(0, ge=0, description="Seed of everything random; same seed, same model.")
    time_budget: float = Field(
        600.0, gt=0, description="Seconds that fitting may take on this machine, reading and evaluating aside."
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """How the training loop is to run a task's model; worked out from config and data, never from a clock."""

    steps: int
    learning_rate: float
    validate_every: int
    warmup: int = 0
    weight_decay: float = 0.0
    clip: float = 1.0  # gradient norm
    ema: float | None = None  # decay of the averaged weights that validation and the bundle use
    patience: int = 10  # validations without a new best before stopping


class Data(Protocol):
    """What `Task.read` returns: splits, and what was found in the files."""

    schema: BaseModel  # all that is needed to read other files the same way; kept in the bundle
    found: Sequence[str]  # one line each, printed before training
    sha256: str  # of the content that was read


@dataclass(frozen=True, slots=True)
class Score:
    """Metrics of one method on one set of windows or examples."""

    method: str
    metrics: dict[str, float]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The model beside its baselines on the same examples, and the verdict in words."""

    scores: Sequence[Score]  # the model first
    words: Sequence[str]  # where a baseline wins, it says so here
    signature: str
    detail: Any = None  # what the task's report draws; not stored


class Task(Protocol):
    """One kind of problem. An instance carries no state; it lives in `TASKS`."""

    name: str
    summary: str  # one sentence for the command line
    Config: type[TaskConfig]
    Schema: type[BaseModel]

    def read(self, config: Any, source: Source) -> Any:
        """Read and split the files. Raises DataError with file, row and column."""

    def build(self, config: Any, schema: Any) -> nn.Module:
        """A fresh model; its initial weights depend on torch's seed alone."""

    def plan(self, config: Any, data: Any) -> Plan:
        """Steps, rates and intervals for the training loop."""

    def epoch(self, config: Any, data: Any, epoch: int) -> Sequence[Any]:
        """Keys of the epoch's batches in order, from (config.seed, epoch) alone."""

    def batch(self, data: Any, key: Any) -> Any:
        """The tensors of one batch (a tensor, or dicts, tuples, lists of them)."""

    def loss(self, model: nn.Module, batch: Any, carry: Any) -> tuple[Tensor, Any]:
        """Mean loss of the batch; `carry` is state handed to the next batch (truncated BPTT), None at first."""

    def validate(self, model: nn.Module, data: Any) -> float:
        """The loss on the validation part that early stopping watches; lower is better."""

    def finish(self, model: nn.Module, config: Any, data: Any) -> None:
        """What is fitted after training, on validation data, into the model's buffers (calibration)."""

    def evaluate(self, model: nn.Module, config: Any, data: Any) -> Evaluation:
        """Metrics on the test part beside the baselines on the same examples."""

    def predict(self, model: nn.Module, config: Any, schema: Any, source: Source) -> pl.DataFrame:
        """Answers for new files."""

    def report(self, page: Page, model: nn.Module, config: Any, data: Any, evaluation: Evaluation) -> None:
        """Write the task's own sections on the page."""
