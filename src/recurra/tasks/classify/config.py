"""The options of the classifier. Each has a default that a run with none of them can live with."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from recurra.tasks.base import Part, TaskConfig


class ClassifyConfig(TaskConfig):
    """What to read from the files, what tells the classes apart, and how it is judged."""

    label: tuple[str, ...] | None = Field(
        None,
        description="Column with the class; several columns of 0 and 1 for labels that may hold at once. "
        "Found when not named: a column called label, class, target, y, category or sentiment.",
    )
    label_separator: str | None = Field(
        None, description="What stands between several labels in one cell, such as '|'."
    )
    text: tuple[str, ...] | None = Field(
        None, description="Columns of text, joined by a line break. Found when not named: the one with most."
    )
    id: tuple[str, ...] | None = Field(
        None,
        description="Columns that say which sequence a row belongs to, where each row is a step. "
        "Found when not named, where an id occurs more than once.",
    )
    time: str | None = Field(
        None, description="Column that orders the steps of a sequence. Found when not named; else by rows."
    )
    channels: tuple[str, ...] | None = Field(
        None, description="Columns that are read at each step. All others when not named."
    )
    unit: Literal["characters", "words", "bpe"] | None = Field(
        None,
        description="What text is split into: characters, words or bpe (pieces of words). Chosen "
        "by the length and amount of text when not given.",
    )
    vocabulary: int | None = Field(
        None, ge=3, description="Most tokens of text that are told apart. By default 20,000 (bpe: 8,000)."
    )
    split: str | None = Field(
        None,
        description="Column of train, valid or test. Found when not named: one that says nothing else.",
    )
    valid: Part = Field(
        None,
        description="Share of the examples, or a file, kept for validation. By default none: training "
        "watches on parts that it leaves out in turn.",
    )
    test: Part = Field(
        None,
        description="Share of the examples, or a file, kept for the test; 0 for none. By default the file's "
        "own test part where there is one, else 0.2.",
    )
    folds: int | None = Field(
        None, ge=2, description="Judge by cross-validation in this many parts rather than on one test part."
    )
    output: Literal["last", "mean", "max", "attention"] | None = Field(
        None,
        description="How the states of all steps become one answer: last, mean, max or attention. "
        "By default max.",
    )
    bidirectional: bool = Field(
        False, description="Read from both ends; then there is no answer while a sequence goes on."
    )
    cell: Literal["GRU", "LSTM", "RNN"] = Field("GRU", description="The recurrence: GRU, LSTM or RNN.")
    hidden: int | None = Field(
        None,
        ge=1,
        description="Units of the recurrent layer. Chosen by the number of examples when not given.",
    )
    unlabelled: tuple[str, ...] | None = Field(
        None,
        description="Files of texts without labels (a text a line, or a table) to learn the language from.",
    )
    longest: int = Field(
        2000, ge=1, description="Steps of a sequence that are read; longer ones are cut, and counted."
    )

    @field_validator("label", "text", "id", "channels", "unlabelled", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        if isinstance(value, list | tuple):
            return tuple(map(str, value))
        return value if value is None else (str(value),)
