"""Many WebSocket clients in one process, as cheap as can be: raw sockets, epoll, frames made beforehand."""

from __future__ import annotations

import select
import socket
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

# A mask of zeros leaves the payload as it is, and is as good as any other to a server.
MASK = bytes(4)
REQUEST = (
    "GET /v1/bundles/{name}/stream{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def frame(payload: bytes) -> bytes:
    """A text frame from a client."""
    size = len(payload)
    if size < 126:
        return bytes([0x81, 0x80 | size]) + MASK + payload
    return bytes([0x81, 0x80 | 126]) + size.to_bytes(2) + MASK + payload


class Client:
    """One socket: what it has sent, when, and what came back."""

    __slots__ = ("answered", "buffer", "closed", "digest", "number", "sent", "skipped", "socket", "waiting")

    def __init__(self, number: int, connection: socket.socket) -> None:
        self.number, self.socket = number, connection
        self.buffer = b""
        self.sent = 0
        self.waiting: list[tuple[float, int]] = []  # when what was sent that has no answer yet
        self.skipped: list[int] = []  # observations that were refused
        self.answered = 0
        self.digest = 0  # of all its answers, in their order
        self.closed = False

    def frames(self, data: bytes) -> list[bytes]:
        """The payloads of whole frames, this data included."""
        if self.buffer:
            data = self.buffer + data
        found, at, end = [], 0, len(data)
        while end - at >= 2:
            size, start = data[at + 1] & 127, at + 2
            if size == 126:
                size, start = int.from_bytes(data[at + 2 : at + 4]), at + 4
            elif size == 127:
                size, start = int.from_bytes(data[at + 2 : at + 10]), at + 10
            if end < start + size or (start > at + 2 and end < start):
                break
            if data[at] == 0x81:
                found.append(data[start : start + size])
            elif data[at] == 0x88:
                self.closed = True
            at = start + size
        self.buffer = data[at:]
        return found


@dataclass
class Load:
    """Clients that send observations at a rate, and what became of them.

    payload   of a client's number and step
    latency   (seconds) of answers; refusals: of those that were refused
    """

    port: int
    name: str
    payload: Callable[[int, int], bytes]
    clients: list[Client] = field(default_factory=list)
    latency: list[float] = field(default_factory=list)
    refusals: list[float] = field(default_factory=list)
    errors: list[bytes] = field(default_factory=list)
    held_back: int = 0  # observations that could not be sent, since the server does not read
    late: float = 0.0  # how far we ourselves lagged behind, at worst

    def __post_init__(self) -> None:
        self._epoll = select.epoll()
        self._by_file: dict[int, Client] = {}

    def open(self, many: int, query: str = "", at_once: int = 64) -> list[float]:
        """Open clients; seconds until each was refused, of those that were."""
        request = REQUEST.format(name=self.name, query=query, port=self.port).encode()
        refused: list[float] = []
        first = len(self.clients)
        for start in range(0, many, at_once):
            opened = []
            for _ in range(min(at_once, many - start)):
                connection = socket.create_connection(("127.0.0.1", self.port))
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                begun = time.perf_counter()
                connection.sendall(request)
                opened.append((connection, begun))
            for connection, begun in opened:
                head = _head(connection)
                if not head.startswith(b"HTTP/1.1 101"):
                    refused.append(time.perf_counter() - begun)
                    connection.close()
                    continue
                client = Client(len(self.clients), connection)
                rest = head.partition(b"\r\n\r\n")[2]
                while not client.frames(rest):
                    rest = connection.recv(65536)
                connection.setblocking(False)
                self.clients.append(client)
        for client in self.clients[first:]:
            self._by_file[client.socket.fileno()] = client
            self._epoll.register(client.socket.fileno(), select.EPOLLIN)
        return refused

    def run(self, seconds: float, rate: float, watch: Callable[[float], None] | None = None) -> None:
        """Each client sends `rate` observations a second, evenly spread over time and clients."""
        clients, gap = self.clients, 1 / (rate * len(self.clients))
        begin = time.perf_counter()
        number, last, seen = 0, int(seconds / gap), 0.0
        while number < last:
            now = time.perf_counter() - begin
            due = min(int(now / gap) + 1, last)
            self.late = max(self.late, now - number * gap)
            # Not so many at once that answers wait unread meanwhile.
            for k in range(number, min(due, number + 256)):
                self._send(clients[k % len(clients)])
            number = min(due, number + 256)
            self._take(max(0.0, begin + number * gap - time.perf_counter()) if number == due else 0.0)
            if watch is not None and now - seen >= 1:
                seen = now
                watch(now)

    def closed_loop(self, seconds: float, many: int) -> float:
        """Answers a second where so many clients send again as soon as they are answered."""
        begin, before = time.perf_counter(), len(self.latency)
        for client in self.clients[:many]:
            self._send(client)
        while time.perf_counter() - begin < seconds:
            self._take(0.1, again=True)
        found = (len(self.latency) - before) / (time.perf_counter() - begin)
        self.drain()
        return found

    def drain(self, seconds: float = 10.0) -> None:
        """Wait for what is under way."""
        until = time.perf_counter() + seconds
        while time.perf_counter() < until and any(c.waiting and not c.closed for c in self.clients):
            self._take(0.05)

    def _send(self, client: Client) -> None:
        if client.closed:
            return
        data = frame(self.payload(client.number, client.sent))
        now = time.perf_counter()
        try:
            if client.socket.send(data) != len(data):
                raise RuntimeError("a frame was sent in part; use fewer at once")
        except BlockingIOError:
            self.held_back += 1
            return
        except OSError:
            client.closed = True
            return
        client.waiting.append((now, client.sent))
        client.sent += 1

    def _take(self, wait: float, again: bool = False) -> None:
        for file, _ in self._epoll.poll(wait, 1024):
            client = self._by_file[file]
            try:
                data = client.socket.recv(65536)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if not data:
                client.closed = True
                self._epoll.unregister(file)
                continue
            now = time.perf_counter()
            for payload in client.frames(data):
                sent, step = client.waiting.pop(0)
                took = now - sent
                if b'"answer"' in payload:
                    self.latency.append(took)
                    client.answered += 1
                    client.digest = zlib.crc32(payload, client.digest)
                elif b'"overloaded"' in payload:
                    self.refusals.append(took)
                    client.skipped.append(step)
                else:
                    self.errors.append(payload)
                if again:
                    self._send(client)

    def close(self) -> None:
        """Hang up."""
        for client in self.clients:
            client.socket.close()
        self._epoll.close()


def _head(connection: socket.socket) -> bytes:
    found = b""
    while b"\r\n\r\n" not in found:
        part = connection.recv(65536)
        if not part:
            break
        found += part
    return found


def quantiles(seconds: list[float]) -> dict[str, float]:
    """In milliseconds."""
    if not seconds:
        return {}
    found = np.quantile(seconds, [0.5, 0.99, 1.0]) * 1e3
    return dict(zip(("p50", "p99", "max"), found.tolist(), strict=True))
