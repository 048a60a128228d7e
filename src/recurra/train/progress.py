"""What a run tells while it trains: a bar on a terminal, plain lines elsewhere, and log.jsonl."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

LINE_EVERY = 5.0  # seconds between plain lines


class Log:
    """log.jsonl: one JSON object a line, cut back to a checkpoint's length when a run is resumed."""

    def __init__(self, path: Path | None, length: int = 0) -> None:
        self._file = None
        if path is not None:
            self._file = path.open("r+b" if path.exists() else "w+b")
            self._file.truncate(min(length, path.stat().st_size))
            self._file.seek(0, os.SEEK_END)

    def write(self, **entry: Any) -> None:
        """Append an entry; what is not finite becomes null."""
        if self._file is not None:
            finite = {
                k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in entry.items()
            }
            self._file.write(json.dumps(finite).encode() + b"\n")

    def flush(self) -> int:
        """Put everything on disk; returns the length in bytes."""
        if self._file is None:
            return 0
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()


class Listened(Console):
    """A console that falls silent, and ends nothing, once nobody listens any longer."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


class Reporter:
    """Speaks on stderr, or not at all when `quiet`."""

    def __init__(self, quiet: bool = False, stream: TextIO | None = None) -> None:
        self.quiet = quiet
        self._console = Listened(file=stream or sys.stderr, highlight=False, soft_wrap=True)
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._next_line = 0.0
        self._best = ""
        self._start = (0, 0.0)
        self._until = 0.0

    def say(self, line: str) -> None:
        """One line, above the bar if there is one."""
        if not self.quiet:
            self._console.print(line, markup=False)

    def begin(self, step: int, steps: int, seconds: float) -> None:
        """Training starts at `step` of `steps`, and ends in so many seconds at the latest."""
        self._start = (step, time.monotonic())
        self._until = time.monotonic() + seconds
        self._next_line = time.monotonic() + LINE_EVERY
        if self.quiet or not self._console.is_terminal:
            return
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
            transient=True,
        )
        self._task = self._bar.add_task("training", total=steps, completed=step, note="")
        self._bar.start()

    def step(self, step: int, steps: int, loss: float) -> None:
        """A step was taken."""
        if self.quiet:
            return
        now = time.monotonic()
        if self._bar is None:
            if now < self._next_line:
                return
            self._next_line = now + LINE_EVERY
        rate = (step - self._start[0]) / max(1e-9, now - self._start[1])
        left = min((steps - step) / max(1e-9, rate), max(0.0, self._until - now))
        note = f"loss {loss:.4g}{self._best}, {rate:.3g} steps/s, about {_duration(left)} left"
        if self._bar is not None:
            self._bar.update(self._task, completed=step, note=note)
        else:
            self.say(f"step {step} of {steps}: {note}")

    def validated(self, best: float) -> None:
        """A validation was made."""
        self._best = f", best validation {best:.4g}"

    def end(self) -> None:
        """Training is over, well or not."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _duration(seconds: float) -> str:
    whole = round(seconds)
    return (
        f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
        if whole >= 3600
        else f"{whole // 60}:{whole % 60:02}"
    )
