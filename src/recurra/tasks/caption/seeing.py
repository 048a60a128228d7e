"""From files to pixels or features on disk; files that cannot be used are told by kind."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from recurra.data.frequency import Array
from recurra.data.images import decode_image, read_image, read_size
from recurra.data.media.problems import Problems
from recurra.errors import ConfigError, DataError
from recurra.tasks.caption.backbone import Network, read_backbone
from recurra.tasks.caption.pictures import Pictures
from recurra.tasks.caption.schema import Backbone, Schema
from recurra.tasks.caption.shape import sizes
from recurra.tasks.caption.sources import FEATURES, Captioned

if TYPE_CHECKING:
    from recurra.tasks.caption.config import CaptionConfig

# Pictures that are looked at to tell how large they are, and that are read side by side.
SAMPLE, AT_ONCE = 200, 8
# Pixels of a side that are hoped for where no picture can be read.
HOPED = 128


@dataclass(frozen=True)
class Eyes:
    """How pictures are seen.

    side: pixels of both sides, 0 where files of features are read.  network: what pictures are read through,
    None for the captioner's own.  features: rows, columns and channels of features, None for pixels.
    """

    side: int
    network: Network | None = None
    features: tuple[int, int, int] | None = None

    @property
    def backbone(self) -> bytes:
        """Of the network."""
        return b"" if self.network is None else self.network.raw

    @property
    def record(self) -> Backbone | None:
        """Of the network."""
        return None if self.network is None else self.network.record

    @property
    def shape(self) -> tuple[int, ...]:
        """Of what is seen of a picture."""
        if self.features is None:
            return self.side, self.side, 3
        rows, columns, channels = self.features
        return rows * columns, channels

    def open(self, picture: Any) -> Array:
        """What is seen of a file, by its path or its bytes, or of what is seen already. Raises DataError."""
        if isinstance(picture, np.ndarray):
            return self._checked(picture)
        if isinstance(picture, bytes):
            return self.look(picture, "the picture")[0]
        path = Path(picture)
        if self.side:
            return read_image(path, self.side).pixels
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise DataError(
                f"expected a file that can be read, got {error.strerror}. Check it.", file=path.name
            ) from error
        return self.look(raw, path.name)[0]

    def _checked(self, seen: Array) -> Array:
        """Pixels, or features, as the model takes them. Raises DataError."""
        if self.side and (seen.shape != self.shape or seen.dtype != np.uint8):
            wanted = f"pixels {self.shape} uint8"
        elif not self.side and seen.shape not in (self.shape, self.features):
            wanted = f"features {self.shape} or {self.features}"
        elif not self.side and (seen.dtype.kind not in "fiu" or not np.isfinite(seen).all()):
            wanted = "features that are finite numbers"
        else:
            return seen if self.side else seen.astype(np.float32).reshape(self.shape)
        raise DataError(f"expected {wanted}, got {seen.shape} {seen.dtype}. Give others.")

    def look(self, raw: bytes, name: str) -> tuple[Array, tuple[int, int]]:
        """What is seen of a file that holds these bytes, and its width and height. Raises DataError."""
        if not self.side:
            return self._read(raw, name)
        picture = decode_image(raw, name, self.side)
        seen = picture.pixels if self.network is None else self.network.features(picture.pixels)
        return seen, (picture.width, picture.height)

    def _read(self, raw: bytes, name: str) -> tuple[Array, tuple[int, int]]:
        found = _features(raw, name)
        if found.shape != self.features:
            raise DataError(
                f"expected features {self.features} as in the other files, got {found.shape}. Save others.",
                file=name,
            )
        rows, columns, channels = found.shape
        return found.reshape(rows * columns, channels), (columns, rows)


def eyes_of(schema: Schema) -> Eyes:
    """How later pictures are seen; features by a backbone are those that the model makes of pixels."""
    if schema.backbone is not None:
        return Eyes(schema.backbone.side)
    if schema.shape.side:
        return Eyes(schema.shape.side)
    return Eyes(0, None, (*schema.shape.grid, schema.shape.channels))


def eyes_for(config: CaptionConfig, pictures: Sequence[Captioned], captions: Sequence[str]) -> Eyes:
    """How the pictures to learn from are best seen. Raises ConfigError, DataError."""
    if config.backbone is not None:
        network = read_backbone(config.backbone)
        return Eyes(network.record.side, network, network.grid)
    given = [one.path for one in pictures if one.path.suffix.lower() == FEATURES]
    if given and len(given) < len(pictures):
        raise DataError(
            f"expected pictures, or features of all of them, got features of {len(given):,} among "
            f"{len(pictures):,}. Give one kind."
        )
    if given and config.side is not None:
        raise ConfigError("expected no side where features are read, got one. Leave out side.")
    if given:
        return Eyes(0, None, _first_shape(given))
    if config.side is not None:
        return Eyes(config.side)
    words = sum(len(text.split()) + 1 for text in captions)
    planned = sizes(
        config,
        vocabulary=5_000,
        pictures=len(pictures),
        captions=len(captions),
        tokens=words,
        largest=_largest(pictures),
    )
    return Eyes(planned.side)


def _largest(pictures: Sequence[Captioned]) -> int:
    """The shorter side of pictures, in the median; a picture that cannot be read is told of later."""
    step = max(1, len(pictures) // SAMPLE)
    shorter = []
    for one in pictures[::step]:
        try:
            shorter.append(min(read_size(one.path)))
        except DataError:
            continue
    return int(np.median(shorter)) if shorter else HOPED


def _first_shape(paths: Sequence[Path]) -> tuple[int, int, int]:
    for path in paths:
        try:
            rows, columns, channels = _features(path.read_bytes(), path.name).shape
        except (DataError, OSError):
            continue
        return rows, columns, channels
    raise DataError(
        f"expected files of features, (parts, channels) or (rows, columns, channels), got {len(paths):,} of "
        "which none can be read. Write them with numpy.save."
    )


def _features(raw: bytes, name: str) -> Array:
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


class _Seen(NamedTuple):
    """What came of one file: seen, its size and sha256; or a kind of problem, and the reason."""

    seen: Array | None
    size: tuple[int, int] = (0, 0)
    digest: bytes = b""
    problem: str = ""
    reason: str = ""


def see(parts: Mapping[str, Sequence[Captioned]], eyes: Eyes, problems: Problems) -> dict[str, Pictures]:
    """What is seen of pictures, by part. Raises DataError where there is no room for it."""
    dtype = np.uint8 if eyes.features is None else np.float32
    places: dict[Path, int] = {}
    found: dict[Path, _Seen] = {}
    every = dict.fromkeys(one.path for pictures in parts.values() for one in pictures)
    try:
        with tempfile.TemporaryFile(prefix="recurra-") as file:
            for path, seen in _each(list(every), eyes):
                if seen.seen is not None:
                    places[path] = len(places)
                    file.write(np.ascontiguousarray(seen.seen, dtype=dtype).data)
                found[path] = seen._replace(seen=None)
            file.flush()
            shape = (len(places), *eyes.shape)
            whole = np.memmap(file, dtype, "r", shape=shape) if places else np.zeros(shape, dtype)
    except OSError as error:
        raise DataError(
            f"expected room for the pictures in {tempfile.gettempdir()}, got {error.strerror}. Set TMPDIR to "
            "a folder that has it."
        ) from error
    return {part: _part(pictures, found, places, whole, problems) for part, pictures in parts.items()}


def _part(
    pictures: Sequence[Captioned],
    found: Mapping[Path, _Seen],
    places: Mapping[Path, int],
    whole: Array,
    problems: Problems,
) -> Pictures:
    """The pictures of a part that can be used."""
    good = []
    for one in pictures:
        seen = found[one.path]
        if seen.problem:
            problems.add(seen.problem, one.place or one.name, seen.reason)
        else:
            good.append(one)
    return Pictures(
        [one.path for one in good],
        [one.name for one in good],
        [one.place or one.name for one in good],
        [one.captions for one in good],
        whole,
        np.array([places[one.path] for one in good], dtype=np.int64),
        np.array([found[one.path].size for one in good], dtype=np.int64).reshape(-1, 2),
        [found[one.path].digest for one in good],
    )


def _each(paths: Sequence[Path], eyes: Eyes) -> Iterator[tuple[Path, _Seen]]:
    """What comes of each file, in order; some are read side by side, and no more than those are in memory."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for at in range(0, len(paths), 4 * AT_ONCE):
            some = paths[at : at + 4 * AT_ONCE]
            yield from zip(some, pool.map(partial(_one, eyes=eyes), some), strict=True)


def _one(path: Path, eyes: Eyes) -> _Seen:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return _Seen(None, problem="missing")
    except OSError as error:
        return _Seen(None, problem="damaged", reason=str(error.strerror))
    try:
        seen, size = eyes.look(raw, path.name)
    except DataError as error:
        reason = str(error).removeprefix(f"{error.file}: ").rsplit(". ", 1)[0]
        return _Seen(None, problem="damaged", reason=reason)
    return _Seen(seen, size, hashlib.sha256(raw).digest())
