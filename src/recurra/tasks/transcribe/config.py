"""The options of the recogniser. Each has a default that a run with none of them can live with."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from recurra.tasks.base import Part, TaskConfig, leave_some

# Share of recordings that nobody split, for validation and for the test, and how many they are at most.
SHARE, MOST = 0.1, 500
# Samples a second that speech is read at: at most so many where nobody says; and from which on it is speech.
MOST_RATE, LEAST_RATE = 16_000, 4_000


class TranscribeConfig(TaskConfig):
    """Where recordings and texts are, what texts are spelt in, how the network is built and searched."""

    path: str | None = Field(
        None,
        description="Column of a table that names the recordings. By default path, file, filename, audio or "
        "wav.",
    )
    text: str | None = Field(
        None,
        description="Column that has what is said. By default text, transcript, transcription or sentence.",
    )
    speaker: str | None = Field(
        None,
        description="Column that says who speaks; parts that are drawn then share no speaker. By default "
        "speaker or client_id, where there is one.",
    )
    valid: Part = Field(
        None,
        description="Share of the recordings, or a table or folder, kept for validation. By default files or "
        "folders that are called so (valid, validation, dev); else 0.1, at most 500 recordings, drawn by "
        "the seed.",
    )
    test: Part = Field(None, description="The same for the test; 0 for none.")
    rate: int | None = Field(
        None,
        ge=LEAST_RATE,
        le=48_000,
        description="Samples a second that recordings are brought to. By default that of most of them, at "
        "most 16,000.",
    )
    unit: Literal["characters", "bpe", "words"] | None = Field(
        None,
        description="What texts are spelt in: characters, bpe (pieces of words) or words. By default "
        "characters, and bpe from 20 hours of speech on.",
    )
    vocabulary: int | None = Field(
        None,
        ge=2,
        description="Most tokens that are told apart. By default every character, 1,000 pieces (bpe) or "
        "50,000 words.",
    )
    phones: str | None = Field(
        None,
        description="A pronunciation dictionary, a line a word: WORD  P H OW N. Texts are then spelt in its "
        "phones.",
    )
    lower: bool = Field(False, description="Read texts in lower case.")
    skip: bool = Field(
        False,
        description="Leave out recordings that cannot be used, and say which, where there would be an error.",
    )
    longest: float = Field(
        40.0,
        gt=0,
        allow_inf_nan=False,
        description="Seconds of a recording that can be learnt from; cut longer ones at pauses.",
    )
    live: bool = Field(
        True,
        description="Read forwards alone, so that the model can listen while somebody speaks. Otherwise it "
        "reads whole recordings from both ends, which is more accurate.",
    )
    cell: Literal["LSTM", "GRU", "RNN"] = Field("LSTM", description="The recurrence.")
    hidden: int | None = Field(
        None,
        ge=1,
        description="Units of a recurrent layer. Chosen by the amount of speech and the time budget when not "
        "given.",
    )
    layers: int | None = Field(None, ge=1, description="Recurrent layers. Chosen when not given.")
    dropout: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Share of channels that are left out while training. Chosen if not given.",
    )
    beam: int = Field(16, ge=1, description="Texts that are followed side by side; 1 follows the best alone.")
    lm: str | None = Field(
        None,
        description="What texts are likely: an ARPA file, a file of plain text, characters or words (of the "
        "training texts), or none. Chosen when not given.",
    )
    extra: str | None = Field(None, description="More plain text for the language model to learn from.")
    lm_weight: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="How much the language model counts beside what is heard. Found on the validation part "
        "when not given.",
    )
    word_bonus: float | None = Field(
        None,
        allow_inf_nan=False,
        description="What each word adds to a text's score. Found on the validation part when not given.",
    )

    @model_validator(mode="after")
    def _room(self) -> Self:
        if self.valid == 0:
            raise ValueError(
                "expected recordings for validation, which say when to stop, got a share of 0. Give a share "
                "such as 0.1, or a table."
            )
        leave_some(self.valid, self.test, "recordings")
        if self.phones is not None and self.unit is not None:
            raise ValueError(
                f"expected texts to be spelt in one way, got phones and the unit {self.unit}. Leave one out."
            )
        if self.extra is not None and self.lm == "none":
            raise ValueError(
                "expected a language model that learns from the extra text, got none. Leave out extra, or lm."
            )
        return self
