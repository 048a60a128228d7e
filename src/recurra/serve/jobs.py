"""Requests that take a while: on threads, as many at once as there are workers; none that would be late."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from recurra.errors import DataError
from recurra.serve.refusals import Refused, overloaded, stopping

T = TypeVar("T")

RECENT = 0.2  # weight of the newest request in the mean time of its kind and size
FORGET = 0.95  # of that mean, where it was a reason to refuse
PATIENCE = 0.1  # seconds of waiting that nobody minds, whatever the request takes
MOST_WAITING = 64
AHEAD = 64  # pieces that a writer may be ahead of its reader


@dataclass(slots=True, eq=False)
class Job:
    """One of a kind.

    takes  seconds, by those before it; none once nobody waits for it any longer
    begun  when, once it has
    whole  whether how long it took says how long another takes
    """

    kind: object
    size: int
    takes: float
    begun: float | None = None
    whole: bool = True


class Jobs:
    """Threads, and how long what they are given takes. On the loop, but for the work itself."""

    def __init__(self, workers: int, limit: float) -> None:
        self._workers, self._limit = workers, limit
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="recurra-job")
        self._means: dict[tuple[object, int], float] = {}  # seconds by kind and class of size
        self._jobs: set[Job] = set()
        self.closed = threading.Event()

    @property
    def waiting(self) -> int:
        """Requests that no worker has taken yet."""
        return sum(job.begun is None for job in self._jobs)

    async def run(self, kind: object, size: int, work: Callable[[], T]) -> T:
        """What `work` gives. size: of the request, in what makes it longer. Raises Refused."""
        future, _ = self._submit(kind, size, work)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self._limit)
        except TimeoutError:
            raise _late(self._limit) from None

    async def pieces(self, kind: object, size: int, work: Callable[[], Iterator[str]]) -> AsyncIterator[str]:
        """What `work` gives, piece by piece; it ends when nobody takes them any longer."""
        loop = asyncio.get_running_loop()
        found: asyncio.Queue[str | None] = asyncio.Queue()
        # A reader that is slower than the writer keeps it waiting, not filling memory.
        room, gone = threading.Semaphore(AHEAD), threading.Event()
        until = time.monotonic() + self._limit

        def write() -> None:
            for piece in work():
                while not room.acquire(timeout=0.1):
                    if gone.is_set() or time.monotonic() > until:
                        break
                if gone.is_set() or self.closed.is_set():
                    return
                if time.monotonic() > until:
                    raise _late(self._limit)
                loop.call_soon_threadsafe(found.put_nowait, piece)

        future, job = self._submit(kind, size, write)
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(found.put_nowait, None))
        try:
            while (piece := await found.get()) is not None:
                room.release()
                yield piece
            await asyncio.wrap_future(future)
        finally:
            gone.set()
            job.takes, job.whole = 0.0, future.done()

    def _submit(self, kind: object, size: int, work: Callable[[], T]) -> tuple[Future[T], Job]:
        """Begin work, or raise Refused where it could not be done in time."""
        if self.closed.is_set():
            raise stopping()
        loop = asyncio.get_running_loop()
        job = self._admitted(kind, max(size, 1))

        def run() -> T:
            job.begun = time.monotonic()
            return guarded(work)

        future = self._threads.submit(run)
        self._jobs.add(job)
        future.add_done_callback(lambda _: _call(loop, self._done, job, time.monotonic()))
        return future, job

    def _admitted(self, kind: object, size: int) -> Job:
        place = self._known(kind, size)
        takes = 0.0 if place is None else self._means[place]
        now = time.monotonic()
        ahead = sum(max(job.takes - (now - (job.begun or now)), 0.0) for job in self._jobs)
        wait, waiting = ahead / self._workers, self.waiting
        busy = len(self._jobs) >= self._workers
        if place is not None and takes > self._limit:
            self._means[place] *= FORGET  # it may have become quicker: one of many is let in
            raise overloaded(takes)
        if busy and (waiting >= MOST_WAITING or wait > max(PATIENCE, takes) or wait + takes > self._limit):
            raise overloaded(max(wait, PATIENCE))
        return Job(kind, size, takes)

    def _known(self, kind: object, size: int) -> tuple[object, int] | None:
        """Requests of about this size, or smaller ones: how much longer larger ones take, nobody knows."""
        classes = range(size.bit_length() // 2, -1, -1)
        return next(((kind, one) for one in classes if (kind, one) in self._means), None)

    def _done(self, job: Job, now: float) -> None:
        self._jobs.discard(job)
        if job.begun is not None and job.whole:
            place, took = (job.kind, job.size.bit_length() // 2), now - job.begun
            mean = self._means.get(place, took)
            self._means[place] = mean + RECENT * (took - mean)

    def close(self) -> None:
        """Take nothing more, and stop what can be stopped."""
        self.closed.set()
        self._threads.shutdown(wait=False, cancel_futures=True)


def _call(loop: asyncio.AbstractEventLoop, what: Callable[..., None], *given: Any) -> None:
    try:
        loop.call_soon_threadsafe(what, *given)
    except RuntimeError:  # the loop has ended
        return


def guarded(work: Callable[[], T]) -> T:
    """Run work; a panic inside a reader of files, which is no Exception, becomes an error of the data."""
    try:
        return work()
    except Exception:
        raise
    except BaseException as error:
        if type(error).__name__ == "PanicException":
            raise DataError("expected a whole file, got a damaged one. Write it anew.") from error
        raise


def _late(limit: float) -> Refused:
    return Refused(504, "too_late", f"expected an answer within {limit:g} s, got none. Ask for less.")
