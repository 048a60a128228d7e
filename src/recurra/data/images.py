"""Pictures as pixels: JPEG, PNG, WebP, GIF, BMP, TIFF and PPM of any size and any mode, as squares."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from recurra.data.frequency import Array
from recurra.errors import ConfigError, DataError

# What every wheel of Pillow reads, by the endings of files; and pictures that some of them do not, or none.
ENDINGS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp",
    ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm",
)  # fmt: skip
UNREADABLE = (
    ".heic", ".heif", ".avif", ".jxl", ".jp2", ".j2k", ".svg", ".svgz", ".eps", ".ai", ".psd", ".xcf",
    ".ico", ".tga", ".dds", ".exr", ".hdr", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2",
)  # fmt: skip
# Pillow's readers, and how the files begin that are given to them; no other decoder is ever reached.
READERS = {
    "Jpeg": rb"\xff\xd8\xff",
    "Png": rb"\x89PNG\r\n\x1a\n",
    "WebP": rb"RIFF....WEBP",
    "Gif": rb"GIF8[79]a",
    "Bmp": rb"BM",
    "Tiff": rb"II[*+]\0|MM\0[*+]",
    "Ppm": rb"P[1-6f]\s",
}
BEGINNING = 16
# Pixels that are decoded at most, about 360 MB of them. A little above it Pillow itself begins to warn.
MOST_PIXELS = 89_000_000
# Cheap steps (a JPEG's own, then means of whole pixels) leave a picture at least so many times too large for
# the last one, which is bicubic; 2 is what Pillow's thumbnails take.
GAP = 2
# Tags of TIFF, which EXIF shares; 0 in PHOTOMETRIC: the lowest level is white.
WIDTH, HEIGHT, BITS, PHOTOMETRIC, ORIENTATION = 256, 257, 258, 262, 274


@dataclass(frozen=True, slots=True)
class Picture:
    """What a file shows.

    pixels: (S, S, 3) uint8, RGB, all of the picture; on white where one sees through it.  width, height: of
    the file's picture as it is seen, turned as its EXIF says.  kind: as in "JPEG".  mode: Pillow's for the
    file, as in "CMYK".
    """

    pixels: Array
    width: int
    height: int
    kind: str
    mode: str


def is_image(path: Path) -> bool:
    """Whether the name is that of a picture that can be read."""
    return path.suffix.lower() in ENDINGS


def read_size(path: Path) -> tuple[int, int]:
    """Width and height as it is seen, from the beginning of a file; no pixel is decoded. Raises DataError."""
    _check(path)
    with _told(path.name), path.open("rb") as file:
        return _size(file, path.name)


def size_of(raw: bytes, name: str) -> tuple[int, int]:
    """The same of a file that holds these bytes."""
    with _told(name):
        return _size(io.BytesIO(raw), name)


def _size(file: IO[bytes], name: str) -> tuple[int, int]:
    width, height, _ = _heading(_opened(file, name))
    return width, height


def read_image(path: Path, side: int) -> Picture:
    """Read a file, and scale its picture to `side` x `side` pixels. Raises DataError."""
    _check(path)
    with _told(path.name):
        raw = path.read_bytes()
    return decode_image(raw, path.name, side)


def decode_image(raw: bytes, name: str, side: int) -> Picture:
    """The picture of a file that holds these bytes, as `side` x `side` pixels. Raises DataError.

    The first one of an animation or of several pages. Colour profiles are not looked at.
    """
    with _told(name):
        opened = _opened(io.BytesIO(raw), name)
        kind, mode, whole = opened.format, opened.mode, opened.size
        width, height, orientation = _heading(opened)
        # A JPEG can be decoded at a half, a quarter or an eighth of its size; one that is progressive is held
        # in whole all the same.
        opened.draft(None, (GAP * side, GAP * side))
        held = whole if opened.info.get("progressive") else opened.size
        if held[0] * held[1] > MOST_PIXELS:
            raise _too_large(name, held[0] * held[1])
        opened.load()
        scaled = _coloured(opened, name).resize(
            (side, side), _need("Image").Resampling.BICUBIC, reducing_gap=GAP
        )
        pixels = _turned(_on_white(np.array(scaled)), orientation)
    return Picture(np.ascontiguousarray(pixels), width, height, kind, mode)


def _need(module: str) -> Any:
    try:
        importlib.import_module("PIL")
        return importlib.import_module(f"PIL.{module}")
    except (ImportError, OSError) as error:
        raise ConfigError(
            "expected the package pillow, which reads pictures, got an install without it. "
            "Install recurra[image]."
        ) from error


def _check(path: Path) -> None:
    if not path.is_file():
        what = "a folder" if path.is_dir() else "nothing"
        raise DataError(f"expected a picture, got {what} at {str(path)!r}. Check the path.", file=path.name)
    if path.suffix.lower() in UNREADABLE:
        raise DataError(
            f"expected JPEG, PNG, WebP, GIF, BMP, TIFF or PPM, got {path.suffix}. Convert it, for instance "
            f"with `magick {path.name} {path.stem}.png`.",
            file=path.name,
        )


@contextlib.contextmanager
def _told(name: str) -> Iterator[None]:
    """Turns what Pillow raises at a damaged file into a DataError."""
    try:
        yield
    except (DataError, ConfigError, MemoryError):
        raise
    # Its readers meet damage with whatever they stumble on: SyntaxError, struct.error, KeyError and others.
    except Exception as error:
        reason = str(getattr(error, "strerror", None) or error).rstrip(".") or type(error).__name__
        if type(error).__name__ == "DecompressionBombError":
            raise _too_large(name, int(re.findall(r"\d+", reason)[0])) from error
        raise DataError(
            "expected a whole picture, got one that cannot be read: it is damaged, cut short or of a rare "
            f"make ({reason}). Copy it again, or convert it.",
            file=name,
        ) from error


def _too_large(name: str, pixels: int) -> DataError:
    return DataError(
        f"expected a picture of at most {MOST_PIXELS:,} pixels, got {pixels:,}. Scale it down.", file=name
    )


def _opened(file: IO[bytes], name: str) -> Any:
    """The picture in a file, of which the beginning alone is read.

    Pillow's Image.open would warn of large JPEGs, which are never decoded in whole, and refuse larger ones;
    to silence it changes what other threads see. So the readers are asked directly.
    """
    start = file.read(BEGINNING)
    file.seek(0)
    for reader, beginning in READERS.items():
        if re.match(beginning, start, re.DOTALL):
            return getattr(_need(f"{reader}ImagePlugin"), f"{reader}ImageFile")(file)
    begins = f"begins with {start!r}" if start else "is empty"
    raise DataError(
        f"expected a picture (JPEG, PNG, WebP, GIF, BMP, TIFF or PPM), got a file that {begins}. "
        "Save it again as one of these.",
        file=name,
    )


def _heading(opened: Any) -> tuple[int, int, int]:
    """Width and height as they are seen, and the EXIF orientation by which pixels are yet to be turned."""
    orientation, left = 1, 1
    if opened.format == "TIFF":
        # Pillow turns these while they load; in what order their sides are until then is up to its version.
        width, height = opened.tag_v2[WIDTH], opened.tag_v2[HEIGHT]
        orientation = opened.tag_v2.get(ORIENTATION, 1)
    else:
        width, height = opened.size
        # A picture whose EXIF is damaged is not.
        with contextlib.suppress(Exception):
            exif = _need("Image").Exif()
            exif.load(opened.info.get("exif") or b"")
            orientation = left = exif.get(ORIENTATION, 1)
    return (height, width, left) if orientation in (5, 6, 7, 8) else (width, height, left)


def _coloured(opened: Any, name: str) -> Any:
    """Pillow's picture in RGB; in RGBa (colours times opacity) where one sees through it."""
    image = opened
    if opened.mode.startswith(("I", "F")):
        image = _need("Image").fromarray(_grey(opened, name))
    if image.has_transparency_data:
        return image.convert("LA" if image.mode == "La" else "RGBA").convert("RGBA").convert("RGBa")
    return image if image.mode == "RGB" else image.convert("RGB")


