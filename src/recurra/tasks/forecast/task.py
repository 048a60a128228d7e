"""The forecasting task: one recurrent model over all series, with calibrated quantiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from recurra.report import figures
from recurra.tasks.base import Apart, Evaluation, Plan, Source, Steps
from recurra.tasks.forecast import calibration, evaluate, report
from recurra.tasks.forecast.config import ForecastConfig
from recurra.tasks.forecast.data import Dataset, Panel, Split, read_later, read_panel, read_panel_with
from recurra.tasks.forecast.features import Features, foretold, sizes, take
from recurra.tasks.forecast.model import Forecaster, Inputs, quantile_loss
from recurra.tasks.forecast.schema import Schema as ForecastSchema
from recurra.tasks.forecast.streaming import ForecastSteps
from recurra.tasks.forecast.windows import Windows, spread, stride, windows

if TYPE_CHECKING:
    from recurra.onnxgraph.network import Exported
    from recurra.report.page import Page

Array = np.ndarray[Any, np.dtype[Any]]

BATCH = 256
LEARNING_RATE = 1.25e-3
# Steps grow with the root of the number of batches, as measured on series of 20 to 10,000 steps: more windows
# of the same series say less and less that is new.
STEPS_PER_ROOT, FEWEST_STEPS, MOST_STEPS = 45, 150, 3000
VALIDATIONS, PATIENCE = 24, 8
# Windows looked at: for validation and calibration, for the members' first weights, for evaluation.
VALIDATION_WINDOWS, TRUST_WINDOWS, EVALUATION_WINDOWS = 2048, 4096, 2000
CHUNK = 1024  # windows at a time where no gradient is wanted


@dataclass
class ForecastData:
    """The panel with its split, features and windows."""

    dataset: Dataset

    @property
    def schema(self) -> ForecastSchema:
        return self.dataset.schema

    @property
    def found(self) -> Sequence[str]:
        lacking = figures.missing()
        return self.dataset.found if lacking is None else (*self.dataset.found, lacking)

    @property
    def sha256(self) -> str:
        return self.dataset.sha256

    @property
    def panel(self) -> Panel:
        return self.dataset.panel

    @property
    def split(self) -> Split:
        return self.dataset.split

    @cached_property
    def features(self) -> Features:
        """Running states of all series."""
        return Features.of(self.panel)

    @cached_property
    def train(self) -> Windows:
        """Every origin with something before it and at least one training target after it."""
        end = self.split.train
        # Members need some steps to settle, a short series spares only half of its own.
        first = np.maximum(np.minimum(2 * max(self.schema.seasons, default=3), end // 2), 1)
        return windows(self.panel, first, end - 1 + self.schema.horizon, self.schema.horizon, 1)

    @cached_property
    def valid(self) -> Windows:
        """Origins with their whole horizon in the validation part; training windows if there are none."""
        split, horizon = self.split, self.schema.horizon
        found = windows(
            self.panel, split.train, split.valid, horizon, max(1, horizon // 8), limit=VALIDATION_WINDOWS
        )
        return found if len(found) else self.train.take(spread(len(self.train), VALIDATION_WINDOWS))

    @cached_property
    def validation(self) -> Inputs:
        """The validation windows' inputs."""
        return self.features.view(self.valid, self.split.valid)[0]

    @cached_property
    def test(self) -> Windows:
        """Rolling origins over the test part, laid from its end so that the newest steps are judged."""
        split, horizon = self.split, self.schema.horizon
        between = stride(horizon, self.schema.seasons)
        first = split.valid + np.maximum(split.end - horizon - split.valid, 0) % between
        return windows(self.panel, first, split.end, horizon, between, limit=EVALUATION_WINDOWS)


