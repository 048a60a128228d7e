"""What a task is: everything that `fit`, `evaluate` and `predict` need to know about one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Protocol, runtime_checkable

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

if TYPE_CHECKING:  # so that the command line can show a task's options without loading torch
    import numpy as np
    import polars as pl
    from torch import Tensor, nn

    from recurra.decode.beam import Beam
    from recurra.decode.sampling import Sampling
    from recurra.decode.wordtimes import Word
    from recurra.errors import DataError
    from recurra.onnxgraph.network import Exported
    from recurra.report.page import Page

Source = Any  # a path, several paths, or a frame (pandas, polars, pyarrow)

SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(value: object) -> object:
    """`"90"`, `"90s"`, `"10m"` or `"1.5h"` as seconds; a number is left to the field's own check."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([smh]?)\s*", value)
    if found is None:
        raise ValueError(f"expected a time such as 90s, 10m or 1h, got {value!r}. Give one of this form.")
    return float(found[1]) * SECONDS[found[2]]


def share_or_file(value: object) -> object:
    """`"0.2"` as a number, a path as its name; anything else is left to the field's own check."""
    if value is None or isinstance(value, int | float):
        return value
    text = str(value)
    try:
        return float(text)
    except ValueError:
        return text


def _in_range(value: float | str | None) -> float | str | None:
    if isinstance(value, int | float) and not 0 <= value < 1:
        raise ValueError(
            f"expected a share from 0 to 1 or a file, got {value:g}. Give a share such as 0.1, or a path."
        )
    return value


# What is kept back for validation or the test.
Part = Annotated[float | str | None, BeforeValidator(share_or_file), AfterValidator(_in_range)]


def leave_some(valid: float | str | None, test: float | str | None, what: str) -> None:
    """Raises ValueError where two shares, kept for validation and the test, leave nothing to learn from."""
    shares = [one for one in (valid, test) if isinstance(one, int | float)]
    if sum(shares) >= 1:
        raise ValueError(
            f"expected shares that leave {what} to learn from, got {shares[0]:g} for validation and "
            f"{shares[1]:g} for the test. Give smaller ones."
        )


class TaskConfig(BaseModel):
    """Options that every task has. Each field's description is its `--help`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(0, ge=0, lt=2**32, description="Seed of everything random; same seed, same model.")
    time_budget: Annotated[float, BeforeValidator(seconds)] = Field(
        600.0,
        gt=0,
        allow_inf_nan=False,
        description="Time that training may take on this machine, as 90s, 10m or 1h; reading and "
        "evaluating come on top.",
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """How the training loop is to run a task's model; worked out from config and data, never from a clock."""

    steps: int
    learning_rate: float
    validate_every: int
    warmup: int = 0
    weight_decay: float = 0.0  # of matrices; vectors (biases, gains) are not decayed
    clip: float = 1.0  # gradient norm
    ema: float | None = None  # decay of the averaged weights that validation and the bundle use
    patience: int = 10  # validations without a new best before stopping


class Data(Protocol):
    """What `Task.read` returns: splits, and what was found in the files."""

    @property
    def schema(self) -> BaseModel:
        """All that is needed to read other files the same way; kept in the bundle."""

    @property
    def found(self) -> Sequence[str]:
        """One line each, printed before training."""

    @property
    def sha256(self) -> str:
        """Of the content that was read."""


class Validation(NamedTuple):
    """The loss that early stopping watches; lower is better. sample: what the model says by now, to log."""

    loss: float
    sample: str


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
    detail: Any = field(default=None, repr=False)  # what the task's report draws; not stored


