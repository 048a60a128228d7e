"""A served bundle as it is at one time: a swap brings another, and open streams keep theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import recurra
from recurra.bundle import RECORD, Bundle
from recurra.errors import DataError, RecurraError
from recurra.stream import StreamPool
from recurra.tasks.base import Captions, Scores, Task, Transcribes, Writes

if TYPE_CHECKING:
    from recurra.serve.streams import Stream

SHOWN = 12  # characters of a seal that tell versions apart for people
Takes = Literal["tables", "recordings", "pictures"]
BLIND = (
    "expected a captioner that looks at pictures, got one that reads files of features, which are not taken "
    "from clients. Fit one on the pictures themselves, or with a backbone."
)


@dataclass(slots=True, eq=False)
class Version:
    """A bundle, and the pool of its streams.

    pool     None where it cannot stream; `why` then says so. Only the lane's thread steps and changes it
    blind    whether it reads features in place of pictures, so that nothing can be asked of it; `why` says so
    places   its streams by their slots' names; the thread's
    dropped  states of streams that the pool has closed because they were idle; the thread's
    users    streams that have not let go of it; the loop's
    """

    bundle: Bundle
    seal: str
    pool: StreamPool | None
    why: str
    stamp: object
    dropped: dict[str, bytes]
    blind: bool = False
    places: dict[str, Stream] = field(default_factory=dict)
    users: int = 0

    @property
    def name(self) -> str:
        """What people see of the seal."""
        return self.seal[:SHOWN]

    @property
    def uneven(self) -> bool:
        """Whether one step of its streams may take far longer than those before it."""
        if self.pool is None:
            return False
        # Pictures are small or large.
        return self.pool.model.kind == "picture" or bool(getattr(self.pool.model, "uneven", False))

    @property
    def takes(self) -> Takes:
        """What its files are. Where they are no tables, tables would name files of this machine."""
        task = self.bundle.task
        if isinstance(task, Transcribes):
            return "recordings"
        return "pictures" if isinstance(task, Captions) else "tables"

    @property
    def can(self) -> list[str]:
        """What may be asked of it."""
        task = self.bundle.task
        if self.blind:
            return []
        # Recordings and pictures come without the texts that they could be judged by.
        able = ["predict", "evaluate"] if self.takes == "tables" else ["predict"]
        able += ["stream"] if self.pool is not None else []
        able += ["generate"] if isinstance(task, Writes) else []
        return able + (["score"] if isinstance(task, Scores) else [])

    def info(self, name: str) -> dict[str, Any]:
        """What is told about it, as JSON."""
        record = self.bundle.record
        told = {
            "name": name,
            "task": record["task"],
            "version": self.name,
            "can": self.can,
            **{key: record[key] for key in ("parameters", "found", "scores", "words", "signature", "schema")},
            "stream": self._stream(),
        }
        return told if self.pool is not None else told | {"no_stream": self.why}

    def _stream(self) -> Mapping[str, Any] | None:
        pool = self.pool
        if pool is None:
            return None
        return {
            "kind": pool.model.kind,
            "observation": dict(pool.model.observation),
            "example": pool.model.example,
            "bytes": pool.bytes_per_stream,
            "open": len(pool),
            "capacity": pool.capacity,
        }


def load(folder: Path, task: Task | None, streams: int, idle: float) -> Version:
    """The bundle in a folder, ready to be served. Raises BundleError."""
    found = stamp(folder)  # before it is read: a change while it is, is seen later
    bundle = recurra.load(folder, task)
    dropped: dict[str, bytes] = {}
    why, pool, blind = "", None, False
    try:
        pool = StreamPool(bundle, streams, idle=idle, on_drop=dropped.__setitem__)
    except RecurraError as error:
        why = str(error).replace(str(bundle.path), folder.name)
    if pool is not None and pool.model.kind == "picture" and _is_blind(pool):
        why, pool, blind = BLIND, None, True
    return Version(bundle, bundle.record["seal"], pool, why, found, dropped, blind)


def _is_blind(pool: StreamPool) -> bool:
    """Whether it takes no picture, not even its own example of one."""
    try:
        pool.model.checked(pool.model.example)
    except DataError:
        return True
    return False


def stamp(folder: Path) -> object:
    """What changes when another bundle is put into the folder; its record is written last."""
    try:
        about = (folder / RECORD).stat()
    except OSError:
        return None
    return about.st_ino, about.st_mtime_ns, about.st_size
