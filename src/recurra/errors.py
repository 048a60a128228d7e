"""Every error that Recurra raises by itself.

    RecurraError
    ├── DataError          a file, frame, row, column or value that cannot be used as it is
    ├── ConfigError        an option, or options that contradict one another
    ├── EngineError        a forced engine that cannot run the request
    ├── TrainingError      training cannot go on (a loss that is not finite, no room in the time budget)
    ├── CheckpointError    a checkpoint that is missing, damaged or belongs to another run
    ├── Stopped            a signal ended training, which was saved first
    ├── BundleError        a bundle that is missing, damaged, foreign or from a newer format
    ├── ExportError        a graph that does not give what its model gives
    └── StreamError        a stream that is not there, or a state that is damaged or of another bundle
        └── PoolFull       a pool without a free slot

A message reads: <what was expected, with numbers>, got <value>. <One action that fixes it.>
The command line prints it and exits with 2. Drop-in layers keep torch's own error types.
"""

from __future__ import annotations


class RecurraError(Exception):
    """Root of the tree."""


class DataError(RecurraError):
    """The data cannot be used as it is; the message begins with the place.

    file: name of the file (or "frame"), None when the place is not in one.
    row: as an editor numbers it for text files (first line 1, header included), from 1 for Parquet,
        from 0 for frames (as Python counts); None when not about one row.
    column: name of the column; None when not about one column.
    """

    def __init__(
        self, message: str, *, file: str | None = None, row: int | None = None, column: str | None = None
    ) -> None:
        self.file, self.row, self.column = file, row, column
        where = [
            *([file] if file is not None else []),
            *([f"{row_word(file)} {row}"] if row is not None else []),
            *([f"column {column!r}"] if column is not None else []),
        ]
        super().__init__(f"{', '.join(where)}: {message}" if where else message)


def row_word(file: str | None) -> str:
    """ "line" for text files, "row" for frames and Parquet."""
    return "row" if file is None or file == "frame" or file.endswith((".parquet", ".pq")) else "line"


class ConfigError(RecurraError):
    """An option, or several that contradict one another."""


class EngineError(RecurraError):
    """A forced engine that cannot run the request."""


class TrainingError(RecurraError):
    """Training cannot go on."""


class CheckpointError(RecurraError):
    """A checkpoint that is missing, damaged or belongs to another run."""


class BundleError(RecurraError):
    """A bundle that is missing, damaged, foreign or from a newer format."""


class ExportError(RecurraError):
    """A graph that does not give what its model gives."""


class StreamError(RecurraError):
    """A stream that is not there, or a state that is damaged or of another bundle."""


class PoolFull(StreamError):
    """A pool without a free slot. streams: how many are open, and have them all."""

    def __init__(self, streams: int) -> None:
        super().__init__(
            f"expected a free slot, got {streams} open streams. Close one, or make a larger pool."
        )


class Stopped(RecurraError):
    """A signal ended training, which was saved first; `--resume` goes on.

    signal: its number; the command line exits with 128 + that, as shells do.
    """

    def __init__(self, message: str, signal: int) -> None:
        self.signal = signal
        super().__init__(message)