class Task(Protocol):
    """One kind of problem. An instance carries no state; tasks/__init__.py lists the classes in `TASKS`."""

    name: str
    summary: str  # one sentence for the command line
    Config: type[Any]  # a TaskConfig
    Schema: type[Any]  # a pydantic model

    def read(self, config: Any, source: Source, schema: Any = None) -> Any:
        """Read and split the files. Raises DataError with file, row and column.

        With a schema (`Bundle.evaluate`) its roles and encodings hold, and all of it is test data.
        """

    def build(self, config: Any, schema: Any) -> nn.Module:
        """A fresh model; its initial weights depend on torch's seed alone."""

    def prepare(self, model: nn.Module, config: Any, data: Any) -> None:
        """Set what the fresh model takes from the training data rather than from chance."""

    def plan(self, config: Any, data: Any) -> Plan:
        """Steps, rates and intervals for the training loop."""

    def epoch(self, config: Any, data: Any, epoch: int) -> Sequence[Any]:
        """Keys of the epoch's batches in order, from (config.seed, epoch) alone.

        A key that can be sliced (an array or list of example numbers) is shared out among several processes:
        each takes `key[rank::processes]`, so the batch stays what the plan made it.
        """

    def batch(self, data: Any, key: Any) -> Any:
        """The tensors of one batch (a tensor, or dicts, tuples, lists of them)."""

    def loss(self, model: nn.Module, batch: Any, carry: Any) -> tuple[Tensor, Any]:
        """Mean loss of the batch; `carry` is state handed to the next batch (truncated BPTT).

        It is None at the start of an epoch and comes back detached: dicts, lists, tuples of tensors.
        """

    def validate(self, model: nn.Module, data: Any) -> float | Validation:
        """The loss on the validation part that early stopping watches; lower is better."""

    def finish(self, model: nn.Module, config: Any, data: Any) -> None:
        """What is fitted after training, on validation data, into the model's buffers (calibration)."""

    def evaluate(self, model: nn.Module, config: Any, data: Any) -> Evaluation:
        """Metrics on the test part beside the baselines on the same examples."""

    def predict(self, model: nn.Module, config: Any, schema: Any, source: Source) -> pl.DataFrame:
        """Answers for new files."""

    def report(self, page: Page, model: nn.Module, config: Any, data: Any, evaluation: Evaluation) -> None:
        """Write the task's own sections on the page."""


@runtime_checkable
class Folded(Protocol):
    """Data for a cross-validation; `fit` then fits a model without each fold, and one of everything.

    judged: what those models said of the folds, one after the other; None until `fit` knows.
    """

    folds: Sequence[Any] | None
    judged: Any

    def fold(self, number: int) -> Any:
        """The data with this fold as its test part."""


@runtime_checkable
class Judges(Protocol):
    """A task that can be cross-validated."""

    def judge(self, model: nn.Module, data: Any) -> Any:
        """What the model says of the test part, as an array with a row for each example."""


@dataclass(frozen=True, slots=True)
class Surprise:
    """How surprising the tokens of files are: -log p of each, given those before it.

    lines   a row a line of the files, in order: file, line, tokens, characters, bits, bits_per_token,
            bits_per_character, oddity (the same after some more characters as surprising as the text is on
            average, so that a line of a few letters must be odder than a long one), text
    tokens  a row a token: file, line, token (as it stands in the text), nats, bits; None unless asked for
    """

    lines: pl.DataFrame
    tokens: pl.DataFrame | None
    metrics: Mapping[str, float]
    words: Sequence[str]
    signature: str


@runtime_checkable
class Writes(Protocol):
    """A task whose models write text. `Bundle.generate` asks for it."""

    def generate(
        self,
        model: nn.Module,
        config: Any,
        schema: Any,
        prompt: str | bytes,
        *,
        sampling: Sampling,
        length: int,
        seed: int,
        stop: str | None,
    ) -> Iterator[str]:
        """What the model writes after a prompt, piece by piece: `length` tokens, or up to `stop`."""


@runtime_checkable
class Scores(Protocol):
    """A task whose models tell how surprising each token of a text is. `Bundle.score` asks for it."""

    def score(
        self,
        model: nn.Module,
        config: Any,
        schema: Any,
        source: Source,
        *,
        by: Literal["token", "line"],
        adapt: bool,
    ) -> Surprise:
        """The surprise of files by line, and by token. adapt: a copy of the model learns while it reads."""


@dataclass(frozen=True, slots=True)
class Translation:
    """A text, its score (the logarithm of its chance, with the penalties), and which words come from which.

    alignment: (source word, target word) from 0, each target word with the one that was attended to most;
    characters where those are the tokens.
    """

    text: str
    score: float
    alignment: tuple[tuple[int, int], ...]


@runtime_checkable
class Translates(Protocol):
    """A task whose models put texts into others. `Bundle.translate` asks for it."""

    def beam(self, config: Any) -> Beam:
        """The search that the options ask for."""

    def translate(
        self,
        model: nn.Module,
        schema: Any,
        texts: Sequence[str],
        beam: Beam,
        told: Callable[[int, str], None] | None = None,
    ) -> list[list[Translation]]:
        """The best translations of each text, the best first; told of pieces of it as they become certain."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What is said in a recording, its words in order, and the logarithm of its chance."""

    text: str
    words: tuple[Word, ...]
    score: float


