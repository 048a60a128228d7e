"""The classification task: which class a sequence is of, and how surely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.data.ragged import Ragged, buckets
from recurra.report.numbers import count, percent
from recurra.tasks.base import Apart, Evaluation, Plan, Source, Steps
from recurra.tasks.classify import evaluate, report, streaming
from recurra.tasks.classify.config import ClassifyConfig
from recurra.tasks.classify.data import ClassifyData, read_examples, read_later
from recurra.tasks.classify.model import Classifier
from recurra.tasks.classify.network import Network
from recurra.tasks.classify.pretrain import pretrain
from recurra.tasks.classify.schema import Schema as ClassifySchema
from recurra.tasks.classify.shape import afforded, cost, passes
from recurra.tasks.classify.shapes import Shapes
from recurra.tasks.classify.weighing import alike, logits, weigh

if TYPE_CHECKING:
    from recurra.onnxgraph.network import Exported
    from recurra.report.page import Page

Array = np.ndarray[Any, np.dtype[Any]]

PRETRAINED = 0.3  # of the time budget, on top, for a start from texts without labels
FEWEST_STEPS = 400
LEARNING_RATE = 2e-3
BATCH, LARGE_BATCH, LARGE_FROM = 32, 128, 50_000
VALIDATIONS, PATIENCE = 20, 6
VALIDATION_EXAMPLES = 4_000


class Classify:
    """Sequences: which class each is of, and how surely."""

    name = "classify"
    summary = "Sequences of text, events or numbers: which class each is of, and how surely."
    Config = ClassifyConfig
    Schema = ClassifySchema

    def read(
        self, config: ClassifyConfig, source: Source, schema: ClassifySchema | None = None
    ) -> ClassifyData:
        """Read labelled sequences and split them; with a schema, all of them are test data."""
        return read_examples(config, source) if schema is None else read_later(schema, source, labels=True)

    def build(self, config: ClassifyConfig, schema: ClassifySchema) -> Classifier:
        """A fresh model, of a size that suits the data."""
        return Classifier(schema, config.cell, config.bidirectional)

    def prepare(self, model: nn.Module, config: ClassifyConfig, data: ClassifyData) -> None:
        """Teach the recurrent layers the language first, where there are texts without labels."""
        assert isinstance(model, Classifier)
        if data.unlabelled is None:
            return
        texts = data.examples.x.take(data.train)
        offsets = np.concatenate([data.unlabelled.offsets, data.unlabelled.offsets[-1] + texts.offsets[1:]])
        everything = Ragged(np.concatenate([data.unlabelled.values, texts.values]), offsets)
        first, *others = model.networks
        assert isinstance(first, Network)
        pretrain(first, everything, PRETRAINED * afforded(config), config.seed)
        for network in others:
            for name in ("embedding", "recurrent"):
                getattr(network, name).load_state_dict(getattr(first, name).state_dict())

    def plan(self, config: ClassifyConfig, data: ClassifyData) -> Plan:
        """Steps by the number of examples, within the time budget."""
        many, shape = len(data.train), data.schema.shape
        batches = max(1.0, many / _batch(many))
        each = cost(config, data.schema, shape.hidden) * shape.networks / batches
        steps = max(FEWEST_STEPS, batches * passes(data.schema))
        steps = max(1, int(min(steps, afforded(config) / each)))
        return Plan(
            steps=steps,
            learning_rate=LEARNING_RATE,
            validate_every=max(1, steps // VALIDATIONS),
            warmup=steps // 10,
            weight_decay=0.01,
            ema=0.995,
            patience=PATIENCE,
        )

    def epoch(self, config: ClassifyConfig, data: ClassifyData, epoch: int) -> Sequence[Array]:
        """Training examples in batches of about the same length."""
        rng = np.random.default_rng([config.seed, epoch])
        lengths = data.examples.x.lengths[data.train]
        return [data.train[part] for part in buckets(lengths, _batch(len(data.train)), rng)]

    def batch(self, data: ClassifyData, key: Array) -> dict[str, Tensor]:
        """Padded sequences, their lengths and labels, and which network leaves each of them out."""
        x, lengths = data.examples.x.padded(key)
        y = torch.from_numpy(data.examples.y[key])
        return {"x": x, "lengths": lengths, "y": y, "left": torch.from_numpy(data.left_out[key])}

    def loss(self, model: nn.Module, batch: dict[str, Tensor], carry: None) -> tuple[Tensor, None]:
        """Mean log loss of the networks, each on the examples that it does not leave out."""
        assert isinstance(model, Classifier)
        found = []
        for number, network in enumerate(model.networks):
            some = torch.nonzero(batch["left"] != number)[:, 0]
            if len(some):
                lengths = batch["lengths"][some]
                x = batch["x"][some, : int(lengths.max())]
                found.append(log_loss(network(x, lengths), batch["y"][some]))
        if not found:  # one example, which its network leaves out
            return 0.0 * sum(p.sum() for p in model.parameters()), None  # type: ignore[return-value]
        return torch.stack(found).mean(), None

    def validate(self, model: nn.Module, data: ClassifyData) -> float:
        """The networks' log loss on the validation part, or on the examples that they leave out."""
        assert isinstance(model, Classifier)
        which, found = logits(model, data, VALIDATION_EXAMPLES)
        return float(log_loss(found, torch.from_numpy(data.examples.y[which])))

    def finish(self, model: nn.Module, config: ClassifyConfig, data: ClassifyData) -> None:
        """Fit what is counted, then the share of the networks and the temperature."""
        assert isinstance(model, Classifier)
        model.eval()
        with torch.no_grad():
            weigh(model, data, config.seed)

    def evaluate(self, model: nn.Module, config: ClassifyConfig, data: ClassifyData) -> Evaluation:
        """Accuracy and more on the test part or over the folds, beside the baselines."""
        assert isinstance(model, Classifier)
        found = data.judged if data.judged is not None else self.judge(model, data)
        return replace(
            evaluation := evaluate.evaluate(
                found,
                data,
                sha256=data.sha256,
                seed=config.seed,
                temperature=float(model.temperature),
            ),
            words=(*evaluation.words, _members(model)),
        )

    def judge(self, model: nn.Module, data: ClassifyData) -> Array:
        """(N, K) probabilities of the test examples."""
        return classified(model, data, np.asarray(data.test))

    def predict(
        self, model: nn.Module, config: ClassifyConfig, schema: ClassifySchema, source: Source
    ) -> pl.DataFrame:
        """One row a sequence: its name, the class or labels, how sure, and the chance of every class."""
        data = read_later(schema, source, labels=False)
        found = classified(model, data, np.arange(len(data.examples.names)))
        columns: dict[str, Any] = {"example": data.examples.names}
        if schema.several:
            joint = schema.separator or "|"
            columns["labels"] = [
                joint.join(schema.classes[k] for k in np.flatnonzero(one >= 0.5)) for one in found
            ]
        else:
            columns["class"] = [schema.classes[int(k)] for k in found.argmax(1)]
            columns["probability"] = found.max(1) if len(found) else np.zeros(0)
        columns |= {f"p({name})": found[:, k] for k, name in enumerate(schema.classes)}
        return pl.DataFrame(columns)

    def steps(self, model: nn.Module, config: ClassifyConfig, schema: ClassifySchema) -> Steps:
        """The model, ready to go on step by step. Raises ConfigError for one that reads from both ends."""
        assert isinstance(model, Classifier)
        return streaming.steps(model.eval(), schema)

    def apart(self, config: ClassifyConfig, schema: ClassifySchema) -> Apart:
        """How sources come apart that are too large to be read at once."""
        if schema.layout in ("archive", "long"):
            return Apart("files", "example" if schema.layout == "long" else None)
        return Apart("rows", texts=schema.text[0] if len(schema.text) == 1 else None)

    def exported(self, model: nn.Module, config: ClassifyConfig, schema: ClassifySchema) -> Exported:
        """The model's ONNX graphs, and what their reader must know."""
        from recurra.tasks.classify import onnx  # noqa: PLC0415, needs a package that need not be there

        assert isinstance(model, Classifier)
        return onnx.exported(model, schema)

    def report(
        self,
        page: Page,
        model: nn.Module,
        config: ClassifyConfig,
        data: ClassifyData,
        evaluation: Evaluation,
    ) -> None:
        """The classifier's sections of the report."""
        report.write(page, config, data, evaluation, model)


