"""Sound block by block, as it is read: files of any length, and what comes through a pipe."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from recurra.data.audio import SCALE, UNTOLD, WHOLE, read_heading
from recurra.data.frequency import Array
from recurra.errors import ConfigError, DataError

# How files of other kinds begin, which cannot be read from a pipe.
OTHERS = {
    **{b"fLaC": "FLAC", b"OggS": "OGG", b"FORM": "AIFF", b".snd": "AU", b"caff": "CAF", b"riff": "W64"},
    **{b"RF64": "RF64", b"BW64": "BW64", b"RIFX": "RIFX"},
    **{b"ID3" + bytes([version]): "MP3" for version in (2, 3, 4)},
}
BEGINNING = 12
# Of an MP3's frames, by what their beginning says (ISO 11172-3, ISO 13818-3): thousands of bits a second of
# the first version and the others, samples a second of the first, and how many times less the others have.
FRAME = 4
BITS_OF_FIRST = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
BITS_OF_OTHERS = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
RATES, LESS = (44_100, 48_000, 32_000), {3: 1, 2: 2, 0: 4}
# Of a WAV's format: integers, floats, and what says so in another place.
INTEGERS, FLOATS, EXTENSIBLE = 1, 3, 0xFFFE
FORMAT, SUBFORMAT, LONGEST_FORMAT = 16, 24, 64
# What reads samples from a pipe, by their bits; of 24, their bytes.
DTYPES = {
    **{(INTEGERS, 8): "u1", (INTEGERS, 16): "<i2", (INTEGERS, 24): "V3", (INTEGERS, 32): "<i4"},
    (FLOATS, 32): "<f4",
}


def file_blocks(path: Path, rate: int, seconds: float) -> Iterator[Array]:
    """Samples (N,) float32, mono, of a file, brought to `rate`; so many seconds at a time.

    Raises DataError, and of a file that ends too soon when its end has come.
    """
    heading = read_heading(path)
    blocks = _from_file(path, heading.kind, max(1, round(seconds * heading.rate)))
    return _at_rate(blocks, heading.rate, rate)


def _from_file(path: Path, kind: str, size: int) -> Iterator[Array]:
    soundfile = _need("soundfile")
    read = 0
    try:
        with path.open("rb") as file, soundfile.SoundFile(file) as opened:
            told, rate = opened.frames, opened.samplerate
            while len(found := opened.read(size, dtype="float32", always_2d=True)):
                if not np.isfinite(found).all():
                    at = read + int(np.flatnonzero(~np.isfinite(found).all(1))[0])
                    raise DataError(
                        f"expected finite samples, got others at {at / rate:.3f} s. Save it again.",
                        file=path.name,
                    )
                read += len(found)
                yield found.mean(1, dtype=np.float32)
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"expected a recording, got one that cannot be read after {read} samples. Save it again.",
            file=path.name,
        ) from error
    if read < told * (WHOLE if kind == "MP3" else 1):
        raise DataError(
            f"expected {told / rate:.2f} s of sound, as its beginning says, got {read / rate:.2f} s. Copy it "
            "again.",
            file=path.name,
        )


@dataclass(frozen=True, slots=True)
class Piped:
    """What comes through a pipe. left: bytes of samples that are to come, None where nobody says."""

    rate: int
    channels: int
    dtype: str
    left: int | None


def pipe_blocks(file: BinaryIO, rate: int, seconds: float, given: int | None = None) -> Iterator[Array]:
    """Samples (N,) float32, mono, of a WAV, or of 16-bit integers, the lower byte first; brought to `rate`.

    given: samples a second of what is no WAV, None for `rate`; with it, all but a WAV are samples. Raises
    DataError, ConfigError.
    """
    beginning = file.read(BEGINNING)
    if beginning[:4] == b"RIFF" and beginning[8:] == b"WAVE":
        about, beginning = _wav(file), b""
        if given is not None:
            raise ConfigError(
                f"expected a rate with raw samples alone, got a WAV, which says {about.rate:,} itself. Leave "
                "the rate out."
            )
    else:
        if given is None or beginning[8:] == b"WAVE":
            beginning += _refuse_others(file, beginning)
        about = Piped(given or rate, 1, "<i2", None)
    return _at_rate(_from_pipe(file, about, beginning, seconds), about.rate, rate)


def _refuse_others(file: BinaryIO, beginning: bytes) -> bytes:
    """What more was read to know that it is no file of another kind."""
    kind, more = OTHERS.get(beginning[:FRAME]), b""
    if kind is None and (size := _frame(beginning)):
        # Samples may happen to begin as a frame does, but hardly go on with another one.
        more = file.read(size + FRAME - len(beginning))
        kind = "MP3" if _frame((beginning + more)[size:]) else None
    if kind is not None:
        raise DataError(
            f"expected raw samples or a WAV on stdin, got {kind}. Name the file instead, or convert it "
            "on the way: ffmpeg -i - -f wav -."
        )
    return more


def _frame(content: bytes) -> int:
    """Bytes of the MP3's frame that begins here, 0 where none does."""
    if len(content) < FRAME or content[0] != 0xFF or content[1] >> 5 != 0b111:
        return 0
    version, layer = content[1] >> 3 & 3, content[1] >> 1 & 3
    bits, rate, padding = content[2] >> 4, content[2] >> 2 & 3, content[2] >> 1 & 1
    if version not in LESS or layer != 1 or not 0 < bits < 15 or rate == len(RATES):
        return 0
    first = version == 3
    thousands = (BITS_OF_FIRST if first else BITS_OF_OTHERS)[bits - 1]
    return (144 if first else 72) * 1_000 * thousands * LESS[version] // RATES[rate] + padding


