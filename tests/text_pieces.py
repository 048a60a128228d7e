"""A text as a stream may be given it."""

from __future__ import annotations

import numpy as np


def pieces(text: str, rng: np.random.Generator, most: int = 4) -> list[str]:
    """A text in pieces of up to `most` characters, empty ones among them."""
    found, at = [], 0
    while at < len(text):
        many = int(rng.integers(0, most + 1))
        found.append(text[at : at + many])
        at += many
    return found