def classified(model: nn.Module, data: ClassifyData, which: Array) -> Array:
    """(N, K) float64 calibrated probabilities of some examples."""
    assert isinstance(model, Classifier)
    model.eval()
    found = np.zeros((len(which), len(data.schema.classes)))
    with torch.no_grad():
        for part in alike(data.examples.x.lengths[which]):
            z = model(*data.examples.x.padded(which[part]))
            found[part] = model.probabilities(z).double().numpy()
    return found


def log_loss(z: Tensor, y: Tensor) -> Tensor:
    """Mean log loss of logits (B, K): y (B,) class numbers, or (B, K) of 0 and 1, NaN where not known."""
    if y.ndim == 1:
        return F.cross_entropy(z, y)
    known = torch.isfinite(y)
    each = F.binary_cross_entropy_with_logits(z, torch.nan_to_num(y), reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1)


def _members(model: Classifier) -> str:
    share = float(model.share)
    counted = "shapes" if isinstance(model.counted, Shapes) else "n-grams"
    return (
        f"Recurra is {count(len(model.networks), 'recurrent network')} with a share of {percent(share)} and "
        f"a linear model of counted {counted} with {percent(1 - share)}, weighed on examples that they were "
        "not trained on."
    )


def _batch(examples: int) -> int:
    return LARGE_BATCH if examples >= LARGE_FROM else BATCH
