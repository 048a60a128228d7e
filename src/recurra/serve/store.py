"""Where sessions wait while nobody is connected to them: in memory or in a folder."""

from __future__ import annotations

import base64
import hashlib
import time
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from recurra import sealed

FORMAT = 1
CLEAN_EVERY = 1024  # files written


class StoreError(Exception):
    """A store that does not answer."""


class OtherVersion(Exception):
    """A session of a version of the bundle that is not served."""


@dataclass(slots=True)
class Kept:
    """A session: its stream's state, and its last answers (step, JSON), the oldest first.

    alone: its state has come from a client at some time, so it is stepped without others.
    """

    version: str
    state: bytes
    answers: Sequence[tuple[int, bytes]] = ()
    alone: bool = False


class Entry(NamedTuple):
    """What a store is to keep for a session. owner: who has taken it last, if it is us."""

    key: str
    owner: str
    kept: Kept


class Store(Protocol):
    """Sessions by key. Calls come from several threads.

    every_step: whether `put` is called before an answer goes out, or only when a client has gone.
    """

    every_step: bool

    def take(self, key: str, owner: str, versions: Collection[str], *, fresh: bool) -> Kept | None:
        """The session, for this owner from now on; None for a new one. fresh: forget it first.

        Raises OtherVersion for a session of none of these versions, and StoreError.
        """

    def put(self, entries: Sequence[Entry]) -> list[bool]:
        """Keep sessions; False for each that another owner has taken. Raises StoreError."""

    def forget(self, key: str, owner: str) -> None:
        """End a session. Raises StoreError."""

    def alive(self) -> bool:
        """Whether it answers."""

    def close(self) -> None:
        """Let go of what it holds."""


class MemoryStore:
    """Sessions in this process, at most so many, each for so many seconds."""

    every_step = False

    def __init__(self, most: int, keep: float) -> None:
        self._most, self._keep = most, keep
        self._kept: OrderedDict[str, tuple[Kept, float]] = OrderedDict()

    def take(self, key: str, owner: str, versions: Collection[str], *, fresh: bool) -> Kept | None:
        """See `Store`."""
        self._expire()
        if fresh:
            self._kept.pop(key, None)
        found = self._kept.get(key)
        if found is None:
            return None
        if found[0].version not in versions:
            raise OtherVersion
        del self._kept[key]
        return found[0]

    def put(self, entries: Sequence[Entry]) -> list[bool]:
        """See `Store`."""
        for key, _, kept in entries:
            self._kept.pop(key, None)
            self._kept[key] = kept, time.monotonic() + self._keep
        self._expire()
        return [True] * len(entries)

    def forget(self, key: str, owner: str) -> None:
        """See `Store`."""
        self._kept.pop(key, None)

    def alive(self) -> bool:
        """See `Store`."""
        return True

    def close(self) -> None:
        """See `Store`."""

    def _expire(self) -> None:
        now = time.monotonic()
        while self._kept:
            key, (_, until) = next(iter(self._kept.items()))
            if until > now and len(self._kept) <= self._most:
                return
            self._kept.pop(key, None)


class FolderStore:
    """A file a session, written when its client has gone and when the server stops; so many at most."""

    every_step = False

    def __init__(self, folder: Path, most: int, keep: float) -> None:
        self._folder, self._most, self._keep = folder, most, keep
        self._written = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._clean()
        except OSError as error:
            raise StoreError(f"expected a folder for states, got {error.strerror}. Name another.") from error

    def _clean(self) -> None:
        """Remove what is too old, and the oldest of what is too much."""
        found = sorted((path.stat().st_mtime, path) for path in self._folder.glob("*.session.json"))
        since = time.time() - self._keep
        for place, (at, path) in enumerate(found):
            if at < since or place < len(found) - self._most:
                path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:40]}.session.json"

    def take(self, key: str, owner: str, versions: Collection[str], *, fresh: bool) -> Kept | None:
        """See `Store`."""
        path = self._path(key)
        if fresh:
            path.unlink(missing_ok=True)
        try:
            if path.stat().st_mtime < time.time() - self._keep:
                path.unlink(missing_ok=True)
            record = sealed.unseal(path.read_bytes(), FORMAT)
        except FileNotFoundError:
            return None
        except (OSError, sealed.BrokenSeal) as error:
            raise StoreError(f"expected a session's file, got {error}") from error
        if record["version"] not in versions:
            raise OtherVersion
        answers = [(int(step), answer.encode()) for step, answer in record["answers"]]
        return Kept(record["version"], base64.b64decode(record["state"]), answers, record["alone"])

    def put(self, entries: Sequence[Entry]) -> list[bool]:
        """See `Store`."""
        for key, _, kept in entries:
            record = {
                "format": FORMAT,
                "key": key,
                "version": kept.version,
                "alone": kept.alone,
                "state": base64.b64encode(kept.state).decode(),
                "answers": [(step, answer.decode()) for step, answer in kept.answers],
            }
            try:
                sealed.write(self._path(key), sealed.seal(record))
            except OSError as error:
                raise StoreError(f"expected to write a session's file, got {error}") from error
        self._written += len(entries)
        if self._written >= CLEAN_EVERY:
            self._written = 0
            self._clean()
        return [True] * len(entries)

    def forget(self, key: str, owner: str) -> None:
        """See `Store`."""
        self._path(key).unlink(missing_ok=True)

    def alive(self) -> bool:
        """See `Store`."""
        return self._folder.is_dir()

    def close(self) -> None:
        """See `Store`."""
