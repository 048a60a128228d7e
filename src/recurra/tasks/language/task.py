"""The language task: what comes next in a text, and how surprising what came is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from recurra.data.tokens import BORDER
from recurra.decode.sampling import Sampling
from recurra.report import run
from recurra.tasks.base import Apart, Evaluation, Plan, Source, Steps, Surprise, Validation
from recurra.tasks.language import adapt, report
from recurra.tasks.language.config import LanguageConfig
from recurra.tasks.language.data import LanguageData, read_corpus, read_later
from recurra.tasks.language.evaluate import evaluate, judged
from recurra.tasks.language.model import LanguageModel
from recurra.tasks.language.schema import Schema as LanguageSchema
from recurra.tasks.language.scoring import score, surprise_of
from recurra.tasks.language.streaming import LanguageSteps
from recurra.tasks.language.writing import sample, write_on

if TYPE_CHECKING:
    from recurra.onnxgraph.network import Exported
    from recurra.report.page import Page

Array = np.ndarray[Any, np.dtype[Any]]

LEARNING_RATE = 3e-3
VALIDATIONS, PATIENCE = 12, 4
# Tokens of the validation part that are looked at while training, in streams side by side.
VALIDATION_TOKENS, STREAMS, SHORTEST_STREAM = 100_000, 16, 500
# Tokens of the training part whose frequencies the fresh model starts from.
COUNTED = 20_000_000
LEARNING_ON = "Recurra, learning on"


class Chunks(Sequence[Array]):
    """Batches of an epoch in order: (B, 2), where each row's chunk begins and how many tokens it tells."""

    def __init__(self, tokens: int, rows: int, steps: int, shift: int) -> None:
        self.rows, self.steps, self.shift = rows, steps, shift
        self.length = (tokens - shift - 1) // rows

    def __len__(self) -> int:
        return math.ceil(self.length / self.steps)

    def __getitem__(self, number: Any) -> Any:
        begin = number * self.steps
        many = min(self.steps, self.length - begin)
        begins = self.shift + begin + self.length * np.arange(self.rows)
        return np.stack([begins, np.full(self.rows, many)], 1)


