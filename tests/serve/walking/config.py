"""Options of the small task that the server's tests serve."""

from pydantic import Field

from recurra.tasks.base import TaskConfig


class WalkingConfig(TaskConfig):
    """Options of the task."""

    hidden: int = Field(8, gt=0, description="Units of the recurrent layer.")
    steps: int = Field(2, gt=0, description="Steps of training.")
    work: int = Field(0, ge=0, description="Milliseconds that a step takes beside, however many streams go.")
    each: int = Field(0, ge=0, description="Microseconds that each stream adds to them.")
