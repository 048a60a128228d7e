"""Small pairs for tests of the translator: words of one kind, put in the other order in another kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

FIRST = ["ein", "zwei", "drei", "vier", "hund", "katze", "maus", "rot", "blau", "gelb", "sieht", "hat"]
SECOND = ["one", "two", "three", "four", "dog", "cat", "mouse", "red", "blue", "yellow", "sees", "has"]


def pairs(many: int, seed: int = 0, longest: int = 6) -> tuple[list[str], list[str]]:
    """Sources, and their words' partners from the last to the first."""
    dice = np.random.default_rng(seed)
    source, target = [], []
    for _ in range(many):
        numbers = dice.integers(0, len(FIRST), dice.integers(3, longest + 1))
        source.append(" ".join(FIRST[n] for n in numbers))
        target.append(" ".join(SECOND[n] for n in numbers[::-1]))
    return source, target


def written(
    folder: Path, source: Sequence[str], target: Sequence[str], name: str = "train"
) -> tuple[str, str]:
    """Two files of lines."""
    paths = folder / f"{name}.de", folder / f"{name}.en"
    for path, lines in zip(paths, (source, target), strict=True):
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(paths[0]), str(paths[1])
