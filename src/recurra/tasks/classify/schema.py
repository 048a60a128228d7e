"""What the files mean to the classifier, and how sequences become numbers."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from recurra.data.columns import Column
from recurra.data.vocabulary import PADDING, UNKNOWN, Vocabulary
from recurra.tasks.classify.shape import Shape

Kind = Literal["text", "events", "series"]
Layout = Literal["rows", "wide", "long", "lists", "archive"]


class Channel(Column):
    """What is measured at each step, and its encoding. gaps: whether training had missing values in it."""

    gaps: bool = False


class Schema(BaseModel):
    """All that is needed to read another file the same way."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind  # tokens of text, tokens that are one categorical channel, numbers
    layout: Layout  # a text per row; a column per step; a row per step; lists in cells; .ts and .arff
    label: tuple[str, ...] = ()  # () where the files, not a column, say it
    separator: str | None = None  # between several labels in a cell
    several: bool = False  # labels that hold independently of one another
    classes: tuple[str, ...]  # in the order of the outputs
    text: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    time: str | None = None
    time_form: str = "step"  # how times are written; see recurra.data.times
    channels: tuple[Channel, ...] = ()
    steps: tuple[str, ...] = ()  # columns of a wide table, all of a channel's before the next channel's
    vocabulary: Vocabulary | None = None
    examples: int  # in the training part
    length: int  # the 95th percentile of their steps
    longest: int
    shape: Shape = Shape()

    @property
    def width(self) -> int:
        """Number of tokens, or of input features: values, then a flag for each channel that had gaps."""
        if self.kind != "series":
            return len(self.tokens)
        return len(self.features)

    @property
    def tokens(self) -> tuple[str, ...]:
        """Tokens of text or events in the order of their numbers; () for numbers."""
        if self.vocabulary is not None:
            return self.vocabulary.tokens
        return (PADDING, UNKNOWN, *self.channels[0].categories) if self.kind == "events" else ()

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the columns of `Examples.x` for numbers."""
        return (
            *(name for channel in self.channels for name in channel.features),
            *(f"{channel.name} is missing" for channel in self.channels if channel.gaps),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that must be there to predict."""
        if self.layout == "archive":
            return ()
        channels = () if self.layout == "wide" else (channel.name for channel in self.channels)
        time = (self.time,) if self.time is not None else ()
        return (*self.text, *self.ids, *time, *self.steps, *channels)
