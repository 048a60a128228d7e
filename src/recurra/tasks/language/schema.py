"""What the text meant to the language model, and how text becomes numbers."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from recurra.data.documents import Documents
from recurra.data.tokens import Tokens
from recurra.tasks.language.shape import Shape


class Schema(BaseModel):
    """All that is needed to read another text the same way."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: Tokens
    documents: Documents = "file"
    train_tokens: int  # without BORDERs
    characters_per_token: float  # in the training part
    shape: Shape
