"""The captioning task: what a picture shows, and where each word looked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from recurra.data.tokens import BORDER
from recurra.decode.beam import Beam
from recurra.report import run
from recurra.tasks import base
from recurra.tasks.base import Apart, Evaluation, Plan, Source, Validation
from recurra.tasks.caption import report
from recurra.tasks.caption.captioning import captioned, captions, written
from recurra.tasks.caption.config import CaptionConfig
from recurra.tasks.caption.data import CaptionData, read_later, read_pictures
from recurra.tasks.caption.encoded import Encoded
from recurra.tasks.caption.evaluate import evaluate, judged
from recurra.tasks.caption.eyes import eyes_of
from recurra.tasks.caption.model import Batch, Captioner
from recurra.tasks.caption.schema import Schema as CaptionSchema
from recurra.tasks.caption.streaming import CaptionSteps

if TYPE_CHECKING:
    from recurra.onnxgraph.network import Exported
    from recurra.report.page import Page

Array = np.ndarray[Any, np.dtype[Any]]

LEARNING_RATE = 3e-3
VALIDATIONS, PATIENCE = 20, 8
# Pictures of the validation part that are looked at while training, and side by side.
VALIDATED, AT_ONCE = 1_000, 32
# Of those, one whose caption is told.
SAMPLE = 0


class Caption:
    """What pictures show: learnt from some that people have described, with where each word looked."""

    name = "caption"
    summary = "Pictures and sentences: learn to say what a picture shows, and where each word looks."
    Config = CaptionConfig
    Schema = CaptionSchema

    def read(self, config: CaptionConfig, source: Source, schema: CaptionSchema | None = None) -> CaptionData:
        """Read pictures, split them and turn captions into tokens; with a schema, all are the test part."""
        return read_pictures(config, source) if schema is None else read_later(schema, source)

    def build(self, config: CaptionConfig, schema: CaptionSchema) -> Captioner:
        """A fresh model, of a size that suits the pictures and the time."""
        return Captioner(schema, config)

    def prepare(self, model: nn.Module, config: CaptionConfig, data: CaptionData) -> None:
        """Start from how often each token occurs, in captions and in how many pictures."""
        assert isinstance(model, Captioner)
        counts = np.bincount(data.train.target.values, minlength=len(data.schema.tokens))
        counts[BORDER] = len(data.train.target)
        model.start_from(torch.from_numpy(counts), len(data.train.target))
        if data.backbone:
            model.keep_backbone(data.backbone)

    def plan(self, config: CaptionConfig, data: CaptionData) -> Plan:
        """As many passes over the pictures as were planned with the model's size."""
        shape = data.schema.shape
        steps = max(1, round(shape.passes * -(-len(data.train) // shape.rows)))
        return Plan(
            steps=steps,
            learning_rate=LEARNING_RATE,
            validate_every=max(1, steps // VALIDATIONS),
            warmup=min(500, steps // 10),
            weight_decay=0.05,
            clip=1.0,
            ema=0.998 if steps > 2_000 else 0.99,
            patience=PATIENCE,
        )

    def epoch(self, config: CaptionConfig, data: CaptionData, epoch: int) -> Sequence[Array]:
        """All pictures in batches: number, seed, epoch."""
        order = np.random.default_rng([config.seed, epoch]).permutation(len(data.train))
        found = np.stack([order, np.full_like(order, config.seed), np.full_like(order, epoch)], 1)
        return np.array_split(found, max(1, -(-len(order) // data.schema.shape.rows)))

    def batch(self, data: CaptionData, key: Array) -> Batch:
        """Some pictures of the training part, with some captions of each."""
        rows = key[:, 0]
        rng = np.random.default_rng([*key[0, 1:], *rows[:1]])
        which = [rng.permutation(data.train.captions_of(n))[: data.schema.shape.captions] for n in rows]
        return batch_of(data.train, rows, which)

    def loss(self, model: nn.Module, batch: Batch, carry: Any) -> tuple[Tensor, Any]:
        """Mean nats of each token, smoothed, and what the regularisers add."""
        assert isinstance(model, Captioner)
        return model.loss(batch), None

    def validate(self, model: nn.Module, data: CaptionData) -> Validation:
        """Mean nats of a token over the validation part, and a caption by now."""
        assert isinstance(model, Captioner)
        part = data.valid
        rows = np.arange(min(VALIDATED, len(part)))
        nats, told = 0.0, 0
        for at in range(0, len(rows), AT_ONCE):
            some = rows[at : at + AT_ONCE]
            batch = batch_of(part, some, [part.captions_of(int(n)) for n in some])
            nats += float(model.surprise(batch))
            told += int((batch.lengths + 1).sum())
        found = next(captions(model, data.schema, part.pictures.look(np.array([SAMPLE])), Beam(width=1)))
        return Validation(nats / told, found[0].text if found else "")

    def finish(self, model: nn.Module, config: CaptionConfig, data: CaptionData) -> None:
        """Nothing."""

    def evaluate(self, model: nn.Module, config: CaptionConfig, data: CaptionData) -> Evaluation:
        """BLEU, CIDEr-D and ROUGE-L on the test part, beside what can be said without looking."""
        assert isinstance(model, Captioner)
        _, part = judged(data)
        seen = (part.pictures.look(np.array([n]))[0] for n in range(len(part)))
        found = [one[0] for one in captioned(model, data.schema, seen, self.beam(config))]
        texts = [written(data.schema, one).text for one in found]
        return evaluate(texts, found, config, data)

    def predict(
        self, model: nn.Module, config: CaptionConfig, schema: CaptionSchema, source: Source
    ) -> pl.DataFrame:
        """One row a picture: picture, caption, score."""
        assert isinstance(model, Captioner)
        pictures = read_later(schema, source, alone=True).test.pictures
        seen = (pictures.look(np.array([n]))[0] for n in range(len(pictures)))
        found = [one[0] for one in captions(model, schema, seen, self.beam(config))]
        return pl.DataFrame(
            {
                "picture": pictures.names,
                "caption": [one.text for one in found],
                "score": [one.score for one in found],
            },
            schema={"picture": pl.String, "caption": pl.String, "score": pl.Float64},
        )

    def beam(self, config: CaptionConfig) -> Beam:
        """The search that the options ask for."""
        return Beam(config.beam, config.length_penalty)

    def caption(
        self, model: nn.Module, schema: CaptionSchema, pictures: Sequence[Any], beam: Beam
    ) -> list[list[base.Caption]]:
        """The best captions of each picture, the best first. pictures: paths, or the bytes of their files."""
        assert isinstance(model, Captioner)
        eyes = eyes_of(schema)
        seen = (eyes.open(one) for one in pictures)
        return list(captions(model, schema, seen, beam))

    def steps(self, model: nn.Module, config: CaptionConfig, schema: CaptionSchema) -> CaptionSteps:
        """The model ready to go on picture by picture."""
        assert isinstance(model, Captioner)
        return CaptionSteps(model, schema, self.beam(config))

    def exported(self, model: nn.Module, config: CaptionConfig, schema: CaptionSchema) -> Exported:
        """Two graphs: one looks at pictures, one writes a token more."""
        from recurra.tasks.caption import onnx  # noqa: PLC0415, needs a package that need not be there

        assert isinstance(model, Captioner)
        return onnx.exported(model, schema, self.beam(config))

    def apart(self, config: CaptionConfig, schema: CaptionSchema) -> Apart:
        """How sources come apart that are too large to be read at once."""
        return Apart("files")

    def report(
        self,
        page: Page,
        model: nn.Module,
        config: CaptionConfig,
        data: CaptionData,
        evaluation: Evaluation,
    ) -> None:
        """The captioner's sections of the report."""
        report.write(page, config, data, evaluation, run.read_log(page.bundle))


def batch_of(part: Encoded, rows: Array, which: Sequence[Array]) -> Batch:
    """Pictures of a part, each with some of its captions by their numbers."""
    target, lengths = part.target.padded(np.concatenate(which))
    of = np.repeat(np.arange(len(rows)), [len(some) for some in which])
    return Batch(torch.from_numpy(part.pictures.look(rows)), torch.from_numpy(of), target, lengths)