class Language:
    """Text of any kind: learn it, write on, and tell what is odd in it."""

    name = "language"
    summary = "Text of any kind: learn it, write on, and tell what is odd in it."
    Config = LanguageConfig
    Schema = LanguageSchema

    def read(
        self, config: LanguageConfig, source: Source, schema: LanguageSchema | None = None
    ) -> LanguageData:
        """Read text, split it and turn it into tokens; with a schema, all of it is the test part."""
        return read_corpus(config, source) if schema is None else read_later(schema, source)

    def build(self, config: LanguageConfig, schema: LanguageSchema) -> LanguageModel:
        """A fresh model, of a size that suits the text and the time."""
        return LanguageModel(schema, config.cell)

    def prepare(self, model: nn.Module, config: LanguageConfig, data: LanguageData) -> None:
        """Start from how often each token occurs."""
        assert isinstance(model, LanguageModel)
        counts = np.bincount(data.train[:COUNTED], minlength=len(data.schema.tokens))
        counts[BORDER] = 0  # never foretold
        model.words.start_from(torch.from_numpy(counts))

    def plan(self, config: LanguageConfig, data: LanguageData) -> Plan:
        """As many passes over the text as were planned with the model's size."""
        shape = data.schema.shape
        batches = max(1, len(Chunks(len(data.train), shape.rows, shape.steps, 0)))
        steps = max(1, round(batches * shape.passes))
        return Plan(
            steps=steps,
            learning_rate=LEARNING_RATE,
            validate_every=max(1, steps // VALIDATIONS),
            warmup=steps // 20,
            weight_decay=0.02,
            clip=0.5,
            ema=0.995 if steps > 2_000 else 0.98,
            patience=PATIENCE,
        )

    def epoch(self, config: LanguageConfig, data: LanguageData, epoch: int) -> Sequence[Array]:
        """The text in rows side by side, chunk after chunk, cut at other places in each epoch."""
        shape = data.schema.shape
        rng = np.random.default_rng([config.seed, epoch])
        shift = int(rng.integers(0, max(1, min(shape.steps, len(data.train) // 2))))
        return Chunks(len(data.train), shape.rows, shape.steps, shift)

    def batch(self, data: LanguageData, key: Array) -> Tensor:
        """(T + 1, B) tokens."""
        many = int(key[0, 1])
        rows = [np.asarray(data.train[begin : begin + many + 1], dtype=np.int64) for begin in key[:, 0]]
        return torch.from_numpy(np.stack(rows, 1))

    def loss(self, model: nn.Module, batch: Tensor, carry: Any) -> tuple[Tensor, Any]:
        """Mean nats of each next token; the state goes on to the next chunk (truncated BPTT)."""
        assert isinstance(model, LanguageModel)
        return model.loss(batch, carry)

    def validate(self, model: nn.Module, data: LanguageData) -> Validation:
        """Mean nats a token over the validation part, and a sample of what the model writes by now."""
        assert isinstance(model, LanguageModel)
        part = data.valid if len(data.valid) > 1 else data.train
        nats, told = _side_by_side(model, part[:VALIDATION_TOKENS])
        return Validation(float(nats) / told, sample(model, data.schema))

    def finish(self, model: nn.Module, config: LanguageConfig, data: LanguageData) -> None:
        """Find how the model should learn on while it reads."""
        model.eval()
        adapt.prepare(model, data.train, data.valid, config.seed)

    def evaluate(self, model: nn.Module, config: LanguageConfig, data: LanguageData) -> Evaluation:
        """Perplexity and more on the test part, beside n-grams."""
        assert isinstance(model, LanguageModel)
        _, tokens = judged(data)
        found = {"Recurra": surprise_of(model, tokens)}
        if config.adapt:
            found[LEARNING_ON] = surprise_of(model, tokens, adapt=True)
        return evaluate(found, data, sha256=data.sha256, seed=config.seed, order=config.order)

    def predict(
        self, model: nn.Module, config: LanguageConfig, schema: LanguageSchema, source: Source
    ) -> pl.DataFrame:
        """One row a token: file, line, the token as it stands there, and its surprise in nats and bits."""
        found = self.score(model, config, schema, source, by="token", adapt=False).tokens
        assert found is not None
        return found

    def score(
        self,
        model: nn.Module,
        config: LanguageConfig,
        schema: LanguageSchema,
        source: Source,
        *,
        by: Literal["token", "line"],
        adapt: bool,
    ) -> Surprise:
        """The surprise of files by line, and by token; adapt: a copy of the model learns while it reads."""
        assert isinstance(model, LanguageModel)
        return score(model, read_later(schema, source), by=by, adapt=adapt, seed=config.seed)

    def generate(
        self,
        model: nn.Module,
        config: LanguageConfig,
        schema: LanguageSchema,
        prompt: str | bytes,
        *,
        sampling: Sampling,
        length: int,
        seed: int,
        stop: str | None,
    ) -> Iterator[str]:
        """What the model writes after a prompt, piece by piece."""
        assert isinstance(model, LanguageModel)
        return write_on(model, schema, prompt, sampling, length, seed, stop=stop)

    def steps(self, model: nn.Module, config: LanguageConfig, schema: LanguageSchema) -> Steps:
        """The model, ready to go on piece by piece."""
        assert isinstance(model, LanguageModel)
        return LanguageSteps(model.eval(), schema)

    def apart(self, config: LanguageConfig, schema: LanguageSchema) -> Apart:
        """How sources come apart that are too large to be read at once."""
        return Apart("files")

    def exported(self, model: nn.Module, config: LanguageConfig, schema: LanguageSchema) -> Exported:
        """The model's ONNX graphs, and what their reader must know."""
        from recurra.tasks.language import onnx  # noqa: PLC0415, needs a package that need not be there

        assert isinstance(model, LanguageModel)
        return onnx.exported(model, schema)

    def report(
        self,
        page: Page,
        model: nn.Module,
        config: LanguageConfig,
        data: LanguageData,
        evaluation: Evaluation,
    ) -> None:
        """The language model's sections of the report."""
        assert isinstance(model, LanguageModel)
        report.write(page, config, data, evaluation, model, run.read_log(page.bundle))


def _side_by_side(model: LanguageModel, tokens: Array) -> tuple[Tensor, int]:
    """Sum of the nats of a text's tokens, read in streams side by side, and how many there are."""
    streams = max(1, min(STREAMS, len(tokens) // SHORTEST_STREAM))
    length = (len(tokens) - 1) // streams
    rows = [np.asarray(tokens[n * length : (n + 1) * length + 1], dtype=np.int64) for n in range(streams)]
    columns = torch.from_numpy(np.stack(rows, 1))
    nats, _ = model.surprise(columns)
    return nats.double().sum(), max(1, int((columns[1:] != BORDER).sum()))
