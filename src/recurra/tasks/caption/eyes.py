"""How pictures are seen: as pixels of some size, through a backbone, or as features from files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.data.frequency import Array
from recurra.data.images import decode_image, read_image, read_size
from recurra.errors import ConfigError, DataError
from recurra.tasks.caption.backbone import Network, read_backbone
from recurra.tasks.caption.features import features_of, first_shape
from recurra.tasks.caption.schema import Backbone, Schema
from recurra.tasks.caption.shape import sizes
from recurra.tasks.caption.sources import FEATURES, Captioned

if TYPE_CHECKING:
    from recurra.tasks.caption.config import CaptionConfig

# Pictures that are looked at to tell how large they are.
SAMPLE = 200
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
        found = features_of(raw, name)
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
        return Eyes(0, None, first_shape(given))
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
