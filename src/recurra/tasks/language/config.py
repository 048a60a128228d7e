"""The options of the language model. Each has a default that a run with none of them can live with."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from recurra.tasks.base import Part, TaskConfig, leave_some

# Share of a text that nobody split, for validation and for the test.
SHARE = 0.05


class LanguageConfig(TaskConfig):
    """What the text is cut into, which parts of it are kept back, and how large the model is."""

    unit: Literal["characters", "bytes", "words", "bpe"] | None = Field(
        None,
        description="What text is cut into: characters, bytes, words (what stands between white space) or "
        "bpe (pieces of words). Chosen by the kind and amount of text when not given.",
    )
    vocabulary: int | None = Field(
        None,
        ge=2,
        description="Most tokens that are told apart. By default 50,000 words, 4,000 to 16,000 pieces (bpe) "
        "by the amount of text, and every character that occurs twice.",
    )
    documents: Literal["file", "line", "blank"] = Field(
        "file",
        description="Where a document ends and the model forgets what it has read: with each file, with each "
        "line, or with blank lines.",
    )
    valid: Part = Field(
        None,
        description="Share of the text, or a file, kept for validation. By default files or folders that are "
        "called so (valid, validation, dev); else 0.05, from the end of the text before the test.",
    )
    test: Part = Field(
        None,
        description="Share of the text, or a file, kept for the test; 0 for none. By default files or "
        "folders that are called so; else 0.05, the end of the text.",
    )
    cell: Literal["GRU", "LSTM", "RNN"] = Field("GRU", description="The recurrence: GRU, LSTM or RNN.")
    hidden: int | None = Field(
        None,
        ge=1,
        description="Units of a recurrent layer; of several, the last has at most 400. Chosen by the amount "
        "of text and the time budget when not given.",
    )
    layers: int | None = Field(None, ge=1, description="Recurrent layers. By default 2.")
    order: int | None = Field(
        None,
        ge=1,
        description="Tokens in the longest n-grams of the baseline. Chosen by the unit when not given.",
    )
    adapt: bool = Field(
        False, description="Judge the model also while it learns on from what it reads, which takes longer."
    )
    dropout: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Strength of all that keeps the model from learning the text by heart, from 0 to 1. "
        "Chosen by how often the text can be read in the time budget when not given.",
    )

    @model_validator(mode="after")
    def _room(self) -> Self:
        if self.valid == 0:
            raise ValueError(
                "expected a part of the text for validation, which says when to stop, got a share of 0. "
                "Give a share such as 0.05, or a file."
            )
        leave_some(self.valid, self.test, "text")
        if self.unit == "bytes" and self.vocabulary is not None:
            raise ValueError(
                "expected no size of the vocabulary for bytes, of which there are 256, got "
                f"{self.vocabulary:,}. Leave it out."
            )
        return self
