"""The tasks that `fit` knows, one line each."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

from recurra.errors import ConfigError

if TYPE_CHECKING:
    from recurra.tasks.base import Task, TaskConfig


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a task lives: its class in `<package>.task`; `<class>Config` in `<package>.config`, no torch."""

    package: str
    task: str
    summary: str

    def config(self) -> type[TaskConfig]:
        """The task's options."""
        return cast(
            "type[TaskConfig]", getattr(import_module(f"{self.package}.config"), f"{self.task}Config")
        )

    def load(self) -> Task:
        """The task itself."""
        return cast("Task", getattr(import_module(f"{self.package}.task"), self.task)())


TASKS = {
    "forecast": Entry(
        "recurra.tasks.forecast", "Forecast", "Values over time: what comes next, and how surely."
    ),
    "classify": Entry(
        "recurra.tasks.classify",
        "Classify",
        "Sequences of text, events or numbers: which class each is of, and how surely.",
    ),
    "language": Entry(
        "recurra.tasks.language",
        "Language",
        "Text of any kind: learn it, write on, and tell what is odd in it.",
    ),
    "translate": Entry(
        "recurra.tasks.translate",
        "Translate",
        "Parallel text: learn to put one side into the other, and show which words come from which.",
    ),
    "transcribe": Entry(
        "recurra.tasks.transcribe",
        "Transcribe",
        "Recordings and what is said in them: learn to write it down, live while one speaks.",
    ),
    "caption": Entry(
        "recurra.tasks.caption",
        "Caption",
        "Pictures and sentences: learn to say what a picture shows, and where each word looks.",
    ),
}


def find(task: str | Task) -> Task:
    """The task of that name, or the one given. Raises ConfigError where there is none of that name."""
    if not isinstance(task, str):
        return task
    if task not in TASKS:
        raise ConfigError(f"expected a task among {', '.join(TASKS)}, got {task!r}. Name one of these.")
    return TASKS[task].load()
