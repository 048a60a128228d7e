"""What waits is taken together: one step of the pool for all streams that have an observation by then."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from recurra.serve.keeping import BROKEN
from recurra.serve.limits import Room
from recurra.serve.refusals import Refused, overloaded, stopping
from recurra.serve.settings import Settings
from recurra.serve.steps import Replies, Work, said_no
from recurra.serve.store import Store
from recurra.serve.streams import FRAME, LEAVE, OPEN, REFUSE, Item, Reply, Stream

if TYPE_CHECKING:
    from recurra.serve.metrics import Counts
    from recurra.serve.versions import Version

LOG = logging.getLogger("recurra.serve")

EXPIRE_EVERY = 1.0  # seconds between looks for streams that are idle
MOST = 2048  # items that are taken together
QUICK = 0.005  # seconds of a step that is not worth another thread
Batch = list[tuple[Stream, Item]]


class Lane:
    """The streams of one bundle, in all its versions that are still in use, and the thread that steps them.

    As soon as a step is done, the next takes whatever has come in the meantime: alone, a stream is answered
    at once, and under load the steps become as large as they must. Everything but `_run` is the loop's; what
    the thread does, the loop does instead where it is quick, never both at once.
    """

    def __init__(
        self,
        name: str,
        version: Version,
        *,
        settings: Settings,
        store: Store,
        counts: Counts,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.name, self.settings, self._loop, self._counts = name, settings, loop, counts
        self.version = version  # of new streams
        self._old: list[Version] = []
        self.sessions: dict[str, Stream] = {}
        self.room = Room(settings.wait)
        self.frames = 0  # that wait
        self.stopping = False
        self._ready: deque[Stream] = deque()
        self._busy = self._asked = False
        self._since = self._expired = time.monotonic()
        self._work = Work(store, settings.time)
        self._batches: queue.SimpleQueue[tuple[Batch, tuple[Version, ...]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"recurra-{name}", daemon=True)
        self._thread.start()

    # What sockets ask for.

    def open(
        self, reply: Callable[[Reply], None], session: str | None, *, fresh: bool, after: int | None
    ) -> Stream:
        """A new stream; its first reply says whether it could be opened. Raises Refused."""
        if self.stopping:
            raise stopping()
        if self.version.pool is None:
            raise Refused(409, "conflict", self.version.why)
        stream = Stream(self, self.version, reply, session, fresh=fresh, after=after)
        if stream.key is not None:
            before = self.sessions.get(stream.key)
            if before is not None:  # its client has lost its connection, as it seems
                self._let_go(before, Reply(code=4001, reason="the session is open elsewhere now"))
            self.sessions[stream.key] = stream
        self.version.users += 1
        self._counts.streams[self.name] += 1
        stream.waiting.append(Item(OPEN))
        self.ready(stream)
        return stream

    def take(self, stream: Stream, frame: bytes) -> None:
        """A frame of a stream; where it could not be answered in time, it is refused instead."""
        now = time.monotonic()
        if not self.room.admits(self.frames, now) and b'"observation"' in frame:
            self._counts.refused[self.name] += 1
            item = Item(REFUSE, frame, now, overloaded(max(self.room.took, self.settings.wait)))
            if stream.in_flight:  # answers come in the order of the frames
                stream.give(item)
            else:
                stream.reply(said_no(stream, item))
            return
        self.frames += 1
        stream.give(Item(FRAME, frame, now))

    def drop_waiting(self, stream: Stream) -> None:
        """Forget what a stream has not begun."""
        self.frames -= sum(item.kind == FRAME for item in stream.waiting)
        stream.waiting.clear()

    def ready(self, stream: Stream) -> None:
        """Something waits in the stream's queue, perhaps."""
        if stream.waiting and not stream.listed and not stream.held:
            stream.listed = True
            self._ready.append(stream)
            self._soon()

    def tick(self) -> None:
        """Look for idle streams, now and then."""
        if self._looks_due(time.monotonic()):
            self._soon()

    def _looks_due(self, now: float) -> bool:
        """Whether it is time to look for idle streams."""
        return now - self._expired >= min(EXPIRE_EVERY, self.settings.idle / 4)

    def swap(self, version: Version) -> None:
        """New streams go on with this version; the one before is let go with the last of its streams."""
        if self.version.users:
            self._old.append(self.version)
        self.version = version

    def seals(self) -> Collection[str]:
        """Of the versions whose sessions can go on. From any thread."""
        return [version.seal for version in (self.version, *self._old)]

    def version_of(self, seal: str, default: Version) -> Version:
        """The version with this seal. From any thread."""
        return next((one for one in (self.version, *self._old) if one.seal == seal), default)

    @property
    def versions(self) -> int:
        """How many are in use."""
        return 1 + len(self._old)

    def idle(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return not self._busy and not self._ready

    def close(self) -> None:
        """End the thread, once its step is done."""
        self._batches.put(None)

    # From one step to the next.

    def _soon(self) -> None:
        """Begin a step once the loop has read all that has come."""
        if not self._busy and not self._asked:
            self._asked = True
            self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._asked = False
        if self._busy:
            return
        batch: Batch = []
        while self._ready and len(batch) < MOST:
            stream = self._ready.popleft()
            if stream.waiting and not stream.held:
                item = stream.waiting.popleft()
                self.frames -= item.kind == FRAME
                batch.append((stream, item))
            else:
                stream.listed = False
        now = time.monotonic()
        expire: tuple[Version, ...] = ()
        if self._looks_due(now):
            self._expired, expire = now, (self.version, *self._old)
        if not batch and not expire:
            return
        self._busy, self._since = True, now
        if not expire and self._is_quick(batch):
            self._done(batch, self._do(batch), [])
        else:
            self._batches.put((batch, expire))

    def _is_quick(self, batch: Batch) -> bool:
        """Whether a step is over before another thread would have taken it up, and waits for nothing else.

        Two threads of Python take turns, and each turn costs more than such a step.
        """
        if self.room.took > QUICK or self.room.each * len(batch) > QUICK:
            return False
        waits = self._work.waits or self.version.uneven
        return not waits and all(item.kind == FRAME for _, item in batch)

    def _do(self, batch: Batch) -> Replies:
        try:
            return self._work.do(batch)
        except Exception as error:
            LOG.error("an error in the streams of %s", self.name, exc_info=error)
            return [(stream, self._work.keeping.lost(stream, BROKEN)) for stream, _ in batch]

    def _run(self) -> None:
        """The thread: one batch after the other."""
        while (given := self._batches.get()) is not None:
            batch, expire = given
            idle = [reply for version in expire for reply in self._work.keeping.expire(version)]
            replies = self._do(batch)
            try:
                self._loop.call_soon_threadsafe(self._done, batch, replies, idle)
            except RuntimeError:  # the loop has ended
                return

    def _done(self, batch: Batch, replies: Replies, idle: Replies) -> None:
        self._busy = False
        now, frames, others = time.monotonic(), 0, 0
        for stream, reply in idle:
            self._let_go(stream, reply)
        for stream, item in batch:
            stream.listed = False
            if item.kind == FRAME:
                frames += 1
                stream.in_flight -= 1
                self._counts.latency(now - item.at)
            elif item.kind == REFUSE:
                stream.in_flight -= 1
            else:
                others += 1
                if item.kind == LEAVE:
                    self._left(stream)
        if frames:
            self._counts.stepped(self.name, self._work.stepped, frames)
            if frames > others:  # what opening and leaving take is another matter
                self.room.step_took(now - self._since, frames, now)
        for stream, reply in replies:
            self._answer(stream, reply)
        for stream, _ in batch:
            if stream.waiting and not stream.held and not stream.listed:
                stream.listed = True
                self._ready.append(stream)
        if self._ready:
            self._soon()

    def _answer(self, stream: Stream, reply: Reply) -> None:
        if stream.version is not stream.counted:  # a session of an older version
            stream.counted.users -= 1
            stream.version.users += 1
            stream.counted = stream.version
        if stream.left:
            return
        if reply.code or reply.refused is not None:
            self._let_go(stream, reply)
        else:
            stream.reply(reply)

    def _let_go(self, stream: Stream, reply: Reply) -> None:
        """Tell the client that this is the end, and free the stream."""
        if not stream.left:
            stream.reply(reply)
            stream.leave()

    def _left(self, stream: Stream) -> None:
        self._counts.streams[self.name] -= 1
        if stream.key is not None and self.sessions.get(stream.key) is stream:
            del self.sessions[stream.key]
        stream.counted.users -= 1
        if not stream.counted.users and stream.counted in self._old:
            self._old.remove(stream.counted)