def _grey(opened: Any, name: str) -> Array:
    """Levels (H, W) uint8 of a picture with more bits: its upper ones, as Pillow does for colours."""
    tags = opened.tag_v2 if opened.format == "TIFF" else {}
    levels: Array = np.asarray(opened)
    if opened.mode == "F":
        low, high = float(levels.min()), float(levels.max())
        # Nor is one that is not a number.
        if not (low >= 0 and high <= 1):
            raise DataError(
                f"expected floats from 0 to 1, got {low:g} to {high:g}. Save it with 8 bits.", file=name
            )
        found: Array = np.rint(levels * 255).astype(np.uint8)
    elif opened.mode == "I" and tags:
        raise DataError(
            "expected grey of 8 or 16 bits, got numbers of 32 bits or with a sign. Save it with 8 bits.",
            file=name,
        )
    else:
        found = (levels >> (tags.get(BITS, (16,))[0] - 8)).astype(np.uint8)
    if tags.get(PHOTOMETRIC) == 0:
        found = 255 - found
    clear = opened.info.get("transparency")
    if isinstance(clear, int):
        found[levels == clear] = 255
    return found


def _on_white(pixels: Array) -> Array:
    """Pixels (S, S, 3 or 4) uint8 of RGB or RGBa as RGB; the first comes through as it is."""
    if pixels.shape[2] == 3:
        return pixels
    white = pixels[..., :3].astype(np.int16) + (255 - pixels[..., 3:])
    found: Array = np.minimum(white, 255).astype(np.uint8)
    return found


def _turned(pixels: Array, orientation: int) -> Array:
    """Pixels (S, S, 3) as they are seen, of a picture whose EXIF has this orientation."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
