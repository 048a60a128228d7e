"""Pictures of coloured shapes, and what they show, which a captioner learns a little of in seconds."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurra
from recurra.bundle import Bundle

Array = np.ndarray[Any, np.dtype[Any]]

SIDE = 64
COLOURS = {"red": (200, 40, 40), "green": (40, 160, 60), "blue": (40, 70, 200)}
# Where a shape stands: the shares of the side at which its middle is.
PLACES = {"left": (0.25, 0.5), "right": (0.75, 0.5), "top": (0.5, 0.25), "bottom": (0.5, 0.75)}


def paint(colour: str, shape: str, place: str, *, seed: int = 0, size: tuple[int, int] = (SIDE, SIDE)) -> Any:
    """A Pillow picture of a shape on grey noise."""
    image = pytest.importorskip("PIL.Image", reason="needs the extra [image]")
    draw = pytest.importorskip("PIL.ImageDraw")
    rng = np.random.default_rng(seed)
    width, height = size
    found = image.fromarray(rng.integers(180, 220, (height, width, 3), dtype=np.uint8))
    x, y = PLACES[place][0] * width, PLACES[place][1] * height
    reach = min(size) * rng.uniform(0.12, 0.18)
    box = (x - reach, y - reach, x + reach, y + reach)
    pen = draw.Draw(found)
    (pen.ellipse if shape == "circle" else pen.rectangle)(box, fill=COLOURS[colour])
    return found


def file_of(picture: Any, kind: str = "PNG", **options: Any) -> bytes:
    """The picture as a file."""
    content = io.BytesIO()
    picture.save(content, kind, **options)
    return content.getvalue()


def said(number: int) -> tuple[str, str, str]:
    """Colour, shape and place of a picture, drawn by its number."""
    rng = np.random.default_rng(number)
    colour, shape, place = (
        str(rng.choice(some)) for some in (list(COLOURS), ["circle", "square"], list(PLACES))
    )
    return colour, shape, place


def write_shapes(folder: Path, many: int = 120) -> Path:
    """A folder of pictures, and the table of their captions."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = ["image,caption"]
    for number in range(many):
        colour, shape, place = said(number)
        paint(colour, shape, place, seed=number).save(folder / f"{number:03}.png")
        rows.append(f"{number:03}.png,a {colour} {shape} on the {place}")
    (folder / "captions.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def fit_shapes(folder: Path, seconds: float = 4, many: int = 120) -> Bundle:
    """A bundle in `folder` that has looked at shapes for a few seconds."""
    pictures = write_shapes(folder.parent / f"{folder.name}-pictures", many)
    return recurra.fit("caption", str(pictures), out=folder, time_budget=seconds, quiet=True, hidden=64)
