"""Bodies of requests and answers, as OpenAPI tells them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Body(BaseModel):
    """What a client sends: nothing but these fields."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Rows(Body):
    """Rows of a table, or a text."""

    rows: list[dict[str, str | int | float | bool | None]] | None = Field(
        None, description="Rows of a table, each by the names of its columns.", min_length=1
    )
    text: str | None = Field(
        None,
        description="A text, for a bundle of the task language; texts a line, for one of translate.",
        min_length=1,
    )


class Score(Body):
    """A text whose surprise is asked for."""

    text: str = Field(description="The text.", min_length=1)
    by: Literal["line", "token"] = Field("line", description="What the rows of the answer are.")
    adapt: bool = Field(False, description="Let a copy of the model learn while it reads.")


class Generate(Body):
    """How text is to be written. See `Sampling`."""

    prompt: str = Field("", description="Text to go on from.")
    length: int = Field(200, ge=1, description="Tokens to write, at most.")
    temperature: float = Field(1.0, description="Below 1 likelier text, above 1 bolder; 0: the likeliest.")
    top_k: int | None = Field(None, description="Only the likeliest tokens, so many.")
    top_p: float = Field(1.0, description="Only the likeliest tokens that together have this chance.")
    repetition_penalty: float = Field(1.0, description="Above 1: what was just written becomes less likely.")
    repetition_window: int = Field(64, description="How many tokens that looks back.")
    seed: int = Field(0, ge=0, lt=2**63, description="The same seed, the same text.")
    stop: str | None = Field(None, description="End before this text.")


class ErrorText(BaseModel):
    """What went wrong."""

    type: str
    message: str = Field(description="Expected X, got Y. Do Z.")


class Error(BaseModel):
    """Every answer that is not the one that was asked for."""

    error: ErrorText


class Table(BaseModel):
    """Answers, a row each."""

    columns: list[str]
    rows: list[dict[str, Any]]


class Method(BaseModel):
    """Scores of one method."""

    method: str
    metrics: dict[str, float | None]


class Judged(BaseModel):
    """The model beside its baselines."""

    scores: list[Method]
    words: list[str]
    signature: str


class Surprising(Table):
    """How surprising a text is."""

    metrics: dict[str, float | None]
    words: list[str]
    signature: str


class StreamInfo(BaseModel):
    """What a stream of a bundle takes."""

    kind: Literal["text", "event", "numbers", "sound", "picture"]
    observation: dict[str, Any] = Field(description="JSON schema of one observation.")
    example: Any
    bytes: int = Field(description="Size of a stream's state.")
    open: int
    capacity: int


class Info(BaseModel):
    """A bundle that is served."""

    name: str
    task: str
    version: str
    can: list[str]
    parameters: int
    found: list[str]
    scores: list[Method]
    words: list[str]
    signature: str
    schema_: dict[str, Any] = Field(alias="schema")
    stream: StreamInfo | None
    no_stream: str | None = None


class Served(BaseModel):
    """The server, and its bundles."""

    server: dict[str, Any]
    bundles: list[Info]
