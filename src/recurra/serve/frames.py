"""Whole frames of a WebSocket that hold a text, which nearly all are, without the protocol's states."""

from __future__ import annotations

from websockets.frames import Frame, apply_mask  # type: ignore[attr-defined]  # compiled, where it can be

TEXT, MASKED = 0x81, 0x80  # the first byte of a final text frame; of the second, that there is a mask
SHORT, MEDIUM = 126, 1 << 16  # lengths that are written in one byte, and in three
MASK = 4


def text_in(data: bytes) -> bytes | None:
    """What a client says, where `data` is one whole text frame of its own (RFC 6455, 5.2); else None."""
    if len(data) < 2 + MASK or data[0] != TEXT:
        return None
    size, at = data[1] - MASKED, 2
    if size == SHORT and len(data) >= SHORT:
        size, at = int.from_bytes(data[2:4]), 4
        if size < SHORT:
            return None
    elif not 0 <= size < SHORT:
        return None
    if len(data) != at + MASK + size:
        return None
    return apply_mask(data[at + MASK :], data[at : at + MASK])


def of_text(text: bytes) -> bytes:
    """A server's frame with a text."""
    size = len(text)
    if size < SHORT:
        return bytes((TEXT, size)) + text
    if size < MEDIUM:
        return bytes((TEXT, SHORT)) + size.to_bytes(2) + text
    return bytes((TEXT, SHORT + 1)) + size.to_bytes(8) + text


def size_of(frame: Frame) -> int:
    """Bytes of a client's frame, its header among them."""
    size = len(frame.data)
    return size + 2 + MASK + (0 if size < SHORT else 2 if size < MEDIUM else 8)
