"""Files that are either whole or not there, and JSON that can tell when it was changed."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

_HEAD = b'{\n "seal": "'
_BLANK = b"0" * 64  # where the sha256 of the file stands while it is being computed


class BrokenSeal(ValueError):
    """What is wrong with a sealed file, in words that follow "it is"."""


def sha256(content: bytes) -> str:
    """Hexadecimal digest."""
    return hashlib.sha256(content).hexdigest()


def write(path: Path, content: bytes) -> str:
    """Write so that a crash leaves the old file or the new one, on disk; returns the sha256."""
    temporary = path.with_name(f".{path.name}.tmp")
    write_here(temporary, content)
    os.replace(temporary, path)
    sync(path.parent)
    return sha256(content)


def write_here(path: Path, content: bytes) -> None:
    """Write a file and wait until the disk has it."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync(folder: Path) -> None:
    """Wait until the disk has the folder's list of names."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def seal(record: dict[str, Any]) -> bytes:
    """The record as JSON whose first entry is the sha256 of the rest; NaN and infinities are a ValueError."""
    text = json.dumps({"seal": _BLANK.decode(), **record}, indent=1, ensure_ascii=False, allow_nan=False)
    content = text.encode() + b"\n"
    return content.replace(_BLANK, sha256(content).encode(), 1)


def unseal(content: bytes, formats: int) -> dict[str, Any]:
    """The record of a sealed file whose format is at most `formats`. Raises BrokenSeal."""
    try:
        record = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BrokenSeal("damaged: it is no JSON") from error
    if not isinstance(record, dict) or "seal" not in record:
        raise BrokenSeal("not one of recurra's: it has no seal")
    written = record.get("format")
    if isinstance(written, int) and written > formats:
        raise BrokenSeal(f"of format {written}, newer than the {formats} that this version reads")
    start, end = len(_HEAD), len(_HEAD) + len(_BLANK)
    blank = content[:start] + _BLANK + content[end:]
    if not content.startswith(_HEAD) or content[start:end] != sha256(blank).encode():
        raise BrokenSeal("damaged: its content does not match its seal")
    return record