@runtime_checkable
class Transcribes(Protocol):
    """A task whose models write down what is said. `Bundle.transcribe` asks for it."""

    def transcribe(
        self, model: nn.Module, config: Any, schema: Any, sounds: Sequence[Any]
    ) -> list[Transcript]:
        """What is said in sounds: paths, or samples (N,) float32 at the schema's rate."""


@dataclass(frozen=True, slots=True)
class Caption:
    """What a picture shows, the score (the logarithm of its chance, with the penalties), and its words.

    attention: (words, rows, columns) float32, how much each word looked at each part of the picture; the
    parts of a word add up to 1.
    """

    text: str
    score: float
    words: tuple[str, ...]
    attention: np.ndarray[Any, np.dtype[Any]]


@runtime_checkable
class Captions(Protocol):
    """A task whose models say what pictures show. `Bundle.caption` asks for it."""

    def beam(self, config: Any) -> Beam:
        """The search that the options ask for."""

    def caption(
        self, model: nn.Module, schema: Any, pictures: Sequence[Any], beam: Beam
    ) -> list[list[Caption]]:
        """The best captions of each picture, the best first. pictures: paths, bytes of files, or features."""


Kind = Literal["text", "event", "numbers", "sound", "picture"]


class Steps(Protocol):
    """A model that goes on step by step, for any number of streams at once; it holds no stream itself.

    What a stream has become after some steps is equal, bit for bit, to what the task says of the whole
    sequence. Not for two threads at once.

    kind         of an observation: a piece of text, one event by its name, numbers by their names, a piece
                 of sound, or a picture
    observation  its JSON schema
    example      one that can be given
    uneven       where it is there and true, one step may take far longer than those before it
    """

    kind: Kind
    observation: Mapping[str, Any]
    example: Any

    def fresh(self) -> dict[str, Tensor]:
        """The state of a stream that has seen nothing; the shapes and dtypes never change."""

    def checked(self, observation: Any) -> Any:
        """An observation as `step` takes it. Raises DataError, naming the field."""

    def step(
        self, pool: Mapping[str, Tensor], rows: Tensor, inputs: Sequence[Any]
    ) -> Sequence[dict[str, Any] | DataError]:
        """Take B streams one observation on, and answer each with what can be written as JSON.

        pool    states under the names of `fresh`, (S, ...): a slot for each stream; changed in place
        rows    (B,) int64, the slots of the streams that go on, all different
        inputs  B observations, as `checked` gives them
        An error is the answer of a stream that cannot take its observation; its state is as it was.
        """


@runtime_checkable
class Streams(Protocol):
    """A task whose models go on step by step. `Bundle.stream` asks for it."""

    def steps(self, model: nn.Module, config: Any, schema: Any) -> Steps:
        """The model, ready to go on. Raises ConfigError for one that must see the end first."""


@runtime_checkable
class Exports(Protocol):
    """A task whose models leave as ONNX. `Bundle.export_onnx` asks for it."""

    def exported(self, model: nn.Module, config: Any, schema: Any) -> Exported:
        """The model's graphs and what their reader must know. Raises ConfigError for what ONNX cannot say."""


@dataclass(frozen=True, slots=True)
class Apart:
    """What of a source can be predicted by itself, so that large ones need not be in memory at once.

    by      "rows": any rows of a table; "files": the files, each with whole sequences; "nothing": all is one
    names   column of the answers whose values are the sequences' names, of which none may be in two files
    texts   column of the table as which plain text files are read, a row a line; None where they are not
    lines   whether blank lines are rows, too, and files of lines may have any ending
    most    bytes of a part at most, where answers take long; None for no limit of the task's own
    """

    by: Literal["rows", "files", "nothing"]
    names: str | None = None
    texts: str | None = None
    lines: bool = False
    most: int | None = None


@runtime_checkable
class Parted(Protocol):
    """A task that can predict a source part by part. `recurra predict` asks for it."""

    def apart(self, config: Any, schema: Any) -> Apart:
        """How sources of this schema come apart."""
