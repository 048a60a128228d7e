"""Features of pictures that the user has made, as numpy.save writes them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from recurra.data.frequency import Array
from recurra.errors import DataError


def first_shape(paths: Sequence[Path]) -> tuple[int, int, int]:
    """Rows, columns and channels of the first of these files that can be read. Raises DataError."""
    for path in paths:
        try:
            rows, columns, channels = features_of(path.read_bytes(), path.name).shape
        except (DataError, OSError):
            continue
        return rows, columns, channels
    raise DataError(
        f"expected files of features, (parts, channels) or (rows, columns, channels), got {len(paths):,} of "
        "which none can be read. Write them with numpy.save."
    )


def features_of(raw: bytes, name: str) -> Array:
    """Features of a file as numpy.save writes it, (rows, columns, channels) float32. Raises DataError."""
    try:
        shape, dtype = _heading(io.BytesIO(raw))
        # What a heading promises may be more than there is memory for.
        whole = dtype.itemsize * prod(shape) <= len(raw)
        usable = whole and not dtype.hasobject
        found: Array | None = np.load(io.BytesIO(raw), allow_pickle=False) if usable else None
    except (ValueError, EOFError, OSError) as error:
        raise _unread(name) from error
    if found is None:
        raise _unread(name)
    if dtype.kind not in "fiu" or not 1 <= len(shape) <= 3:
        raise DataError(
            "expected features as numbers (parts, channels) or (rows, columns, channels), got "
            f"{dtype} {shape}. Save others.",
            file=name,
        )
    with np.errstate(over="ignore"):
        features: Array = found.astype(np.float32)
    if not features.size or not np.isfinite(features).all():
        what = "some that are not" if features.size else "none"
        raise DataError(f"expected finite features, got {what}. Save it again.", file=name)
    return features.reshape((1,) * (3 - found.ndim) + found.shape)


def _heading(file: io.BytesIO) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of an array, as its file says. Raises ValueError."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def _unread(name: str) -> DataError:
    return DataError(
        "expected features as numpy.save writes them, got a file that cannot be read. Save it again.",
        file=name,
    )
