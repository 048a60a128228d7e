"""What the pairs meant to the translator, and how texts become numbers."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from recurra.data.tokens import Tokens
from recurra.tasks.translate.shape import Shape


class Schema(BaseModel):
    """All that is needed to read other texts the same way.

    source, target: the tokens of each side; the same where they are shared.  names: what the sides are
    called.  columns: their numbers in lines with tabs, where those were named.  ratio: target tokens for each
    source token in training, of nearly all pairs at most.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Tokens
    target: Tokens
    shared: bool
    names: tuple[str, str]
    columns: tuple[str, str] | None = None
    longest: int  # tokens of a side that training has seen
    ratio: float
    shape: Shape
