"""Options of the small task that the tests train."""

from pydantic import Field

from recurra.tasks.base import TaskConfig


class CountingConfig(TaskConfig):
    """Options of the task."""

    hidden: int = Field(6, gt=0, description="Units of the recurrent layer.")
    steps: int = Field(60, gt=0, description="Steps of training.")
    ema: float | None = Field(0.9, description="Decay of averaged weights.")
    patience: int = Field(1000, description="Validations without a new best.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Part of the units left out, so that luck matters.")
    names: tuple[str, ...] = Field((), description="Names, to have a list.")
    poison: int = Field(-1, description="Row that holds a number too large to learn from.")
