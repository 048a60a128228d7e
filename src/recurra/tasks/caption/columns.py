"""What the user calls the columns of tables."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Columns(BaseModel):
    """What the user calls the columns of tables; None for the usual names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str | None = None
    text: str | None = None
