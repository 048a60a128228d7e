"""Text that waits for what follows it, in a stream's state: a buffer of fixed size with UTF-8."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recurra.data.frequency import Array
from recurra.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

# Bytes that there is room for, and before them those that say how many there are.
ROOM, SIZE = 1024, 2


def fresh(room: int = ROOM) -> Tensor:
    """(SIZE + room,) uint8, no text."""
    import torch  # noqa: PLC0415, so that reading files need not wait for it

    return torch.zeros(SIZE + room, dtype=torch.uint8)


def taken(buffer: Array) -> str:
    """The text in a buffer."""
    size = int.from_bytes(buffer[:SIZE].tobytes(), "little")
    return buffer[SIZE : SIZE + size].tobytes().decode()


def packed(text: str, what: str) -> bytes:
    """A text as it lies in a buffer. Raises DataError where there is no room: `what` says what it may be."""
    raw = text.encode()
    if len(raw) > ROOM:
        raise DataError(
            f"expected {what} of at most {ROOM:,} bytes, got {len(raw):,} bytes that may still go on. "
            "Put white space between."
        )
    return laid(text)


def laid(text: str) -> bytes:
    """A text as it lies in a buffer that has room for it."""
    raw = text.encode()
    return len(raw).to_bytes(SIZE, "little") + raw


def put(buffer: Array, content: bytes) -> None:
    """Let a buffer hold what `packed` or `laid` gave."""
    buffer[: len(content)] = np.frombuffer(content, dtype=np.uint8)


def checked_text(observation: object) -> str:
    """A piece of text, whole characters alone. Raises DataError."""
    if not isinstance(observation, str):
        raise DataError(
            f"expected a piece of text, got {type(observation).__name__}. Give a string, which may be empty."
        )
    try:
        observation.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"expected whole characters, got half of one, U+{ord(observation[error.start]):04X}, at "
            f"character {error.start + 1:,}. Give both halves in one piece."
        ) from error
    return observation
