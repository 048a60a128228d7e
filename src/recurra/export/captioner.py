"""Says what pictures show with the graphs of a folder, as the bundle does: reader.py loads them.

It needs numpy, Python's own library and writer.py beside it; Pillow, too, to open files of pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

# Inside recurra, or wherever the folder has been taken.
if TYPE_CHECKING or __package__:
    from recurra.export.writer import Text, bytes_of, first_states, found_by, joined
else:
    from writer import Text, bytes_of, first_states, found_by, joined

Array = np.ndarray[Any, np.dtype[Any]]


class Captioner:
    """Pictures to captions. model: the graphs `encoder` and `step`, and what reader.json says."""

    def __init__(self, model: Any, tokens: Any) -> None:
        self.model, self.record = model, model.record
        self.tokens = tokens(self.record["tokens"])

    def predict(self, pictures: Sequence[Any], **options: Any) -> list[dict[str, Any]]:
        """The best caption of each picture: text, score, and what each token attended to."""
        return [found[0] for found in self.caption(pictures, **options)]

    def caption(self, pictures: Sequence[Any], **options: Any) -> list[list[dict[str, Any]]]:
        """The `best` captions of each picture, the best first.

        pictures: paths, which Pillow opens; pixels (side, side, 3) uint8; or features (parts, channels)
        float32, where the graph reads those.  options: width (1 follows the best alone), length_penalty,
        best, most (tokens); as the bundle was fitted where they are left out.
        """
        beam = {**self.record["beam"], **options}
        return [self._one(self.seen(one), beam) for one in pictures]

    def seen(self, picture: Any) -> Array:
        """What the graph reads of a picture."""
        if isinstance(picture, np.ndarray):
            return picture
        if not self.record["side"]:
            raise ValueError(
                "expected features (parts, channels) float32, got something else. Make them first."
            )
        from PIL import Image, ImageOps  # noqa: PLC0415, arrays need none

        with Image.open(picture) as opened:
            upright = ImageOps.exif_transpose(opened)
        if upright.mode.startswith("I;16"):
            upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
        if upright.mode in ("I", "F"):
            raise ValueError(
                f"expected a picture of 8 or 16 bits, got one of mode {upright.mode}. Convert it."
            )
        upright = upright.convert("RGBA")
        white = Image.new("RGBA", upright.size, "white")
        size = (self.record["side"], self.record["side"])
        return np.asarray(
            Image.alpha_composite(white, upright)
            .convert("RGB")
            .resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
        )

    def _one(self, seen: Array, beam: dict[str, Any]) -> list[dict[str, Any]]:
        name = "pixels" if self.record["side"] else "features"
        found = self.model.encoder(**{name: seen[None]})
        memory = {"values": found["values"], "keys": found["keys"]}
        longest = self.record["longest"]
        limit = min(longest, beam["most"] or longest)
        best = found_by(self.model, memory, first_states(self.model, found), beam, limit)
        return [self._written(score, one) for score, one in best]

    def _written(self, score: float, found: Text) -> dict[str, Any]:
        rows, columns = self.record["grid"]
        if self.tokens.unit == "words":
            text = joined([self.tokens.tokens[token] for token in found.tokens])
        else:
            text = (
                b"".join(bytes_of(self.tokens, one) for one in found.tokens)
                .decode("utf-8", "replace")
                .strip()
            )
        attention = np.array(found.attention).reshape(-1, rows, columns)
        return {"text": text, "score": score, "attention": attention}
