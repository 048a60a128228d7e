"""Pictures of coloured shapes, and captioners of them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from recurra.bundle import Bundle
from untrained import untrained

Array = np.ndarray[Any, np.dtype[Any]]

SIDE = 64
COLOURS = {"red": (200, 40, 40), "green": (40, 160, 60), "blue": (40, 70, 200)}
# Where a shape stands: the shares of the side at which its middle is.
PLACES = {"left": (0.25, 0.5), "right": (0.75, 0.5), "top": (0.5, 0.25), "bottom": (0.5, 0.75)}


def paint(colour: str, shape: str, place: str, *, seed: int = 0, size: tuple[int, int] = (SIDE, SIDE)) -> Any:
    """A Pillow picture of a shape on grey noise."""
    from PIL import Image, ImageDraw  # noqa: PLC0415, the extra [image]

    rng = np.random.default_rng(seed)
    width, height = size
    found = Image.fromarray(rng.integers(180, 220, (height, width, 3), dtype=np.uint8))
    x, y = PLACES[place][0] * width, PLACES[place][1] * height
    reach = min(size) * rng.uniform(0.12, 0.18)
    box = (x - reach, y - reach, x + reach, y + reach)
    pen = ImageDraw.Draw(found)
    (pen.ellipse if shape == "circle" else pen.rectangle)(box, fill=COLOURS[colour])
    return found


def file_of(picture: Any, kind: str = "PNG", **options: Any) -> bytes:
    """The picture as a file."""
    content = io.BytesIO()
    picture.save(content, kind, **options)
    return content.getvalue()


def shown(number: int) -> tuple[str, str, str]:
    """Colour, shape and place of a picture, drawn by its number."""
    rng = np.random.default_rng(number)
    colour, shape, place = (
        str(rng.choice(some)) for some in (list(COLOURS), ["circle", "square"], list(PLACES))
    )
    return colour, shape, place


def write_shapes(folder: Path, many: int = 40) -> Path:
    """A folder of pictures, and the table of their captions."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = ["image,caption"]
    for number in range(many):
        colour, shape, place = shown(number)
        paint(colour, shape, place, seed=number).save(folder / f"{number:03}.png")
        rows.append(f"{number:03}.png,a {colour} {shape} on the {place}")
    (folder / "captions.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def shapes_bundle(folder: Path, **options: Any) -> Bundle:
    """A captioner in `folder` whose weights are drawn so that words and what they look at differ."""
    pictures = write_shapes(folder.parent / f"{folder.name}-pictures")
    return untrained("caption", str(pictures), folder, spread=0.5, hidden=32, **options)


def features_bundle(folder: Path) -> Bundle:
    """A captioner in `folder` of features, which are no pictures."""
    files = folder.parent / f"{folder.name}-features"
    files.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(20):
        np.save(files / f"{number}.npy", rng.normal(size=(2, 2, 4)).astype(np.float32))
    rows = [f"{number}.npy,a thing" for number in range(20)]
    (files / "captions.csv").write_text("\n".join(["image,caption", *rows]) + "\n")
    return untrained("caption", str(files), folder, hidden=8)
