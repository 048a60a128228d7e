"""Which files train, validate and test, by their names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Sized
from pathlib import Path

from recurra.errors import DataError

PARTS = ("train", "valid", "test")
# What files and folders of a part are called: as a whole part of the name.
NAMES = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "dev": "valid",
    "test": "test",
    "testing": "test",
}


def check_parts(parts: Mapping[str, Sized], what: str, *, tested: bool, sources: str = "a source") -> None:
    """Raises DataError where a part is empty, but for a test part that nobody wants. sources: of a part."""
    if all(len(part) or (name == "test" and not tested) for name, part in parts.items()):
        return
    many = ", ".join(f"{len(parts[one]):,} to {one}" for one in PARTS)
    raise DataError(
        f"expected {what} to train, validate and test on, got too few: {many}. Give more, or {sources} for "
        "each part."
    )


def named_parts(paths: Sequence[Path], folder: Path | None) -> dict[str, list[Path]] | None:
    """Files by part, where names tell of a training part and another; those that tell nothing under ""."""
    found: dict[str, list[Path]] = {}
    for path in paths:
        found.setdefault(part_of(path, folder) or "", []).append(path)
    return found if "train" in found and ("valid" in found or "test" in found) else None


def part_of(path: Path, folder: Path | None) -> str | None:
    """The part that a file's name, or that of its folder inside `folder`, tells of."""
    inside = path.relative_to(folder).parts if folder is not None else (path.name,)
    if len(inside) > 1:
        return NAMES.get(inside[0].lower())
    told = {NAMES[word] for word in re.split(r"[^a-z0-9]+", path.name.lower()) if word in NAMES}
    return told.pop() if len(told) == 1 else None
