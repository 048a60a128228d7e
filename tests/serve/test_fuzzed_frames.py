"""Frames of every kind of nonsense: the server says what is wrong or closes, and goes on."""

from __future__ import annotations

import contextlib
import json
import random
import re
import socket
from collections.abc import Callable
from typing import Any

import pytest
from servers import Server

Walked = Callable[[int, int], list[dict[str, float]]]
Alone = Callable[[list[Any]], list[Any]]

HANDSHAKE = (
    "GET /v1/bundles/walk/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
KEYS = ("observation", "state", "restore", "reset", "end", "id", "open", "", "east", "north")
# What must never reach a client.
INTERNAL = re.compile(rb"Traceback|File \\?\"|\.py\b|site-packages|/tmp/|object at 0x")


def any_value(dice: random.Random, depth: int = 0) -> Any:
    """A JSON value, more often than not of a kind that nobody expects."""
    kinds: list[Callable[[], Any]] = [
        lambda: None,
        lambda: dice.random() < 0.5,
        lambda: dice.choice([0, -1, 2**31, 2**63, 2**64, 10**300, dice.randrange(1000)]),
        lambda: dice.choice([0.0, -0.0, 1e308, -1e-308, dice.gauss(0, 1)]),
        lambda: "".join(
            chr(dice.choice([0, 34, 92, 127, 0x2028, 0xFFFD, 0x1F600, 65])) for _ in range(dice.randrange(8))
        ),
        lambda: dice.choice(["", "AAAA", "/etc/passwd", "__class__", "{0.__class__}", "%s%n", "x" * 300]),
    ]
    if depth < 3:
        kinds += [
            lambda: [any_value(dice, depth + 1) for _ in range(dice.randrange(4))],
            lambda: {dice.choice(KEYS): any_value(dice, depth + 1) for _ in range(dice.randrange(4))},
        ]
    return dice.choice(kinds)()


def any_payload(dice: random.Random) -> bytes:
    """What a frame holds."""
    whole = json.dumps({dice.choice(KEYS): any_value(dice) for _ in range(dice.randrange(1, 3))}).encode()
    match dice.randrange(6):
        case 0:
            return dice.randbytes(dice.randrange(40))
        case 1:
            return whole[: dice.randrange(len(whole) + 1)]
        case 2:
            at = dice.randrange(len(whole))
            return whole[:at] + dice.randbytes(1) + whole[at + 1 :]
        case 3:
            return b"[" * dice.randrange(3000) + b"1e400" * dice.randrange(3)
        case _:
            return whole


def any_frame(dice: random.Random) -> bytes:
    """A frame, mostly of a form that the protocol allows."""
    payload = any_payload(dice)
    head = 0x81
    if dice.random() < 0.1:
        head = dice.choice([0x01, 0x80, 0x82, 0x88, 0x89, 0x8A, 0x83, 0xC1, 0x8F, dice.randrange(256)])
    masked, size = 0x80, len(payload)
    if dice.random() < 0.03:
        size = dice.choice([0, size + 1, 2**16, 2**40, 2**63])
    if dice.random() < 0.03:
        masked = 0
    if size < 126:
        length = bytes([masked | size])
    elif size < 65536:
        length = bytes([masked | 126]) + size.to_bytes(2)
    else:
        length = bytes([masked | 127]) + size.to_bytes(8)
    mask = dice.randbytes(4)
    data = bytes(byte ^ mask[k % 4] for k, byte in enumerate(payload))
    return bytes([head]) + length + (mask if masked else b"") + data


def throw(server: Server, dice: random.Random, frames: int) -> bytes:
    """Send frames on one connection, until there are no more or the server has had enough; what it said."""
    said = b""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(10)
        connection.sendall(HANDSHAKE.encode())
        while b'"open"' not in said:
            said += connection.recv(65536)
        try:
            for _ in range(frames):
                connection.sendall(any_frame(dice))
                if dice.random() < 0.05:
                    connection.settimeout(0.01)
                    with contextlib.suppress(TimeoutError):
                        said += connection.recv(65536)
                    connection.settimeout(10)
            if dice.random() < 0.5:
                connection.shutdown(socket.SHUT_WR)
                while part := connection.recv(65536):
                    said += part
        except OSError:  # it has closed
            pass
    return said


@pytest.mark.parametrize("frames", [400, pytest.param(10_000, marks=pytest.mark.slow)])
def test_random_frames(server: Server, walked: Walked, alone: Alone, frames: int) -> None:
    dice, thrown = random.Random(frames), 0
    seen = walked(frames, 10)
    with server.stream() as bystander:
        found = []
        while thrown < frames:
            many = dice.choice([1, 5, 20])
            said = throw(server, dice, many)
            assert not INTERNAL.search(said), said
            thrown += many
            if len(found) < len(seen):
                found.append(bystander.step(seen[len(found)]))
        found += [bystander.step(one) for one in seen[len(found) :]]
    assert found == alone(seen)
    assert server.process.poll() is None
    assert server.settles("recurra_slots", 0)
    assert server.settles("recurra_sockets", 0)
    assert "Traceback" not in server.text()
