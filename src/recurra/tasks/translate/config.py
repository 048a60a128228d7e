"""The options of the translator. Each has a default that a run with none of them can live with."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from recurra.tasks.base import Part, TaskConfig, leave_some

# Share of pairs that nobody split, for validation and for the test, and how many they are at most.
SHARE, MOST = 0.05, 2_000


class TranslateConfig(TaskConfig):
    """Which texts belong together, what they are cut into, and how the network is built and writes."""

    source: str | None = Field(
        None,
        description="The texts to translate from: a file of lines; or, where other files are named, a column "
        "(its name or number), or the ending of the files, such as de.",
    )
    target: str | None = Field(None, description="The texts to translate to, likewise.")
    valid: Part = Field(
        None,
        description="Share of the pairs, or a file, kept for validation. By default files that are called so "
        "(valid, validation, dev); else 0.05, at most 2,000 pairs, drawn by the seed. Of two files of lines "
        "that of the source is named, and the other is called likewise.",
    )
    test: Part = Field(None, description="The same for the test; 0 for none.")
    unit: Literal["characters", "words", "bpe"] | None = Field(
        None,
        description="What texts are cut into: characters, words (what stands between white space) or bpe "
        "(pieces of words). Chosen by the texts when not given.",
    )
    vocabulary: int | None = Field(
        None,
        ge=2,
        description="Most tokens of a side that are told apart. By default 50,000 words, 4,000 to 16,000 "
        "pieces (bpe) by the amount of text, and every character that occurs twice.",
    )
    shared: bool | None = Field(
        None,
        description="One vocabulary, and one table of vectors, for both sides. By default where they share "
        "most of their words.",
    )
    cell: Literal["GRU", "LSTM", "RNN"] = Field("GRU", description="The recurrence.")
    hidden: int | None = Field(
        None,
        ge=1,
        description="Units of a recurrent layer. Chosen by the amount of text and the time budget when not "
        "given.",
    )
    attention: Literal["luong", "bahdanau"] = Field(
        "luong", description="How the decoder's states and the source's are compared: by a product or a sum."
    )
    input_feeding: bool = Field(
        False,
        description="Tell the decoder's first layer what it attended to one step before. Its steps then wait "
        "for each other, which takes several times as long.",
    )
    smoothing: float = Field(
        0.1, ge=0, lt=1, description="Chance that is given to all other tokens alike while training."
    )
    dropout: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Share of channels that are left out while training. Chosen by how often the pairs can "
        "be read in the time budget when not given.",
    )
    beam: int = Field(
        5, ge=1, description="Translations that are followed side by side; 1 follows the best alone."
    )
    length_penalty: float = Field(
        1.0, ge=0, description="Above 0: longer translations, as (5 + length)^X / 6^X divides their scores."
    )
    coverage_penalty: float = Field(
        0.0, ge=0, description="Above 0: translations that attend to all of the source."
    )

    @model_validator(mode="after")
    def _room(self) -> Self:
        if self.valid == 0:
            raise ValueError(
                "expected pairs for validation, which say when to stop, got a share of 0. Give a share such "
                "as 0.05, or a file."
            )
        if (self.source is None) != (self.target is None):
            raise ValueError("expected both source and target or neither, got one. Name the other, too.")
        leave_some(self.valid, self.test, "pairs")
        return self