class Forecast:
    """Values over time: what comes next, and how surely."""

    name = "forecast"
    summary = "Values over time: what comes next, and how surely."
    Config = ForecastConfig
    Schema = ForecastSchema

    def read(
        self, config: ForecastConfig, source: Source, schema: ForecastSchema | None = None
    ) -> ForecastData:
        """Read a file and split it; with a schema, read it as the schema says, all of it as test data."""
        if schema is None:
            return ForecastData(read_panel(config, source))
        return ForecastData(read_later(schema, source))

    def build(self, config: ForecastConfig, schema: ForecastSchema) -> Forecaster:
        """A fresh network, of a size that suits the data."""
        return Forecaster(sizes(schema), config.quantiles)

    def prepare(self, model: nn.Module, config: ForecastConfig, data: ForecastData) -> None:
        """Trust the classical members at first as far as they did well on training windows."""
        assert isinstance(model, Forecaster)
        some = data.train.take(spread(len(data.train), TRUST_WINDOWS))
        inputs, _ = data.features.view(some, data.split.train)
        model.trust(_errors(inputs))

    def plan(self, config: ForecastConfig, data: ForecastData) -> Plan:
        """Steps by the number of windows."""
        batches = len(data.train) / BATCH
        steps = int(np.clip(STEPS_PER_ROOT * math.sqrt(batches), FEWEST_STEPS, MOST_STEPS))
        return Plan(
            steps=steps,
            learning_rate=LEARNING_RATE,
            validate_every=max(1, steps // VALIDATIONS),
            warmup=steps // 10,
            weight_decay=0.01,
            ema=0.99,
            patience=PATIENCE,
        )

    def epoch(self, config: ForecastConfig, data: ForecastData, epoch: int) -> Sequence[Array]:
        """Places among the training windows, shuffled and cut into batches."""
        order = np.random.default_rng([config.seed, epoch]).permutation(len(data.train))
        return np.array_split(order, max(1, round(len(order) / BATCH)))

    def batch(self, data: ForecastData, key: Array) -> Inputs:
        """The windows' inputs; targets from the validation part on are hidden."""
        return data.features.view(data.train.take(key), data.split.train)[0]

    def loss(self, model: nn.Module, batch: Inputs, carry: None) -> tuple[Tensor, None]:
        """Mean quantile loss in units of each series' seasonal change."""
        assert isinstance(model, Forecaster)
        return model.pinball(batch), carry

    def validate(self, model: nn.Module, data: ForecastData) -> float:
        """The same loss of the networks' mean on the validation windows."""
        assert isinstance(model, Forecaster)
        found = _run(model, data.validation)
        return quantile_loss(found, data.validation.target, model.levels).item()

    def finish(self, model: nn.Module, config: ForecastConfig, data: ForecastData) -> None:
        """Calibrate the quantiles on the validation windows."""
        assert isinstance(model, Forecaster)
        model.eval()
        with torch.no_grad():
            found = _run(model, data.validation).double().numpy()
            truth = data.validation.target.double().numpy()
            factors = calibration.factors(truth, found, config.quantiles, len(model.factors))
            model.factors.copy_(torch.from_numpy(factors))

    def evaluate(self, model: nn.Module, config: ForecastConfig, data: ForecastData) -> Evaluation:
        """Rolling origins over the test part, beside the baselines on the same windows."""
        found = evaluate.evaluate(
            lambda _, which: forecast(model, data.features, which),
            data.panel,
            data.test,
            insample=data.split.valid,
            levels=config.quantiles,
            sha256=data.sha256,
            seed=config.seed,
        )
        return replace(found, words=(*found.words, *_judged(data)))

    def predict(
        self, model: nn.Module, config: ForecastConfig, schema: ForecastSchema, source: Source
    ) -> pl.DataFrame:
        """The steps after the end of each series: series, time, forecast (the median), and the quantiles."""
        panel = read_panel_with(schema, source)
        panel.require_future(schema.horizon)
        ends = np.array([len(y) for y in panel.target], dtype=np.int64)
        found = forecast(model, Features.of(panel), Windows(np.arange(len(ends)), ends))
        steps = (panel.start + ends)[:, None] + np.arange(schema.horizon)
        flat = found.reshape(-1, len(config.quantiles))
        time = schema.time or "step"
        columns: dict[str, Any] = {
            "series": np.repeat(np.array(panel.ids, dtype=object), schema.horizon),
            "time" if time in ("series", "forecast") else time: schema.write_times(steps.ravel()),
            "forecast": flat[:, config.quantiles.index(0.5)],
        }
        columns |= {f"q{level:g}": flat[:, k] for k, level in enumerate(config.quantiles)}
        return pl.DataFrame(columns)

    def steps(self, model: nn.Module, config: ForecastConfig, schema: ForecastSchema) -> Steps:
        """The model, ready to go on step by step; see docs/forecasting.md."""
        assert isinstance(model, Forecaster)
        return ForecastSteps(model, config.quantiles, schema)

    def apart(self, config: ForecastConfig, schema: ForecastSchema) -> Apart:
        """How sources come apart that are too large to be read at once."""
        # Without names a series may go on in the next file.
        return Apart("files", "series") if schema.ids or schema.series_in_rows else Apart("nothing")

    def exported(self, model: nn.Module, config: ForecastConfig, schema: ForecastSchema) -> Exported:
        """The model's ONNX graphs, and what their reader must know."""
        from recurra.tasks.forecast import onnx  # noqa: PLC0415, needs a package that need not be there

        assert isinstance(model, Forecaster)
        return onnx.exported(model, config, schema)

    def report(
        self,
        page: Page,
        model: nn.Module,
        config: ForecastConfig,
        data: ForecastData,
        evaluation: Evaluation,
    ) -> None:
        """The forecaster's sections of the report."""
        report.write(page, config, data, evaluation)


def _judged(data: ForecastData) -> list[str]:
    """Which steps were judged, and from how many origins."""
    if not len(data.test):
        return []
    begin = data.panel.start[data.test.series] + data.test.origin
    ends = np.array([begin.min(), begin.max() + data.schema.horizon - 1])
    first, last = data.schema.write_times(ends).cast(pl.String)
    origins = len(np.unique(begin))
    return [f"Judged from {first} to {last}, at {origins:,} origin{'s' * (origins > 1)}."]


def forecast(model: nn.Module, features: Features, which: Windows) -> Array:
    """Quantiles (W, H, Q) float64 in the data's unit, made with nothing after each origin."""
    assert isinstance(model, Forecaster)
    model.eval()
    parts = [np.empty((0, model.sizes.horizon, len(model.levels)))]
    with torch.no_grad():
        for start in range(0, len(which), CHUNK):
            inputs, view = features.view(which.take(slice(start, start + CHUNK)))
            parts.append(foretold(model, inputs, view))
    return np.concatenate(parts)


def _run(model: Forecaster, inputs: Inputs) -> Tensor:
    parts = [model(take(inputs, slice(k, k + CHUNK))) for k in range(0, len(inputs.past), CHUNK)]
    return torch.cat(parts)


def _errors(inputs: Inputs) -> Tensor:
    """Mean absolute error of each member, (M,), over known targets."""
    target = inputs.target[:, None]
    known = ~torch.isnan(target)
    missed = (inputs.members - torch.nan_to_num(target)).abs() * known
    return missed.sum((0, 2)) / known.sum().clamp(min=1) + 1e-6
