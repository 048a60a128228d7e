"""Frames read and written without the protocol's states, beside the package websockets."""

from __future__ import annotations

import pytest
from websockets.frames import Frame, Opcode

from recurra.serve.frames import of_text, size_of, text_in

SIZES = [0, 1, 5, 124, 125, 126, 127, 300, 65_535, 65_536, 70_000]


def of_client(data: bytes, opcode: Opcode = Opcode.TEXT, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin=fin).serialize(mask=True)


@pytest.mark.parametrize("size", SIZES)
def test_a_servers_frame_is_the_packages(size: int) -> None:
    text = bytes(n % 256 for n in range(size))
    assert of_text(text) == Frame(Opcode.TEXT, text).serialize(mask=False)
    assert size_of(Frame(Opcode.TEXT, text)) == len(of_client(text))


@pytest.mark.parametrize("size", SIZES)
def test_a_clients_whole_text_is_found(size: int) -> None:
    text = bytes(n % 251 for n in range(size))
    assert text_in(of_client(text)) == (text if size < 65_536 else None)


@pytest.mark.parametrize("size", [0, 3, 125, 126, 200])
def test_nothing_else_is_taken_for_one(size: int) -> None:
    text = b"x" * size
    whole = of_client(text)
    others = [
        whole[:-1],
        whole + b"y",
        whole + whole,
        of_client(text, fin=False),
        of_client(text, Opcode.CONT),
        of_client(text, Opcode.BINARY),
        Frame(Opcode.TEXT, text).serialize(mask=False),
        bytes([whole[0] | 0x40]) + whole[1:],  # a reserved bit
    ]
    if size <= 125:
        others.append(of_client(text, Opcode.PING))
        # A length in more bytes than it needs.
        others.append(bytes([0x81, 0x80 | 126]) + size.to_bytes(2) + whole[2:])
    assert [text_in(one) for one in others] == [None] * len(others)
    assert all(text_in(whole[:at]) is None for at in range(len(whole)))
