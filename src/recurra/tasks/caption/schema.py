"""What the pictures meant to the captioner, and how captions become numbers."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from recurra.data.tokens import Tokens
from recurra.tasks.caption.columns import Columns
from recurra.tasks.caption.shape import Shape


class Backbone(BaseModel):
    """An ONNX network of pictures that is kept in the bundle.

    size: bytes of its file.  sha256: of them.  input, output: names in the graph.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int
    sha256: str
    side: int
    input: str
    output: str


class Schema(BaseModel):
    """All that is needed to read other pictures the same way.

    tokens: what captions are cut into.  lower: whether in lower case.  mirror: whether pictures are turned
    round while training.  longest: tokens of a caption of training, of nearly all at most.  shape.side is 0
    where features are read, from files or a backbone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: Tokens
    columns: Columns = Columns()
    lower: bool = True
    mirror: bool = True
    longest: int
    backbone: Backbone | None = None
    shape: Shape
