"""Servers and clients of the tests: real processes on free loopback ports."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

HERE = Path(__file__).parent
STARTS, STOPS = 90, 30  # seconds that a server may take, on a machine that does other things too


class Server:
    """A `recurra serve` of its own, of the small task's bundles and others."""

    def __init__(self, folder: Path, bundles: Sequence[Path | str], *options: str) -> None:
        self.log = folder / f"server-{time.monotonic_ns()}.log"
        port = () if "--port" in options else ("--port", "0")
        command = [sys.executable, "-m", "walking", "serve", *map(str, bundles), *port, *options]
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
            "OMP_NUM_THREADS": "1",
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        self.scheme, self.port = self._place()

    def _place(self) -> tuple[str, int]:
        until = time.monotonic() + STARTS
        while time.monotonic() < until:
            found = re.search(r"^serving .* at (https?)://.*:(\d+)$", self.text(), re.MULTILINE)
            if found:
                return found[1], int(found[2])
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        self.kill()
        raise RuntimeError(self.text())

    def text(self) -> str:
        """What it has written."""
        return self.log.read_text(errors="replace")

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | str | dict[str, Any] | None = None,
        **headers: str,
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, body (parsed where it is JSON) and headers. `content_type` is Content-Type, and so on."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        if isinstance(body, dict):
            body, headers = json.dumps(body), {"content_type": "application/json"} | headers
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        told = {name.lower(): value for name, value in response.getheaders()}
        is_json = told.get("content-type", "").startswith("application/json")
        return response.status, json.loads(content) if is_json else content, told

    def stream(self, bundle: str = "walk", query: str = "", **options: Any) -> Client:
        """A client of a stream, that has read how it was opened."""
        return Client(self.port, bundle, query, **options)

    def metric(self, name: str) -> float:
        """A number of /metrics, summed over its labels."""
        _, text, _ = self.ask("GET", "/metrics")
        found = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text.decode(), re.MULTILINE)
        return sum(map(float, found))

    def settles(self, name: str, value: float) -> bool:
        """Whether a number of /metrics becomes this, soon."""
        return eventually(lambda: self.metric(name) == value)

    def resident(self) -> int:
        """Bytes of memory."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def stop(self) -> int:
        """Ask it to stop; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOPS)

    def kill(self) -> None:
        """No time for anything."""
        self.process.kill()
        self.process.wait()


class Client:
    """A stream's client. opened: the server's first frame."""

    def __init__(self, port: int, bundle: str, query: str = "", **options: Any) -> None:
        url = f"ws://127.0.0.1:{port}/v1/bundles/{bundle}/stream{query and '?' + query}"
        options = {"open_timeout": 30, "max_size": None, "compression": None} | options
        self._opened = ExitStack()
        self.socket: ClientConnection = self._opened.enter_context(connect(url, **options))
        self.opened = self.read()["open"]

    def read(self) -> Any:
        """The next frame."""
        return json.loads(self.socket.recv(30))

    def send(self, **frame: Any) -> None:
        """A frame, without waiting for its answer."""
        self.socket.send(json.dumps(frame))

    def ask(self, **frame: Any) -> Any:
        """A frame and its answer."""
        self.send(**frame)
        return self.read()

    def step(self, observation: Any) -> Any:
        """The answer to an observation."""
        found = self.ask(observation=observation)
        assert "answer" in found, found
        return found["answer"]

    def closed(self) -> tuple[int, str]:
        """Code and reason by which the server closes."""
        from websockets.exceptions import ConnectionClosed  # noqa: PLC0415

        try:
            while True:
                self.socket.recv(30)
        except ConnectionClosed as error:
            return (1006, "") if error.rcvd is None else (error.rcvd.code, error.rcvd.reason)

    def close(self) -> None:
        """Say good-bye."""
        self._opened.close()

    def vanish(self) -> None:
        """Be gone without a word."""
        self.socket.socket.shutdown(socket.SHUT_RDWR)
        self.socket.socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Redis:
    """A redis-server of its own."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("redis-server")
        assert program is not None
        self._program, self._folder, self.port = program, folder, free_port()
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        log = self._folder / "redis.log"
        self.process = subprocess.Popen(
            [self._program, *options, "--dir", str(self._folder), "--logfile", str(log)]
        )
        assert eventually(self._answers), log.read_text()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    @property
    def url(self) -> str:
        """For --redis."""
        return f"redis://127.0.0.1:{self.port}/0"

    def stop(self) -> None:
        """End it, and all that it holds."""
        self.process.kill()
        self.process.wait()


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def eventually(true: Any, seconds: float = 20.0) -> bool:
    """Whether something becomes true in time."""
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
