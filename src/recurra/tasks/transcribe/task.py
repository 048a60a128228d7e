"""The recognition task: what is said in a recording, word by word, and when."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from recurra.data.audio import read_audio
from recurra.data.ragged import buckets
from recurra.data.tokens import BORDER
from recurra.decode.ctc import Beam, greedy
from recurra.errors import ConfigError
from recurra.report import run
from recurra.tasks.base import Apart, Evaluation, Plan, Source, Transcript, Validation
from recurra.tasks.transcribe import hearing, report
from recurra.tasks.transcribe.config import TranscribeConfig
from recurra.tasks.transcribe.data import TranscribeData, read_later, read_recordings
from recurra.tasks.transcribe.evaluate import evaluate, judged
from recurra.tasks.transcribe.model import Batch, Recogniser
from recurra.tasks.transcribe.schema import Schema as TranscribeSchema
from recurra.tasks.transcribe.streaming import TranscribeSteps
from recurra.tasks.transcribe.transcribing import TOGETHER, logarithms, transcribed, tune
from recurra.tasks.transcribe.writing import utterance

if TYPE_CHECKING:
    from recurra.onnxgraph.network import Exported
    from recurra.report.page import Page

Array = np.ndarray[Any, np.dtype[Any]]

LEARNING_RATE = 5e-3
# What the blank is favoured by at first.
OFTEN = 2.0
VALIDATIONS, PATIENCE = 20, 20
# Recordings of the validation part that are looked at while training, and side by side.
VALIDATED, AT_ONCE = 500, 32
# Of those, one of which is told what was heard.
SAMPLE = 0


class Transcribe:
    """What is said in recordings: learnt from some that were written down, word by word with its time."""

    name = "transcribe"
    summary = "Recordings and what is said in them: learn to write it down, live while one speaks."
    Config = TranscribeConfig
    Schema = TranscribeSchema

    def read(
        self, config: TranscribeConfig, source: Source, schema: TranscribeSchema | None = None
    ) -> TranscribeData:
        """Read recordings, split them and turn texts into tokens; with a schema, all are the test part."""
        return read_recordings(config, source) if schema is None else read_later(schema, source)

    def build(self, config: TranscribeConfig, schema: TranscribeSchema) -> Recogniser:
        """A fresh model, of a size that suits the recordings and the time."""
        return Recogniser(schema, config)

    def prepare(self, model: nn.Module, config: TranscribeConfig, data: TranscribeData) -> None:
        """Start from no token at most steps, with the language model of the texts."""
        assert isinstance(model, Recogniser)
        with torch.no_grad():
            model.out.bias[BORDER] = OFTEN
        for name, array in data.language.items():
            getattr(model, f"language_{name}").copy_(torch.from_numpy(array))

    def plan(self, config: TranscribeConfig, data: TranscribeData) -> Plan:
        """As many passes over the recordings as were planned with the model's size."""
        shape = data.schema.shape
        steps = max(1, round(shape.passes * -(-len(data.train) // shape.rows)))
        return Plan(
            steps=steps,
            learning_rate=LEARNING_RATE,
            validate_every=max(1, steps // VALIDATIONS),
            warmup=min(200, steps // 10),
            weight_decay=0.01,
            clip=1.0,
            ema=0.998 if steps > 2_000 else 0.99,
            patience=PATIENCE,
        )

    def epoch(self, config: TranscribeConfig, data: TranscribeData, epoch: int) -> Sequence[Array]:
        """All recordings in batches, of about the same length each: number, seed, epoch."""
        rng = np.random.default_rng([config.seed, epoch])
        found = buckets(data.train.recordings.lengths, data.schema.shape.rows, rng)
        return [
            np.stack([rows, np.full_like(rows, config.seed), np.full_like(rows, epoch)], 1) for rows in found
        ]

    def batch(self, data: TranscribeData, key: Array) -> Batch:
        """Some recordings of the training part, each said otherwise in each epoch."""
        return hearing.learnt(data.schema, data.train, key)

    def loss(self, model: nn.Module, batch: Batch, carry: Any) -> tuple[Tensor, Any]:
        """Mean nats of each token."""
        assert isinstance(model, Recogniser)
        return model.loss(batch), None

    def validate(self, model: nn.Module, data: TranscribeData) -> Validation:
        """Mean nats of a token over the validation part, and what is heard in a recording by now."""
        assert isinstance(model, Recogniser)
        part = data.valid
        rows = np.arange(min(VALIDATED, len(part)))
        order = np.argsort(part.recordings.lengths[rows], kind="stable")
        nats = told = 0.0
        for at in range(0, len(rows), AT_ONCE):
            batch = hearing.judged(data.schema, part, order[at : at + AT_ONCE])
            nats += float(model.surprise(batch))
            told += int(batch.target_lengths.sum())
        ((_, log_p),) = logarithms(model, data.schema, [part.recordings.samples(SAMPLE)])
        found = greedy(log_p)
        return Validation(nats / max(1.0, told), utterance(data.schema, found, None).text)

    def finish(self, model: nn.Module, config: TranscribeConfig, data: TranscribeData) -> None:
        """Find on the validation part how much the language model counts."""
        assert isinstance(model, Recogniser)
        tune(model, config, data)

    def evaluate(self, model: nn.Module, config: TranscribeConfig, data: TranscribeData) -> Evaluation:
        """Errors by words and characters on the test part, beside what can be said without listening."""
        assert isinstance(model, Recogniser)
        _, part = judged(data)
        sounds = [part.recordings.samples(n) for n in range(len(part))]
        return evaluate(transcribed(model, config, data.schema, sounds), config, data)

    def predict(
        self, model: nn.Module, config: TranscribeConfig, schema: TranscribeSchema, source: Source
    ) -> pl.DataFrame:
        """One row a recording: path, text, how sure its least certain word is, when each was said."""
        assert isinstance(model, Recogniser)
        recordings = read_later(schema, source, alone=True).test.recordings
        found = transcribed(model, config, schema, [recordings.samples(n) for n in range(len(recordings))])
        return pl.DataFrame(
            {
                "path": recordings.names,
                "text": [one.text for one in found],
                "confidence": [min((word.confidence for word in one.words), default=None) for one in found],
                "times": [
                    " ".join(f"{word.begin:.2f}-{word.end:.2f}" for word in one.words) for one in found
                ],
            },
            schema={
                "path": pl.String,
                "text": pl.String,
                "confidence": pl.Float64,
                "times": pl.String,
            },
        )

    def transcribe(
        self, model: nn.Module, config: TranscribeConfig, schema: TranscribeSchema, sounds: Sequence[Any]
    ) -> list[Transcript]:
        """What is said in sounds: paths, or samples (N,) float32 at the schema's rate."""
        assert isinstance(model, Recogniser)
        found: list[Transcript] = []
        for at in range(0, len(sounds), TOGETHER):
            samples = [
                sound if isinstance(sound, np.ndarray) else read_audio(Path(sound), schema.rate).samples
                for sound in sounds[at : at + TOGETHER]
            ]
            found += transcribed(model, config, schema, samples)
        return found

    def steps(self, model: nn.Module, config: TranscribeConfig, schema: TranscribeSchema) -> TranscribeSteps:
        """The model ready to listen. Raises ConfigError for one that reads from both ends."""
        assert isinstance(model, Recogniser)
        if not config.live:
            raise ConfigError(
                "expected a model that listens while somebody speaks, got one that must have the whole "
                "recording (live is off). Fit it with live."
            )
        return TranscribeSteps(model, schema, Beam(config.beam))

    def exported(self, model: nn.Module, config: TranscribeConfig, schema: TranscribeSchema) -> Exported:
        """Three graphs: one hears, one reads whole recordings, one goes on step by step."""
        from recurra.tasks.transcribe import onnx  # noqa: PLC0415, needs a package that need not be there

        assert isinstance(model, Recogniser)
        return onnx.exported(model, schema, config.live)

    def apart(self, config: TranscribeConfig, schema: TranscribeSchema) -> Apart:
        """How sources come apart that are too large to be read at once."""
        return Apart("files")

    def report(
        self,
        page: Page,
        model: nn.Module,
        config: TranscribeConfig,
        data: TranscribeData,
        evaluation: Evaluation,
    ) -> None:
        """The recogniser's sections of the report."""
        report.write(page, config, data, evaluation, run.read_log(page.bundle))
