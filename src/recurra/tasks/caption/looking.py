"""Figures of the report: a picture, and for each word of its caption where the model looked."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from recurra.data.frequency import Array
from recurra.report.page import Figure

# Pixels of a picture's side on the page, the space for a word below it, between two, and pictures in a row.
SIDE, WORD, GAP, ROW = 96, 18, 8, 6
# How dark a part is that a word did not look at.
DARK = 0.8
QUALITY = 80


def looked(pixels: Array, words: Sequence[str], weights: Array, caption: str) -> Figure:
    """A picture (S, S, 3) uint8, and each word with what it looked at bright: weights (W, rows, columns)."""
    many = len(words) + 1
    across = min(ROW, many)
    wide, high = across * (SIDE + GAP), -(-many // across) * (SIDE + WORD + GAP)
    drawn = [_placed(0, across, "", "")]
    for n, (word, weight) in enumerate(zip(words, weights, strict=True), 1):
        drawn.append(_placed(n, across, _shadow(weight), word))
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}">'
        f'<defs><image id="picture" width="{SIDE}" height="{SIDE}" href="{_jpeg(pixels)}"/></defs>'
        f"{''.join(drawn)}</svg>"
    )
    return Figure(svg, f"A picture, and where the model looked for each word of: {' '.join(words)}.", caption)


def _placed(n: int, across: int, shadow: str, word: str) -> str:
    """One of the pictures, with its word below."""
    x, y = (n % across) * (SIDE + GAP), (n // across) * (SIDE + WORD + GAP)
    text = (
        f'<text x="{SIDE / 2}" y="{SIDE + 13}" text-anchor="middle" font-size="12" fill="currentColor">'
        f"{escape(word)}</text>"
    )
    return f'<g transform="translate({x} {y})"><use href="#picture"/>{shadow}{text}</g>'


def _shadow(weight: Array) -> str:
    """What covers the parts (rows, columns) that were not looked at."""
    share = weight / max(float(weight.max()), 1e-12)
    cover = np.zeros((*weight.shape, 4), dtype=np.uint8)
    cover[..., 3] = np.round(255 * DARK * (1 - share))
    return (
        f'<image width="{SIDE}" height="{SIDE}" preserveAspectRatio="none" href="{_encoded(cover, "PNG")}"/>'
    )


def _jpeg(pixels: Array) -> str:
    return _encoded(pixels, "JPEG", quality=QUALITY)


def _encoded(pixels: Array, kind: str, **options: Any) -> str:
    """Pixels as an address that holds them."""
    from PIL import Image  # noqa: PLC0415, a report may do without

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
