"""The process: uvicorn around the hub, its signals, and an orderly end."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from recurra.errors import ConfigError
from recurra.serve import app, versions
from recurra.serve.hub import Hub
from recurra.serve.keeping import written
from recurra.serve.refusals import Refused
from recurra.serve.settings import Settings
from recurra.serve.sockets import Socket
from recurra.serve.store import FolderStore, MemoryStore, Store, StoreError

LOG = logging.getLogger("recurra.serve")

HEAD = 64 * 1024  # bytes of a request's line and headers
SLOW = 15.0  # seconds for a client to send them
SESSIONS = 4  # that are kept, for each stream that may be open
BESIDE = 1_000  # connections beside those of streams
YOUNG = 100_000  # objects of a large step: they go by themselves, so that Python need not look for cycles
TURN = 0.001  # seconds that a thread may keep another one from Python: sockets and steps take turns
BACKLOG = 4096  # that wait to be accepted


def run(settings: Settings, folders: Mapping[str, Path]) -> None:
    """Serve until a signal comes. Raises BundleError, ConfigError."""
    _check_place(settings)
    found = {
        name: versions.load(folder, None, settings.streams, settings.idle) for name, folder in folders.items()
    }
    hub = Hub(settings, folders, found, store_of(settings))
    sys.setswitchinterval(TURN)
    gc.collect()
    gc.freeze()  # what is there now stays: no need to look through it again and again
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
    _raise_file_limit(settings.streams + BESIDE)
    Server(config_of(hub), hub).run()


def _check_place(settings: Settings) -> None:
    """Raises ConfigError where nothing can listen there."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((settings.host, settings.port))
        except OSError as error:
            raise ConfigError(
                f"expected a place to listen at, got port {settings.port} of {settings.host} "
                f"({error.strerror}). Name another with --port, or 0 for any that is free."
            ) from error


def store_of(settings: Settings) -> Store:
    """Where sessions are kept. Raises ConfigError."""
    if settings.redis is not None:
        from recurra.serve.redis_store import RedisStore  # noqa: PLC0415

        return RedisStore(settings.redis, settings.keep, settings.in_flight)
    most = SESSIONS * settings.streams
    if settings.states is None:
        return MemoryStore(most, settings.keep)
    try:
        return FolderStore(settings.states, most, settings.keep)
    except StoreError as error:
        raise ConfigError(str(error)) from error


def config_of(hub: Hub) -> uvicorn.Config:
    """uvicorn's options."""
    settings = hub.settings
    return uvicorn.Config(
        app.make(hub),
        host=settings.host,
        port=settings.port,
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        http=functools.partial(Http, hub),  # type: ignore[arg-type]
        ws=functools.partial(Socket, hub),  # type: ignore[arg-type]
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing depends on where a client is
        backlog=BACKLOG,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=max(1, round(settings.grace)),
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.key,
    )


class Http(HttpToolsProtocol):
    """uvicorn's, with bounds on how long and how large a request's head is, and on connections."""

    def __init__(self, hub: Hub, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._hub, self._size = hub, 0
        self._slow: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        if len(self.connections) > BESIDE:
            transport.abort()  # type: ignore[attr-defined]
        else:
            self._slow = self.loop.call_later(SLOW, self._too_slow)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._size = 0
        if self._slow is None:
            self._slow = self.loop.call_later(SLOW, self._too_slow)

    def on_url(self, url: bytes) -> None:
        self._grow(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._grow(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_time()
        if not self.transport.is_closing():
            super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        body = written(Refused(400, "bad_request", "expected HTTP, got something else.").body)
        head = (
            f"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        )
        self.transport.write(head.encode() + b"Connection: close\r\n\r\n" + body)
        self.transport.close()

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > HEAD:
            self.transport.abort()

    def _too_slow(self) -> None:
        self._slow = None
        self.transport.abort()

    def _in_time(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None


class Server(uvicorn.Server):
    """uvicorn's, which starts and stops the hub with it."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        loop = asyncio.get_running_loop()
        self._hub.start(loop)
        if hasattr(signal, "SIGHUP"):
            loop.add_signal_handler(signal.SIGHUP, lambda: self._hub.begin(self._hub.reload_all()))
        await super().startup(sockets)

    def _log_started_message(self, listeners: Any) -> None:
        scheme = "https" if self.config.is_ssl else "http"
        host, port = listeners[0].getsockname()[:2]
        place = f"[{host}]" if ":" in host else host
        names = ", ".join(self._hub.lanes)
        print(f"serving {names} at {scheme}://{place}:{port}", flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Not raised again after the end, as uvicorn would: a server that stops as it is told has done well.
        self.force_exit = self.should_exit
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        await self._hub.stop()
        await super().shutdown(sockets)


def _raise_file_limit(wanted: int) -> None:
    """Each connection is an open file. As many as the system lets us have; fewer are said."""
    try:
        import resource  # noqa: PLC0415
    except ImportError:  # there is no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted += 100
    if soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        if most < wanted:
            LOG.warning("only %d connections: the system allows no more open files (ulimit -n)", most)
