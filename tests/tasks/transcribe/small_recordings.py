"""Small files for tests of what is read: for each letter a tone of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

WORDS = ("ada", "bob", "cab", "dad", "ebb", "fee")


def spoken(text: str, rate: int = 8_000, seed: int = 0) -> np.ndarray:
    """A tenth of a second of a tone for each letter, (N,) float32, with a little noise."""
    time = np.arange(rate // 10) / rate
    tones = [0.3 * np.sin(2 * np.pi * (200 + 100 * (ord(one) - 96)) * time) * (one != " ") for one in text]
    sound = np.concatenate([*tones, np.zeros(rate // 10)])
    return (sound + np.random.default_rng(seed).normal(0, 0.01, len(sound))).astype(np.float32)


def texts(many: int, seed: int = 0) -> list[str]:
    """One to three words each."""
    dice = np.random.default_rng(seed)
    return [" ".join(dice.choice(WORDS, dice.integers(1, 4))) for _ in range(many)]


def recorded(
    folder: Path, said: Sequence[str], *, ending: str = "wav", rate: int = 8_000, stem: str = "r"
) -> list[Path]:
    """A file for each text, all different."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{stem}{n:03d}.{ending}" for n in range(len(said))]
    for n, (path, text) in enumerate(zip(paths, said, strict=True)):
        soundfile.write(path, spoken(text, rate, n), rate)
    return paths


def listed(path: Path, paths: Sequence[Path], said: Sequence[str], head: str = "path,text") -> Path:
    """A table of files, as the table's folder sees them."""
    separator = "\t" if path.suffix == ".tsv" else ","
    lines = [
        f"{one.relative_to(path.parent)}{separator}{text}\n" for one, text in zip(paths, said, strict=True)
    ]
    path.write_text((f"{head.replace(',', separator)}\n" if head else "") + "".join(lines))
    return path
