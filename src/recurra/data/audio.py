"""Recordings as samples: WAV, FLAC, OGG, MP3 and others, of any rate and any number of channels."""

from __future__ import annotations

import importlib
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recurra.data.frequency import Array
from recurra.errors import ConfigError, DataError

# What libsndfile reads, by the endings of files; and recordings that it does not.
ENDINGS = (
    ".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3",
    ".aif", ".aiff", ".au", ".caf", ".sph", ".w64",
)  # fmt: skip
UNREADABLE = (".m4a", ".aac", ".wma", ".webm", ".amr", ".mp4", ".m4b", ".mka", ".ape")
# Full scale of an int16, which is divided by this.
SCALE = 1 << 15
# From where on a sample is as loud as its encoding allows, and how many of them in a row are no chance.
FULL, FULL_OF, ROW = 0.999, {"PCM_U8": 0.992, "PCM_S8": 0.992, "ULAW": 0.98, "ALAW": 0.98}, 3
# What a file says of its own size where it ends too soon; sizes that programs write that cannot know better.
CUT = re.compile(r"^\s*(?:data|SSND|Data Size)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)
UNTOLD = 0x7FFF0000
# Samples that no file has.
ENDLESS = 1 << 48
# An MP3 is no longer than its first frames say; of one that was cut, less than this share is there.
WHOLE = 0.9


@dataclass(frozen=True, slots=True)
class Heading:
    """What a file says of its sound.

    kind: as in "FLAC".  encoding: as in "PCM_16".  frames: samples of each channel.
    """

    rate: int
    channels: int
    frames: int
    kind: str
    encoding: str

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.frames / self.rate


@dataclass(frozen=True, slots=True)
class Sound:
    """What a file holds.

    samples: (N,) float32, mono: the mean of the channels; within [-1, 1], but for files of floats.  rate:
    samples a second.  channels: of the file.  clipped: share of its samples that are as loud as can be, at
    least three in a row.
    """

    samples: Array
    rate: int
    channels: int
    clipped: float


def is_audio(path: Path) -> bool:
    """Whether the name is that of a recording that can be read."""
    return path.suffix.lower() in ENDINGS


def read_heading(path: Path) -> Heading:
    """What is said at the beginning of a file, which is not read any further. Raises DataError."""
    soundfile = _need("soundfile")
    _check(path)
    try:
        with path.open("rb") as file, soundfile.SoundFile(file) as opened:
            return _heading(opened)
    except (OSError, RuntimeError) as error:
        raise _damaged(path.name, error) from error


def read_audio(path: Path, rate: int | None = None) -> Sound:
    """Read a file, and bring it to `rate` samples a second. Raises DataError."""
    _check(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise _damaged(path.name, error) from error
    return decode_audio(raw, path.name, rate)


def decode_audio(raw: bytes, name: str, rate: int | None = None) -> Sound:
    """The sound of a file that holds these bytes, at `rate` samples a second. Raises DataError."""
    soundfile = _need("soundfile")
    try:
        with soundfile.SoundFile(io.BytesIO(raw)) as opened:
            heading, log = _heading(opened), str(opened.extra_info)
            found: Array = opened.read(dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise _damaged(name, error) from error
    _check_whole(heading, len(found), log, name)
    odd = np.flatnonzero(~np.isfinite(found).all(1))
    if len(odd):
        raise DataError(
            f"expected finite samples, got {len(odd):,} that are not, the first at "
            f"{odd[0] / heading.rate:.3f} s. Save it again.",
            file=name,
        )
    samples = found[:, 0] if heading.channels == 1 else found.mean(1, dtype=np.float32)
    return Sound(
        resampled(samples, heading.rate, rate or heading.rate),
        rate or heading.rate,
        heading.channels,
        _clipped(found, heading.encoding),
    )


def resampled(samples: Array, given: int, rate: int) -> Array:
    """Samples (N,) at another rate, (about N · rate / given,) float32."""
    if given == rate or not len(samples):
        return np.ascontiguousarray(samples, dtype=np.float32)
    found: Array = _need("soxr").resample(samples, given, rate)
    return found


def pcm(raw: bytes) -> Array:
    """Samples (N,) float32 of 16-bit integers, the lower byte first; half a sample at the end is left out."""
    return np.frombuffer(raw[: len(raw) // 2 * 2], dtype="<i2").astype(np.float32) / np.float32(SCALE)


def _need(package: str) -> Any:
    try:
        return importlib.import_module(package)
    except (ImportError, OSError) as error:
        raise ConfigError(
            f"expected the package {package}, which reads recordings, got an install without it. "
            "Install recurra[audio]."
        ) from error


def _check(path: Path) -> None:
    if not path.is_file():
        what = "a folder" if path.is_dir() else "nothing"
        raise DataError(f"expected a recording, got {what} at {str(path)!r}. Check the path.", file=path.name)
    if path.suffix.lower() in UNREADABLE:
        raise DataError(
            f"expected WAV, FLAC, OGG or MP3, got {path.suffix}. Convert it, for instance with "
            f"`ffmpeg -i {path.name} {path.stem}.wav`.",
            file=path.name,
        )


def _heading(opened: Any) -> Heading:
    if opened.frames >= ENDLESS:
        # Some encoders that write to a pipe leave it out; libsndfile cannot read such a FLAC to its end.
        raise RuntimeError("it does not say how long it is")
    return Heading(opened.samplerate, opened.channels, opened.frames, opened.format, opened.subtype)


def _check_whole(heading: Heading, frames: int, log: str, name: str) -> None:
    """Raises DataError where a file ends before its sound does."""
    said = CUT.search(log)
    untold = said is None or int(said[1]) >= UNTOLD or int(said[1]) <= int(said[2])
    expected = heading.seconds if said is None or untold else heading.seconds * int(said[1]) / int(said[2])
    least = WHOLE * heading.frames if heading.kind == "MP3" else heading.frames
    if frames < least or not untold:
        raise DataError(
            f"expected {expected:.2f} s of sound, as its beginning says, got {frames / heading.rate:.2f} s. "
            "Copy it again.",
            file=name,
        )


def _damaged(name: str, error: Exception) -> DataError:
    """The error for bytes that are no recording, or for a file that cannot be read."""
    reason = str(getattr(error, "error_string", None) or getattr(error, "strerror", None) or error)
    reason = reason.removeprefix("Error : ").strip().rstrip(".")
    return DataError(
        f"expected a recording (WAV, FLAC, OGG or MP3), got one that cannot be read ({reason}). "
        "Save it again.",
        file=name,
    )


def _clipped(found: Array, encoding: str) -> float:
    """Share of the samples (N, C) that are as loud as can be, ROW of them in a row or more."""
    full = np.asarray((np.abs(found) >= FULL_OF.get(encoding, FULL)).any(1))
    if int(full.sum()) < ROW:
        return 0.0
    edges = np.flatnonzero(np.diff(full.astype(np.int8), prepend=0, append=0))
    runs = edges[1::2] - edges[::2]
    return float(runs[runs >= ROW].sum() / len(full))
