"""One open stream: what its client has sent and has not been answered yet."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from recurra.serve.batching import Lane
    from recurra.serve.refusals import Refused
    from recurra.serve.versions import Version


class Item(NamedTuple):
    """Something to do for a stream: open it, take a frame, say no to one, or let go of it."""

    kind: str
    frame: bytes = b""
    at: float = 0.0
    refused: Refused | None = None


OPEN, FRAME, REFUSE, LEAVE = "open", "frame", "refuse", "leave"


class Reply(NamedTuple):
    """What comes of an item: text for the client, and a code and reason where the stream is at its end."""

    text: bytes | None = None
    more: tuple[bytes, ...] = ()  # texts after it
    code: int = 0
    reason: str = ""
    refused: Refused | None = None  # of an item OPEN alone


class Stream:
    """A stream and its queue. The event loop owns it, but for what is said to be the lane's thread's.

    reply    is called on the loop with each Reply
    slot     its name in the pool
    key      of its session in the store, None where it has none
    owner    by which the store knows us from any other that took the session
    answers  last ones of a session, (step, JSON); the thread's
    steps    it has taken, for whoever reads; the thread's
    there    whether it has a slot; the thread's
    alone    its state has come from a client, so it is stepped without others; the thread's
    counted  the version that has it among its users
    """

    __slots__ = (
        "after",
        "alone",
        "answers",
        "counted",
        "fresh",
        "held",
        "in_flight",
        "key",
        "lane",
        "left",
        "listed",
        "owner",
        "reply",
        "session",
        "slot",
        "steps",
        "there",
        "version",
        "waiting",
    )

    def __init__(
        self,
        lane: Lane,
        version: Version,
        reply: Callable[[Reply], None],
        session: str | None = None,
        *,
        fresh: bool = False,
        after: int | None = None,
    ) -> None:
        self.lane, self.version, self.reply = lane, version, reply
        self.counted = version
        self.session, self.fresh, self.after = session, fresh, after
        self.key = None if session is None else f"{lane.name}:{session}"
        self.slot = self.owner = secrets.token_hex(8)
        self.answers: deque[tuple[int, bytes]] = deque(maxlen=lane.settings.in_flight)
        self.waiting: deque[Item] = deque()
        self.in_flight = 0  # frames that are not answered yet
        self.steps = 0
        self.listed = False  # among the lane's ready ones, or in its running step
        self.held = False  # its client does not read what it is sent
        self.there = self.alone = False
        self.left = False

    def give(self, item: Item) -> None:
        """Add a frame to the queue."""
        self.waiting.append(item)
        self.in_flight += 1
        self.lane.ready(self)

    def hold(self, held: bool) -> None:
        """Stop answering while the client does not read, and go on after."""
        self.held = held
        if not held:
            self.lane.ready(self)

    def leave(self) -> None:
        """The client has gone: what waits is dropped, the state kept, the slot free. Once is enough."""
        if not self.left:
            self.left, self.held = True, False
            self.lane.drop_waiting(self)
            self.waiting.append(Item(LEAVE))
            self.lane.ready(self)
