"""What the recordings meant to the recogniser, and how texts become numbers."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from recurra.data.tokens import Tokens
from recurra.tasks.transcribe.fusing import Language
from recurra.tasks.transcribe.shape import Shape


class Columns(BaseModel):
    """What the user calls the columns of tables; None for the usual names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str | None = None
    text: str | None = None
    speaker: str | None = None


class Schema(BaseModel):
    """All that is needed to read other recordings the same way.

    rate: samples a second.  tokens: what texts are spelt in; of phones, those and "|" between two words.
    phones: how words are pronounced, each way as phones with a space between, the usual one first; None
    where texts are not spelt in phones.  mean, deviation: of the training part's energies, (M,).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rate: int
    tokens: Tokens
    phones: dict[str, tuple[str, ...]] | None = None
    columns: Columns = Columns()
    lower: bool = False
    longest: float  # seconds of a recording that training has seen
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    language: Language | None = None
    shape: Shape
