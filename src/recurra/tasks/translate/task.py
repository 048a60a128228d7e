"""The translation task: a text in another form, and which of its words come from which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from recurra.data.ragged import buckets
from recurra.data.tokens import BORDER
from recurra.decode.beam import Beam
from recurra.report import run
from recurra.tasks.base import Apart, Evaluation, Plan, Source, Translation, Validation
from recurra.tasks.translate import report
from recurra.tasks.translate.config import TranslateConfig
from recurra.tasks.translate.data import LONGEST, Encoded, TranslateData, read_later, read_pairs
from recurra.tasks.translate.decoding import translated
from recurra.tasks.translate.evaluate import evaluate, judged
from recurra.tasks.translate.model import Batch, Translator
from recurra.tasks.translate.schema import Schema as TranslateSchema
from recurra.tasks.translate.streaming import TranslateSteps
from recurra.tasks.translate.writing import translate, written

if TYPE_CHECKING:
    from recurra.onnxgraph.network import Exported
    from recurra.report.page import Page

Array = np.ndarray[Any, np.dtype[Any]]

LEARNING_RATE = 1e-3
VALIDATIONS, PATIENCE = 20, 5
# Pairs of the validation part that are looked at while training, and side by side.
VALIDATED, AT_ONCE = 2_000, 128
# Of those, one whose translation is told.
SAMPLE = 0
# Bytes of a large source that are answered before the next are read: some minutes' work.
PART = 500_000


class Translate:
    """Texts in another form: what a text becomes, word by word, and where each word comes from."""

    name = "translate"
    summary = "Parallel text: learn to put one side into the other, and show which words come from which."
    Config = TranslateConfig
    Schema = TranslateSchema

    def read(
        self, config: TranslateConfig, source: Source, schema: TranslateSchema | None = None
    ) -> TranslateData:
        """Read pairs, split them and turn them into tokens; with a schema, all are the test part."""
        return read_pairs(config, source) if schema is None else read_later(schema, source)

    def build(self, config: TranslateConfig, schema: TranslateSchema) -> Translator:
        """A fresh model, of a size that suits the pairs and the time."""
        return Translator(schema, config)

    def prepare(self, model: nn.Module, config: TranslateConfig, data: TranslateData) -> None:
        """Start from how often each token of the target occurs."""
        assert isinstance(model, Translator)
        counts = np.bincount(data.train.target.values, minlength=len(data.schema.target))
        counts[BORDER] = len(data.train)
        model.words.start_from(torch.from_numpy(counts))

    def plan(self, config: TranslateConfig, data: TranslateData) -> Plan:
        """As many passes over the pairs as were planned with the model's size."""
        shape = data.schema.shape
        steps = max(1, round(shape.passes * -(-len(data.train) // shape.rows)))
        return Plan(
            steps=steps,
            learning_rate=LEARNING_RATE,
            validate_every=max(1, steps // VALIDATIONS),
            warmup=steps // 20,
            weight_decay=0.01,
            clip=1.0,
            ema=0.999 if steps > 4_000 else 0.99,
            patience=PATIENCE,
        )

    def epoch(self, config: TranslateConfig, data: TranslateData, epoch: int) -> Sequence[Array]:
        """All pairs in batches, of about the same length each."""
        rng = np.random.default_rng([config.seed, epoch])
        lengths = data.train.source.lengths + data.train.target.lengths
        return buckets(lengths, data.schema.shape.rows, rng)

    def batch(self, data: TranslateData, key: Array) -> Batch:
        """Some pairs of the training part."""
        return batch_of(data.train, key)

    def loss(self, model: nn.Module, batch: Batch, carry: Any) -> tuple[Tensor, Any]:
        """Mean nats of each target token, smoothed."""
        assert isinstance(model, Translator)
        return model.loss(batch), None

    def validate(self, model: nn.Module, data: TranslateData) -> Validation:
        """Mean nats of a target token over the validation part, and a translation by now."""
        assert isinstance(model, Translator)
        part = data.valid
        # What is as long as nothing that is learnt from takes memory that training does not.
        longest = np.maximum(part.source.lengths, part.target.lengths)
        rows = np.flatnonzero(longest <= max(LONGEST, longest.min()))[:VALIDATED]
        nats, told = 0.0, 0
        order = rows[np.argsort(part.source.lengths[rows], kind="stable")]
        for at in range(0, len(rows), AT_ONCE):
            batch = batch_of(part, order[at : at + AT_ONCE])
            nats += float(model.surprise(batch))
            told += int((batch.target_lengths + 1).sum())
        found = translate(model, data.schema, [part.pairs.source[SAMPLE]], Beam(width=1))
        return Validation(nats / told, found[0][0].text)

    def finish(self, model: nn.Module, config: TranslateConfig, data: TranslateData) -> None:
        """Nothing."""

    def evaluate(self, model: nn.Module, config: TranslateConfig, data: TranslateData) -> Evaluation:
        """BLEU and chrF on the test part, beside the source as it is and frequent phrases."""
        assert isinstance(model, Translator)
        part = judged(data).pairs
        found = [one[0] for one in translated(model, data.schema, part.source, self.beam(config))]
        texts = [
            written(data.schema, text, part.source[n], found[n]).text
            for n, text in enumerate(part.pairs.source)
        ]
        return evaluate(texts, found, config, data)

    def predict(
        self, model: nn.Module, config: TranslateConfig, schema: TranslateSchema, source: Source
    ) -> pl.DataFrame:
        """One row a text: source, translation, score, and the words' alignment as "source-target" pairs."""
        assert isinstance(model, Translator)
        data = read_later(schema, source, alone=True)
        texts = data.test.pairs.source
        found = [one[0] for one in translate(model, schema, texts, self.beam(config))]
        return pl.DataFrame(
            {
                "source": texts,
                "translation": [one.text for one in found],
                "score": [one.score for one in found],
                "alignment": [" ".join(f"{a}-{b}" for a, b in one.alignment) for one in found],
            },
            schema={
                "source": pl.String,
                "translation": pl.String,
                "score": pl.Float64,
                "alignment": pl.String,
            },
        )

    def beam(self, config: TranslateConfig) -> Beam:
        """The search that the options ask for."""
        return Beam(config.beam, config.length_penalty, config.coverage_penalty)

    def translate(
        self,
        model: nn.Module,
        schema: TranslateSchema,
        texts: Sequence[str],
        beam: Beam,
        told: Callable[[int, str], None] | None = None,
    ) -> list[list[Translation]]:
        """The best translations of each text, the best first."""
        assert isinstance(model, Translator)
        return translate(model, schema, texts, beam, told)

    def steps(self, model: nn.Module, config: TranslateConfig, schema: TranslateSchema) -> TranslateSteps:
        """The model ready to go on piece by piece."""
        assert isinstance(model, Translator)
        return TranslateSteps(model, schema, self.beam(config))

    def exported(self, model: nn.Module, config: TranslateConfig, schema: TranslateSchema) -> Exported:
        """Two graphs: one reads sources, one writes a token more."""
        from recurra.tasks.translate import onnx  # noqa: PLC0415, needs a package that need not be there

        assert isinstance(model, Translator)
        return onnx.exported(model, schema, self.beam(config))

    def apart(self, config: TranslateConfig, schema: TranslateSchema) -> Apart:
        """How sources come apart that are too large to be read at once."""
        return Apart("rows", texts=schema.names[0], lines=True, most=PART)

    def report(
        self,
        page: Page,
        model: nn.Module,
        config: TranslateConfig,
        data: TranslateData,
        evaluation: Evaluation,
    ) -> None:
        """The translator's sections of the report."""
        report.write(page, config, data, evaluation, run.read_log(page.bundle))


def batch_of(part: Encoded, rows: Array) -> Batch:
    """Some pairs, padded."""
    source, source_lengths = part.source.padded(rows)
    target, target_lengths = part.target.padded(rows)
    return Batch(source.long(), source_lengths, target.long(), target_lengths)
