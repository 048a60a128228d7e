"""Clients that cancel, vanish and come back, replicas that are killed: whether any stream is ever wrong."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic_core import to_json
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from recurra.bundle import Bundle
from replicas import Replica

Observe = Callable[[int, int], Any]

IN_FLIGHT = 8
EVERY = 6.0  # seconds between kills
PATIENCE = 20.0


class Session:
    """One session's client, who knows what every answer must be."""

    def __init__(self, number: int, bundle: Bundle, observe: Observe) -> None:
        self.number, self._observe = number, observe
        self._stream = bundle.stream()
        self._expected: list[Any] = []
        self.answers = self.wrong = self.lost = self.broken = self.refused = 0
        self.dice = random.Random(number)

    def expected(self, step: int) -> Any:
        """The answer after so many steps, from a stream alone."""
        while len(self._expected) < step:
            answer = self._stream.step(self._observe(self.number, len(self._expected)))
            self._expected.append(json.loads(to_json(answer, inf_nan_mode="null")))
        return self._expected[step - 1]

    async def live(self, places: Callable[[], list[int]], until: float) -> None:
        """Go on, on one connection after another, until the time is up."""
        while time.monotonic() < until:
            port = self.dice.choice(places())
            url = (
                f"ws://127.0.0.1:{port}/v1/bundles/bundle/stream?session=s{self.number}&after={self.answers}"
            )
            try:
                async with asyncio.timeout(PATIENCE):
                    socket_ = await connect(url, compression=None, max_size=None)
                await self._connected(socket_, until)
            except (ConnectionClosed, InvalidHandshake, OSError, EOFError, TimeoutError):
                self.broken += 1
                await asyncio.sleep(self.dice.random() * 0.2)

    async def _connected(self, client: ClientConnection, until: float) -> None:
        opened = json.loads(await client.recv())["open"]
        self.lost += opened["steps"] < self.answers
        sent = opened["steps"]
        under_way = sent - self.answers
        for _ in range(self.dice.randrange(1, 30)):
            while under_way < self.dice.randrange(1, IN_FLIGHT):
                frame = {"observation": self._observe(self.number, sent), "step": sent + 1}
                await client.send(json.dumps(frame))
                sent, under_way = sent + 1, under_way + 1
            if self.dice.random() < 0.02 or time.monotonic() > until:
                break
            found = json.loads(await asyncio.wait_for(client.recv(), PATIENCE))
            under_way -= 1
            if "answer" not in found:  # refused for load, and those after it since they are not the next
                self.refused += 1
                break
            self.answers += 1
            self.wrong += found["step"] != self.answers or found["answer"] != self.expected(self.answers)
        # With answers under way, as often as not without a word.
        if self.dice.random() < 0.5:
            client.transport.abort()
        await client.close()


def run(
    bundle: Bundle, observe: Observe, *, sessions: int, seconds: float, module: str = "recurra"
) -> dict[str, float]:
    """Counts of what happened, and of what must not: lost, wrong, slots, crashed."""
    redis = Redis()
    options = ("--redis", redis.url)
    replicas = [Replica(bundle.path, *options, module=module) for _ in range(2)]
    everyone = [Session(number, bundle, observe) for number in range(sessions)]
    kills = 0
    crashed = 0

    async def kill() -> None:
        nonlocal kills, crashed
        until = time.monotonic() + seconds
        while time.monotonic() + EVERY < until:
            await asyncio.sleep(EVERY)
            which = kills % 2
            crashed += replicas[which].crashed
            replicas[which].kill()
            kills += 1
            replicas[which] = await asyncio.to_thread(lambda: Replica(bundle.path, *options, module=module))

    async def all_of_it() -> None:
        until = time.monotonic() + seconds
        places = lambda: [one.port for one in replicas]  # noqa: E731
        await asyncio.gather(kill(), *(one.live(places, until) for one in everyone))

    try:
        asyncio.run(all_of_it())
        time.sleep(1)
        slots = sum(one.metric("recurra_slots") for one in replicas)
        crashed += sum(one.crashed for one in replicas)
    finally:
        for one in replicas:
            one.kill()
        redis.stop()
    return {
        "sessions": sessions,
        "seconds": seconds,
        "kills": kills,
        "answers": sum(one.answers for one in everyone),
        "refused": sum(one.refused for one in everyone),
        "broken": sum(one.broken for one in everyone),
        "lost": sum(one.lost for one in everyone),
        "wrong": sum(one.wrong for one in everyone),
        "slots": slots,
        "crashed": crashed,
    }


class Redis:
    """A redis-server of its own."""

    def __init__(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise RuntimeError("expected redis-server, got none. Run: apt install redis-server")
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        self.url = f"redis://127.0.0.1:{port}/0"
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL, cwd=Path("/tmp"))
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
