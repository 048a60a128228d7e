"""Streams as sessions: opened from the store, kept in it, and let go of. On a lane's thread."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from recurra.errors import RecurraError
from recurra.serve.refusals import Refused, refusal
from recurra.serve.store import Entry, Kept, OtherVersion, Store, StoreError
from recurra.serve.streams import Reply, Stream

if TYPE_CHECKING:
    from recurra.serve.versions import Version
    from recurra.stream import StreamPool

LOG = logging.getLogger("recurra.serve")

GONE = Reply(code=1001, reason="the stream was idle")
BROKEN = Reply(code=1011, reason="an error in the server")
AWAY = Reply(code=1013, reason="the sessions' store does not answer, come again")
TAKEN = Reply(code=4001, reason="the session is open elsewhere now")


def written(answer: Any) -> bytes:
    """As JSON, with null for what is no number."""
    return to_json(answer, inf_nan_mode="null")


def pool_of(stream: Stream) -> StreamPool:
    """That of its version, which can stream."""
    pool = stream.version.pool
    assert pool is not None
    return pool


class Keeping:
    """Opens, keeps and frees streams."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def open(self, stream: Stream) -> Reply:
        """A slot for the stream, and its session's state in it."""
        kept = None
        try:
            if stream.key is not None:
                seals = stream.lane.seals()
                kept = self.store.take(stream.key, stream.owner, seals, fresh=stream.fresh)
            if kept is not None:
                stream.version = stream.lane.version_of(kept.version, stream.version)
            pool_of(stream).open(stream.slot, None if kept is None else kept.state)
        except OtherVersion:
            message = (
                f"expected a session of this bundle's version {stream.version.name}, got one of another. "
                "Begin it anew with fresh=true."
            )
            return Reply(refused=Refused(409, "conflict", message))
        except StoreError as error:
            LOG.warning("the store does not answer: %s", error)
            message = "expected an answer of the sessions' store, got none. Come again."
            return Reply(refused=Refused(503, "overloaded", message, 1))
        except RecurraError as error:
            if kept is not None:  # it was taken, and goes back
                self.store.put([Entry(stream.key or "", stream.owner, kept)])
            return Reply(refused=refusal(error, stream.version.bundle.path))
        stream.version.places[stream.slot] = stream
        stream.there, stream.steps = True, pool_of(stream).steps(stream.slot)
        if kept is not None:
            stream.answers.extend(kept.answers)
            stream.alone = kept.alone
        return self._opened(stream)

    def _opened(self, stream: Stream) -> Reply:
        after = stream.after
        again = () if after is None else tuple(text for step, text in stream.answers if step > after)
        about = {
            "bundle": stream.lane.name,
            "version": stream.version.name,
            "session": stream.session,
            "steps": stream.steps,
            "resent": len(again),
            "kind": pool_of(stream).model.kind,
            "in_flight": stream.lane.settings.in_flight,
        }
        return Reply(written({"open": about}), again)

    def leave(self, stream: Stream) -> None:
        """The client has gone: its session waits in the store. Raises StoreError, and the slot is free."""
        if stream.there:
            try:
                if not self.store.every_step:
                    self.keep(stream)
            finally:
                self.free(stream)

    def free(self, stream: Stream) -> None:
        """Free a stream's slot, if it has one."""
        if stream.there:
            stream.there = False
            pool_of(stream).close(stream.slot)
            del stream.version.places[stream.slot]

    def lost(self, stream: Stream, reply: Reply) -> Reply:
        """Free a stream's slot; the reply says why."""
        self.free(stream)
        return reply

    def forget(self, stream: Stream) -> None:
        """The stream is at its end, and its session too. Raises StoreError."""
        if stream.key is not None:
            self.store.forget(stream.key, stream.owner)
        self.free(stream)

    def keep(self, stream: Stream) -> bool:
        """Keep a session as it is now; False where another has taken it. Raises StoreError."""
        return self._keep(stream, pool_of(stream).state(stream.slot))

    def _keep(self, stream: Stream, state: bytes) -> bool:
        if stream.key is None:
            return True
        kept = Kept(stream.version.seal, state, tuple(stream.answers), stream.alone)
        return self.store.put([Entry(stream.key, stream.owner, kept)])[0]

    def keep_answered(self, going: Sequence[tuple[Stream, Reply]]) -> list[tuple[Stream, Reply]]:
        """Keep sessions that have gone a step on: no answer goes out before the state after it is kept."""
        entries = []
        for stream, _ in going:
            state = pool_of(stream).state(stream.slot)
            kept = Kept(stream.version.seal, state, (stream.answers[-1],), stream.alone)
            entries.append(Entry(stream.key or "", stream.owner, kept))
        try:
            ours = self.store.put(entries)
        except StoreError as error:
            LOG.warning("the store does not answer: %s", error)
            return [(stream, self.lost(stream, AWAY)) for stream, _ in going]
        return [
            (stream, reply if kept else self.lost(stream, TAKEN))
            for (stream, reply), kept in zip(going, ours, strict=True)
        ]

    def expire(self, version: Version) -> list[tuple[Stream, Reply]]:
        """Close what has been idle for too long; sessions wait in the store."""
        if version.pool is None:
            return []
        gone = [version.places.pop(slot) for slot in version.pool.expire()]
        for stream in gone:
            stream.there = False
            try:
                if not self.store.every_step:
                    self._keep(stream, version.dropped[stream.slot])
            except StoreError as error:
                LOG.warning("the store does not answer: %s", error)
        version.dropped.clear()
        return [(stream, GONE) for stream in gone]
