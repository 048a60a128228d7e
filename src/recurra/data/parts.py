"""Which files train, validate and test, by their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

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
