"""The options of the captioner. Each has a default that a run with none of them can live with."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from recurra.tasks.base import Part, TaskConfig, leave_some

# Share of pictures that nobody split, for validation and for the test, and how many they are at most.
SHARE, MOST = 0.1, 1_000


class CaptionConfig(TaskConfig):
    """Where pictures and captions are, how pictures are seen, how the network is built and searched."""

    captions: str | None = Field(
        None,
        description="File of the captions: a table of names and captions, a line each, Flickr's or COCO's. "
        "By default one that lies in the folder of pictures.",
    )
    path: str | None = Field(
        None,
        description="Column of a table that names the pictures. By default image, path, file, filename or "
        "picture.",
    )
    text: str | None = Field(
        None, description="Column that has the captions. By default caption, text, comment or sentence."
    )
    valid: Part = Field(
        None,
        description="Share of the pictures, or a file of captions or of names, kept for validation. By "
        "default what is called so (valid, val, dev); else 0.1, at most 1,000 pictures, drawn by the seed.",
    )
    test: Part = Field(None, description="The same for the test; 0 for none.")
    side: int | None = Field(
        None,
        ge=32,
        le=512,
        multiple_of=16,
        description="Pixels of a picture's sides, to which all are scaled. Chosen by the pictures and the "
        "time budget when not given.",
    )
    backbone: str | None = Field(
        None,
        description="An ONNX file of a trained network of pictures, whose features are read in place of the "
        "pixels; it is kept in the bundle.",
    )
    skip: bool = Field(
        False,
        description="Leave out pictures that cannot be used, and say which, where there would be an error.",
    )
    unit: Literal["words", "bpe", "characters"] | None = Field(
        None,
        description="What captions are cut into: words, bpe (pieces of words) or characters. By default "
        "words, and characters where no spaces stand between them.",
    )
    vocabulary: int | None = Field(
        None,
        ge=2,
        description="Most tokens that are told apart. By default the words that occur five times (twice, of "
        "fewer than 10,000 captions), 3,000 pieces (bpe) or all characters.",
    )
    lower: bool = Field(True, description="Read captions in lower case.")
    mirror: bool | None = Field(
        None,
        description="Turn every other picture round while training. By default, unless captions say left or "
        "right.",
    )
    cell: Literal["LSTM", "GRU", "RNN"] = Field("LSTM", description="The recurrence.")
    attention: Literal["luong", "bahdanau"] = Field(
        "luong", description="How words are compared with parts of the picture."
    )
    hidden: int | None = Field(
        None,
        ge=1,
        description="Units of a recurrent layer. Chosen by the number of captions and the time budget when "
        "not given.",
    )
    smoothing: float = Field(
        0.1, ge=0, lt=1, description="Chance that is given to all other tokens alike while training."
    )
    dropout: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Share of channels that are left out while training. Chosen when not given.",
    )
    beam: int = Field(
        5, ge=1, description="Captions that are followed side by side; 1 follows the best alone."
    )
    length_penalty: float = Field(
        0.5, ge=0, description="Above 0: longer captions, as (5 + length)^X / 6^X divides their scores."
    )

    @model_validator(mode="after")
    def _room(self) -> Self:
        if self.valid == 0:
            raise ValueError(
                "expected pictures for validation, which say when to stop, got a share of 0. Give a share "
                "such as 0.1, or a file."
            )
        leave_some(self.valid, self.test, "pictures")
        if self.side is not None and self.backbone is not None:
            raise ValueError(
                "expected pictures of the size that the backbone reads, got a side, too. Leave out side."
            )
        return self
