"""All that a running server holds: its bundles, sessions, work, and how it stops."""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.errors import RecurraError
from recurra.serve import versions
from recurra.serve.batching import Lane
from recurra.serve.jobs import Jobs
from recurra.serve.limits import Door
from recurra.serve.metrics import Counts
from recurra.serve.refusals import Refused, overloaded, stopping
from recurra.serve.settings import Settings
from recurra.serve.store import Store

if TYPE_CHECKING:
    from recurra.serve.sockets import Socket
    from recurra.serve.versions import Version

LOG = logging.getLogger("recurra.serve")

TICK = 0.5  # seconds between looks at what is idle, and for other bundles in the folders
CLOSING = 2.0  # seconds for clients to answer that a socket is closed
# Late by so many seconds, so many times on end: then there are too many sockets.
LATE, TIMES_LATE = 0.1, 3
TOO_MANY = 1013, "more work than the server can do, come again"
FAR = 1012, "the server stops, come again"


class Hub:
    """The server's bundles by name, and everything that they share. On the loop."""

    def __init__(
        self, settings: Settings, folders: Mapping[str, Path], found: Mapping[str, Version], store: Store
    ) -> None:
        self.settings, self.folders, self.store = settings, dict(folders), store
        self.counts, self.door = Counts(), Door(settings)
        self.jobs = Jobs(settings.workers, settings.time)
        self.sockets: dict[Socket, None] = {}  # the newest last
        self.behind: dict[Socket, None] = {}  # whose frames wait for too long to be looked at
        self.lag = 0.0  # seconds by which the loop is late
        self._overloaded = False  # late even in refusing
        self.lanes: dict[str, Lane] = {}
        self.stopping = False
        self._found = found
        self._tried: dict[str, object] = {}
        self._swapping = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to work, on this loop."""
        for name, version in self._found.items():
            self.lanes[name] = Lane(
                name, version, settings=self.settings, store=self.store, counts=self.counts, loop=loop
            )
        self._found = {}
        self.counts.gauges |= {
            "recurra_sockets": ("Open sockets.", lambda: len(self.sockets)),
            "recurra_lag_seconds": ("By which the event loop is late.", lambda: self.lag),
            "recurra_requests_waiting": ("Requests that wait for a worker.", lambda: self.jobs.waiting),
            "recurra_versions": (
                "Versions of bundles in use.",
                lambda: sum(lane.versions for lane in self.lanes.values()),
            ),
            "recurra_slots": (
                "Slots of pools that are taken.",
                lambda: sum(len(lane.version.pool or ()) for lane in self.lanes.values()),
            ),
        }
        self.begin(self._ticking())
        self.begin(self._listening())

    def begin(self, work: Any) -> None:
        """Do something beside."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def streams(self) -> int:
        """How many are open."""
        return self.counts.streams.total()

    def lane(self, name: str) -> Lane:
        """Of a bundle. Raises Refused."""
        try:
            return self.lanes[name]
        except KeyError:
            known = ", ".join(self.lanes)
            raise Refused(
                404, "not_found", f"expected a bundle among {known}, got another name. Name one of these."
            ) from None

    def room_for_a_stream(self) -> None:
        """Raises Refused where no stream can be opened now."""
        if self.stopping:
            raise stopping()
        if self._overloaded:
            raise overloaded(1.0)
        if self.streams >= self.settings.streams:
            raise Refused(
                503,
                "overloaded",
                f"expected fewer than {self.settings.streams} open streams, got all of them. Come again.",
                5,
            )

    # Another bundle in the folder.

    async def reload(self, name: str) -> Version:
        """The bundle that is in the folder now, for new streams and requests. Raises BundleError."""
        lane = self.lane(name)
        async with self._swapping:
            found = await asyncio.to_thread(
                versions.load,
                self.folders[name],
                None,
                self.settings.streams,
                self.settings.idle,
            )
            if found.seal == lane.version.seal:
                lane.version.stamp = found.stamp
            else:
                lane.swap(found)
                LOG.info("%s is now %s", name, found.name)
        return lane.version

    async def reload_all(self) -> None:
        """The same for all; what cannot be read stays as it is."""
        for name in self.lanes:
            await self._try(name)

    async def _try(self, name: str) -> None:
        try:
            await self.reload(name)
        except (RecurraError, OSError) as error:
            LOG.warning("%s stays as it is: %s", name, error)

    async def _ticking(self) -> None:
        while not self.stopping:
            await asyncio.sleep(TICK)
            for name, lane in self.lanes.items():
                lane.tick()
                stamp = versions.stamp(self.folders[name])
                # One that could not be read is not tried again before it changes.
                news = stamp not in (None, lane.version.stamp, self._tried.get(name))
                if self.settings.watch and news and not self._swapping.locked():
                    self._tried[name] = stamp
                    self.begin(self._try(name))
            now = time.monotonic()
            for socket in tuple(self.sockets):
                socket.tick(now)

    async def _listening(self) -> None:
        """Find out when there is more to read than can be read, even only to say no: then sockets go."""
        late, seen = 0, (0, 0)
        while not self.stopping:
            begun = time.monotonic()
            await asyncio.sleep(LATE)
            lag = time.monotonic() - begun - LATE
            counted = self.counts.refused.total(), sum(self.counts.steps.values())
            no, yes = (count - before for count, before in zip(counted, seen, strict=True))
            self.lag = max(lag, self.lag / 2)
            self._overloaded = no > 0 and (lag > LATE or bool(self.behind))
            late = late + 1 if self._overloaded else min(late + (late < 0), 0)
            if late >= TIMES_LATE:
                late = -TIMES_LATE  # it takes a moment until that is felt
                self._shed(no / (no + yes) / 2)
            self.behind.clear()
            seen = counted

    def _shed(self, share: float) -> None:
        """Close a share of the sockets: the newest of those whose frames wait, or of all."""
        most = math.ceil(sum(one.open for one in self.sockets) * share)
        some = (one for one in reversed(self.behind or self.sockets) if one.open)
        for socket in tuple(itertools.islice(some, most)):
            socket.end(*TOO_MANY)

    # The end.

    async def stop(self) -> None:
        """No new work; what is under way is answered, states are kept, sockets closed."""
        self.stopping = True
        for lane in self.lanes.values():
            lane.stopping = True
        until = time.monotonic() + self.settings.grace
        await self._wait(until, lambda: all(lane.idle() for lane in self.lanes.values()))
        for socket in tuple(self.sockets):
            socket.end(*FAR)
        await self._wait(until + CLOSING, lambda: not self.streams)
        await self._wait(time.monotonic() + CLOSING, lambda: not self.sockets)
        for socket in tuple(self.sockets):
            socket.abort()
        self.jobs.close()
        for lane in self.lanes.values():
            lane.close()
        self.store.close()

    async def _wait(self, until: float, done: Any) -> None:
        while not done() and time.monotonic() < until:
            await asyncio.sleep(0.01)
