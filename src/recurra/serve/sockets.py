"""A WebSocket with a stream behind it: its frames to the stream, the stream's replies to it.

This stands below ASGI, where a message of a socket costs two tasks and several dictionaries, since a server
of ten thousand streams spends its time on frames. The protocol itself is the package websockets'.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket as sockets_
import time
from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from websockets.datastructures import Headers
from websockets.exceptions import InvalidState, ProtocolError
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from recurra.serve.frames import of_text, size_of, text_in
from recurra.serve.refusals import Refused, refusal
from recurra.serve.settings import NAME

if TYPE_CHECKING:
    from websockets.typing import Subprotocol

    from recurra.serve.hub import Hub
    from recurra.serve.streams import Reply, Stream

LOG = logging.getLogger("recurra.serve.sockets")
LOG.setLevel(logging.WARNING)  # of frames, nothing

PATH = re.compile(r"/v1/bundles/([^/]+)/stream")
SUBPROTOCOL = "recurra.v1"
QUERY = {"session", "fresh", "after"}
TURN = 4  # frames of a socket that are taken before the others' are
LATE = 0.1  # seconds that frames may wait for their turn
END_OF_HEAD = b"\r\n\r\n"
FRAGMENTS = 256  # that a message may come in
QUIET = 25.0  # seconds without a frame either way, after which we ask whether the client is there
DEAF = 60.0  # seconds that a client may leave its answers unread
CLOSING = 5.0  # seconds for a client to say that it closes, too
# By which the kernel finds out that a client is not there any longer, in seconds.
KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}


def select_subprotocol(_: ServerProtocol, offered: Any) -> Subprotocol | None:
    """Ours, where the client knows it."""
    return SUBPROTOCOL if SUBPROTOCOL in offered else None  # type: ignore[return-value]


class Socket(asyncio.Protocol):
    """One connection, from its handshake on. uvicorn makes it where a request asks for a WebSocket."""

    def __init__(self, hub: Hub, config: Any, server_state: Any, app_state: Any, _loop: Any = None) -> None:
        self._hub, self._root = hub, config.root_path
        self._ws = ServerProtocol(
            max_size=hub.settings.frame, select_subprotocol=select_subprotocol, logger=LOG
        )
        self._transport: asyncio.Transport = None  # type: ignore[assignment]
        self._request: Request | None = None
        self.stream: Stream | None = None
        self._events: deque[Any] = deque()
        self._parts: list[bytes] = []  # of a message in fragments
        # Bytes that have come of a frame that is not whole yet; None before the handshake.
        self._begun: int | None = None
        self._loop = asyncio.get_running_loop()
        self._paused = False  # not read from
        self._again = False  # the next frames will be taken in the loop's next turn
        self._full: float | None = None  # since when the client does not read what it is sent
        self._last = self._came = time.monotonic()
        self._closed: float | None = None  # when we began to close

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family in (sockets_.AF_INET, sockets_.AF_INET6):
            connection.setsockopt(sockets_.SOL_SOCKET, sockets_.SO_KEEPALIVE, 1)
            for name, value in KEEPALIVE.items():
                if hasattr(sockets_, name):
                    connection.setsockopt(sockets_.IPPROTO_TCP, getattr(sockets_, name), value)
        self._hub.sockets[self] = None

    def data_received(self, data: bytes) -> None:
        self._last = self._came = time.monotonic()
        text = text_in(data) if self._begun == 0 and not self._events and not self._parts else None
        if text is not None and self._may_take():
            self._message(text)
            if not self._may_take():
                self._balance()
            return
        self._ws.receive_data(data)
        events = self._ws.events_received()
        if self._begun is not None:
            self._begun += len(data) - sum(size_of(one) for one in events if isinstance(one, Frame))
        elif events and data.endswith(END_OF_HEAD):
            self._begun = 0
        self._events += events
        self._take_events()

    def _take_events(self) -> None:
        """A few of the frames that have come, so that all sockets have their turns."""
        self._again = False
        for _ in range(TURN):
            if not self._events or not self._may_take():
                break
            event = self._events.popleft()
            if isinstance(event, Frame):
                self._frame(event)
            elif isinstance(event, Request):
                self._handshake(event)
        self._flush()
        self._balance()
        if self._events and time.monotonic() - self._came > LATE:
            self._hub.behind[self] = None

    def eof_received(self) -> None:
        self._ws.receive_eof()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._hub.sockets.pop(self, None)
        self._hub.behind.pop(self, None)
        self._count()
        if self.stream is not None:
            self.stream.leave()
            self.stream = None

    def pause_writing(self) -> None:
        self._full = time.monotonic()
        self._balance()
        if self.stream is not None:
            self.stream.hold(True)

    def resume_writing(self) -> None:
        self._full = None
        if self.stream is not None:
            self.stream.hold(False)
        self._balance()

    def shutdown(self) -> None:
        """What uvicorn calls at its end; the hub has closed all sockets before."""
        self.abort()

    @property
    def open(self) -> bool:
        """Whether there is a stream behind it still."""
        return self.stream is not None and not self.stream.left

    # What comes in.

    def _handshake(self, request: Request) -> None:
        self._request = request
        try:
            self.stream = self._opened(request)
        except Exception as error:
            self._refuse(refusal(error))

    def _opened(self, request: Request) -> Stream:
        """The stream that is asked for. Raises Refused."""
        hub, headers = self._hub, request.headers
        given = {name.lower(): value for name, value in headers.raw_items()}
        hub.door.check_host(given)
        hub.door.check_origin(given)
        hub.door.check_token(given, ",".join(headers.get_all("sec-websocket-protocol")))
        url = urlsplit(request.path)
        found = PATH.fullmatch(url.path.removeprefix(self._root))
        if found is None:
            raise Refused(404, "not_found", "expected v1/bundles/{name}/stream, got another path.")
        lane = hub.lane(unquote(found[1]))
        session, fresh, after = _asked(url.query)
        hub.room_for_a_stream()
        stream = lane.open(self._reply, session, fresh=fresh, after=after)
        pool = lane.version.pool
        if pool is not None:  # a state that is given back must fit into a frame
            self._ws.max_message_size = hub.settings.frame + 2 * pool.bytes_per_stream + 4096
        return stream

    def _frame(self, frame: Frame) -> None:
        opcode = frame.opcode
        if opcode is Opcode.TEXT and frame.fin:
            self._message(frame.data)
        elif opcode is Opcode.TEXT or opcode is Opcode.CONT:
            self._parts.append(bytes(frame.data))
            if frame.fin:
                whole, self._parts = b"".join(self._parts), []
                self._message(whole)
            elif len(self._parts) > FRAGMENTS:
                self.end(1009, f"a message of more than {FRAGMENTS} fragments")
        elif opcode is Opcode.BINARY:
            self.end(1003, "expected text, got a binary frame")
        elif opcode is Opcode.CLOSE and self.stream is not None:
            self.stream.leave()

    def _message(self, data: Any) -> None:
        stream = self.stream
        if stream is None or not self.open:
            return
        if len(data) > self._hub.settings.frame and b'"restore"' not in data:
            self.end(1009, f"a frame of more than {self._hub.settings.frame} bytes")
            return
        stream.lane.take(stream, bytes(data))

    # What goes out.

    def _reply(self, reply: Reply) -> None:
        if self._request is not None:
            request, self._request = self._request, None
            if not self._accepted(request, reply):
                return
        if reply.text is not None and self._ws.state is State.OPEN:
            self._transport.write(of_text(reply.text))
            for text in reply.more:
                self._transport.write(of_text(text))
            self._last = time.monotonic()
        if reply.code:
            self.end(reply.code, reply.reason)
        elif self._paused:
            self._balance()

    def _accepted(self, request: Request, reply: Reply) -> bool:
        """Answer the handshake, now that the stream is open, or cannot be."""
        refused = reply.refused
        if refused is None and reply.code:
            refused = Refused(503, "overloaded", f"expected a stream, got none: {reply.reason}.", 1)
        if refused is None:
            response = self._ws.accept(request)
            if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
                self._ws.send_response(response)
                self._flush()
                return True
            refused = Refused(response.status_code, "bad_request", response.body.decode().strip())
        self._refuse(refused)
        return False

    def _refuse(self, refused: Refused) -> None:
        body = json.dumps(refused.body).encode()
        headers = Headers(
            {
                **refused.headers,
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                "Connection": "close",
            }
        )
        self._request = None
        self._ws.send_response(Response(refused.status, HTTPStatus(refused.status).phrase, headers, body))
        self._flush()
        self._close()

    def _flush(self) -> None:
        for data in self._ws.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._close()

    def _close(self) -> None:
        """Once all is written."""
        if self._closed is None:
            self._closed = time.monotonic()
        self._transport.close()

    # Reading and not reading.

    def _may_take(self) -> bool:
        """Whether the next frame may be looked at: the client reads, and has not too many under way."""
        stream = self.stream
        if stream is None or stream.left:
            return True
        return self._full is None and stream.in_flight < self._hub.settings.in_flight

    def _balance(self) -> None:
        """Read on, or take the next of what has been read, or neither."""
        if self._transport.is_closing():
            return
        may = self._may_take()
        if may and self._events and not self._again:
            self._again = True
            self._loop.call_soon(self._take_events)
        reading = may and not self._events
        if reading == self._paused:
            self._paused = not reading
            if reading:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    # The end.

    def end(self, code: int, reason: str) -> None:
        """Close with a code and its reason; the stream is let go."""
        if self._request is not None:  # no handshake yet
            self._refuse(Refused(503, "stopping", f"expected a stream, got none: {reason}.", 1))
        elif self._ws.state is State.OPEN:
            try:
                self._ws.send_close(code, reason)
            except (ProtocolError, InvalidState) as error:
                LOG.warning("a socket could not be closed: %s", error)
            self._closed = time.monotonic()
            self._flush()
        if self.stream is not None:
            self.stream.leave()
        self._events.clear()
        self._balance()  # read that the client closes, too

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def tick(self, now: float) -> None:
        """Now and then: who is not there, or does not read, is not waited for."""
        if self._full is not None and now - self._full > DEAF:
            self.abort()
        elif self._closed is not None:
            if now - self._closed > CLOSING:
                self.abort()
        elif now - self._last > QUIET and self._ws.state is State.OPEN:
            self._last = now
            self._ws.send_ping(b"")
            self._flush()

    def _count(self) -> None:
        sent, received = self._ws.close_sent, self._ws.close_rcvd
        code = sent.code if sent is not None else received.code if received is not None else 1006
        self._hub.counts.closed[str(int(code))] += 1


def _asked(query: str) -> tuple[str | None, bool, int | None]:
    """session, fresh, after. Raises Refused."""
    try:
        given = parse_qs(query, keep_blank_values=True, max_num_fields=8)
    except ValueError:
        given = {"": []}
    strange = sorted(set(given) - QUERY)
    if strange or any(len(values) > 1 for values in given.values()):
        raise Refused(400, "bad_request", "expected session, fresh and after, each once, got something else.")
    session = given.get("session", [None])[0]
    if session is not None and not NAME.fullmatch(session):
        raise Refused(
            400, "bad_request", "expected a session's name of 1 to 64 letters, digits and . _ -, got another."
        )
    fresh = given.get("fresh", ["false"])[0]
    if fresh not in ("true", "false"):
        raise Refused(400, "bad_request", "expected fresh=true or fresh=false, got something else.")
    after = given.get("after", [None])[0]
    if after is not None and not re.fullmatch(r"\d{1,18}", after):
        raise Refused(400, "bad_request", "expected after to be a number of steps, got something else.")
    return session, fresh == "true", None if after is None else int(after)
