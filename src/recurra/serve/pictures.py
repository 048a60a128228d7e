"""Pictures that clients send: what they are called, and how many pixels are decoded for whom."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any

from recurra.data import images
from recurra.errors import DataError
from recurra.serve.refusals import Refused

# Kinds of content, and the endings that stand for them.
KINDS = {
    "image/jpeg": ".jpg",
    "image/jpg": ".jpg",
    "image/pjpeg": ".jpg",
    "image/png": ".png",
    "image/x-png": ".png",
    "image/apng": ".apng",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/bmp": ".bmp",
    "image/x-bmp": ".bmp",
    "image/x-ms-bmp": ".bmp",
    "image/tiff": ".tiff",
    "image/x-portable-pixmap": ".ppm",
    "image/x-portable-graymap": ".pgm",
    "image/x-portable-bitmap": ".pbm",
    "image/x-portable-anymap": ".pnm",
}
# Pixels of a request's picture for each byte that a body may have: of the usual 16 MiB 50 million, as the
# cameras of telephones have them.
PIXELS = 3
# Pixels of a stream's picture, for which all streams of the bundle wait: some 2,000 a side, far more than are
# seen of any.
STREAMED = 2**22


def check_file(path: Path, body: int) -> None:
    """One colour is packed into nearly nothing. body: the most bytes of one. Raises Refused, DataError."""
    width, height = images.read_size(path)
    most = min(PIXELS * body, images.MOST_PIXELS)
    if width * height > most:
        message = f"expected a picture of at most {most} pixels, got {width * height}. Scale it down."
        raise Refused(413, "too_large", message)


def check_observation(observation: Any) -> None:
    """The same in a stream. What else may be wrong with it, the model says. Raises DataError."""
    if not isinstance(observation, str):
        return
    try:
        raw = base64.b64decode(observation.rpartition(",")[2], validate=True)
        width, height = images.size_of(raw, "the picture")
    except (binascii.Error, ValueError, DataError):
        return
    if width * height > STREAMED:
        raise DataError(
            f"expected a picture of at most {STREAMED} pixels in a stream, got {width * height}. Scale it "
            "down, or send it over HTTP."
        )