def _from_pipe(file: BinaryIO, about: Piped, held: bytes, seconds: float) -> Iterator[Array]:
    dtype = np.dtype(about.dtype)
    frame = dtype.itemsize * about.channels
    size = max(1, round(seconds * about.rate)) * frame
    left = about.left
    while True:
        wanted = max(frame, size - len(held))  # what was held may be more than a block
        wanted = wanted if left is None else min(wanted, left)
        more = file.read(wanted)
        left = None if left is None else left - len(more)
        raw = held + more
        whole = len(raw) // frame * frame
        held = raw[whole:]
        if whole:
            samples = np.frombuffer(raw[:whole], dtype).reshape(-1, about.channels)
            yield _scaled(samples).mean(1, dtype=np.float32)
        if not wanted or len(more) < wanted:
            return


def _scaled(samples: Array) -> Array:
    """Samples as float32 within [-1, 1]."""
    kind, size = samples.dtype.kind, samples.dtype.itemsize
    if kind == "f":
        return np.nan_to_num(samples.astype(np.float32), posinf=0, neginf=0)
    if kind == "V":  # 24 bits, as the upper ones of 32
        wide = np.zeros((*samples.shape, 4), dtype=np.uint8)
        wide[..., 1:] = np.ascontiguousarray(samples).view(np.uint8).reshape(*samples.shape, size)
        samples, size = wide.view("<i4")[..., 0], 4
    if kind == "u":
        return (samples.astype(np.float32) - 128) / np.float32(128)
    return samples.astype(np.float32) / np.float32(SCALE if size == 2 else 1 << 31)


def _wav(file: BinaryIO) -> Piped:
    """What a WAV says before its samples, to which it is read."""
    about: Piped | None = None
    while True:
        name, size = (head := file.read(8))[:4], int.from_bytes(head[4:], "little")
        if len(head) < 8:
            raise DataError("expected a WAV with samples, got its beginning alone. Send the whole of it.")
        if name == b"data":
            break
        content = file.read(min(size, LONGEST_FORMAT))
        if name == b"fmt ":
            about = _format(content)
        for at in range(len(content), size + size % 2, 1 << 16):
            file.read(min(1 << 16, size + size % 2 - at))
    if about is None:
        raise DataError("expected a WAV that says its rate, got one that does not. Write it anew.")
    return Piped(about.rate, about.channels, about.dtype, None if not size or size >= UNTOLD else size)


def _format(content: bytes) -> Piped:
    if len(content) < FORMAT:
        raise DataError("expected a WAV that says its rate, got one that does not. Write it anew.")
    kind, channels, rate, bits = (
        int.from_bytes(content[a:b], "little") for a, b in ((0, 2), (2, 4), (4, 8), (14, 16))
    )
    if kind == EXTENSIBLE and len(content) >= SUBFORMAT + 2:
        kind = int.from_bytes(content[SUBFORMAT : SUBFORMAT + 2], "little")
    dtype = DTYPES.get((kind, bits))
    if dtype is None or not channels or not rate:
        raise DataError(
            f"expected a WAV of 8, 16, 24 or 32 bits on stdin, got {bits} bits of format {kind}, {channels} "
            f"channels, {rate} Hz. Name the file instead."
        )
    return Piped(rate, channels, dtype, None)


def _at_rate(blocks: Iterable[Array], given: int, rate: int) -> Iterator[Array]:
    """Blocks at another rate; none of them is empty."""
    if given == rate:
        yield from blocks
        return
    stream = _need("soxr").ResampleStream(given, rate, 1, dtype="float32")
    for block in blocks:
        found: Array = stream.resample_chunk(block)
        if len(found):
            yield found
    found = stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
    if len(found):
        yield found


def _need(package: str) -> Any:
    try:
        return importlib.import_module(package)
    except (ImportError, OSError) as error:
        raise ConfigError(
            f"expected the package {package}, which reads sound, got an install without it. Install "
            "recurra[audio]."
        ) from error
