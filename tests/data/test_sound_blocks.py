"""Sound block by block: files and pipes bring what the whole files hold."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest

from recurra.data import audio
from recurra.data.soundblocks import file_blocks, pipe_blocks
from recurra.errors import ConfigError, DataError
from tones import pcm, say

soundfile = pytest.importorskip("soundfile", reason="needs the extra [audio]")
soxr = pytest.importorskip("soxr", reason="needs the extra [audio]")

SAID = say("lo mi su")


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.wav", {}), ("a.wav", {"subtype": "FLOAT"}), ("a.flac", {}), ("a.ogg", {}), ("a.mp3", {})],
)
@pytest.mark.parametrize("seconds", [0.01, 0.1, 60.0])
def test_a_file_in_blocks(tmp_path: Path, name: str, options: dict[str, str], seconds: float) -> None:
    path = tmp_path / name
    soundfile.write(path, np.stack([SAID, SAID / 2], 1), 8_000, **options)
    blocks = list(file_blocks(path, 8_000, seconds))
    assert all(0 < len(block) <= 8_000 * seconds for block in blocks)
    assert all(block.dtype == np.float32 for block in blocks)
    # An MP3's samples are rounded by how many are read at once.
    atol = 1e-6 if name == "a.mp3" else 0
    np.testing.assert_allclose(np.concatenate(blocks), audio.read_audio(path).samples, atol=atol)


@pytest.mark.parametrize("rate", [8_000, 44_100])
@pytest.mark.parametrize("wanted", [8_000, 16_000])
def test_blocks_at_another_rate(tmp_path: Path, rate: int, wanted: int) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, soxr.resample(SAID, 8_000, rate), rate, subtype="FLOAT")
    found = np.concatenate(list(file_blocks(path, wanted, 0.1)))
    whole = audio.read_audio(path, wanted).samples
    assert len(found) == len(whole)
    np.testing.assert_allclose(found, whole, atol=1e-6)


def test_a_file_is_read_as_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(8_000 * 600, dtype=np.float32), 8_000)
    blocks = file_blocks(path, 8_000, 0.1)
    assert len(next(blocks)) == 800
    path.unlink()  # of what is open, the rest is still there
    assert sum(map(len, blocks)) == 8_000 * 600 - 800


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_U8", "PCM_24", "PCM_32", "FLOAT"])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_wav_through_a_pipe(tmp_path: Path, subtype: str, channels: int) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([SAID, SAID / 3][:channels], 1), 8_000, subtype=subtype)
    found = np.concatenate(list(pipe_blocks(io.BytesIO(path.read_bytes()), 8_000, 0.1)))
    np.testing.assert_array_equal(found, audio.read_audio(path).samples)


def test_a_wav_whose_end_nobody_knew() -> None:
    """As programs write them that record: the size is as large as can be; more may follow samples."""
    for size, more in ((0xFFFFFFFF, b""), (0x7FFFF000, b""), (len(SAID) * 2, b"LIST\x04\0\0\0abcd")):
        content = wav(pcm(SAID), size=size) + more
        found = np.concatenate(list(pipe_blocks(io.BytesIO(content), 8_000, 0.1)))
        np.testing.assert_array_equal(found, audio.pcm(pcm(SAID)))


def wav(samples: bytes, *, size: int, form: int = 1, bits: int = 16, rate: int = 8_000) -> bytes:
    extensible = struct.pack("<HHIIHH", 0xFFFE, 1, rate, rate * bits // 8, bits // 8, bits)
    extensible += struct.pack("<HHIH", 22, bits, 4, form) + bytes(14)
    odd = b"JUNK" + struct.pack("<I", 3) + b"abc\0"
    head = odd + b"fmt " + struct.pack("<I", len(extensible)) + extensible
    return b"RIFF\xff\xff\xff\xffWAVE" + head + b"data" + struct.pack("<I", size) + samples


def test_raw_samples_through_a_pipe() -> None:
    raw = pcm(SAID)
    for seconds in (0.0001, 0.1, 60.0):
        found = np.concatenate(list(pipe_blocks(io.BytesIO(raw + b"\1"), 8_000, seconds)))
        np.testing.assert_array_equal(found, audio.pcm(raw))
    found = np.concatenate(list(pipe_blocks(io.BytesIO(raw), 8_000, 0.1, 16_000)))
    np.testing.assert_allclose(found, soxr.resample(audio.pcm(raw), 16_000, 8_000), atol=1e-6)
    assert list(pipe_blocks(io.BytesIO(b""), 8_000, 0.1)) == []
    assert list(pipe_blocks(io.BytesIO(b"\1"), 8_000, 0.1)) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"fLaC" + bytes(40),
            "expected raw samples or a WAV on stdin, got FLAC. Name the file instead, or convert it on the "
            "way: ffmpeg -i - -f wav -.",
        ),
        (
            b"RIFF\0\0\0\0WAVEfmt ",
            "expected a WAV with samples, got its beginning alone. Send the whole of it.",
        ),
        (
            b"RIFF\0\0\0\0WAVEdata\0\0\0\0",
            "expected a WAV that says its rate, got one that does not. Write it anew.",
        ),
        (
            b"RIFF\0\0\0\0WAVEfmt \2\0\0\0\1\0",
            "expected a WAV that says its rate, got one that does not. Write it anew.",
        ),
        (
            b"RF64\xff\xff\xff\xffWAVEds64" + bytes(40),
            "expected raw samples or a WAV on stdin, got RF64. Name the file instead, or convert it on the "
            "way: ffmpeg -i - -f wav -.",
        ),
        (
            b"RIFX\0\0\0\x40WAVEfmt " + bytes(40),
            "expected raw samples or a WAV on stdin, got RIFX. Name the file instead, or convert it on the "
            "way: ffmpeg -i - -f wav -.",
        ),
        (
            wav(b"", size=0, bits=12),
            "expected a WAV of 8, 16, 24 or 32 bits on stdin, got 12 bits of format 1, 1 channels, 8000 Hz. "
            "Name the file instead.",
        ),
    ],
)
def test_what_cannot_be_read_from_a_pipe(content: bytes, message: str) -> None:
    with pytest.raises(DataError) as error:
        list(pipe_blocks(io.BytesIO(content), 8_000, 0.1))
    assert str(error.value) == message


def test_samples_that_begin_as_other_files_do() -> None:
    for first in ([-1025, 0, 0], [-1025, -1040, 3], [-1025, 20_000, 0]):  # as a frame of an MP3
        raw = np.array([*first, *range(2_000)], dtype="<i2").tobytes()
        for given in (None, 8_000):
            found = np.concatenate(list(pipe_blocks(io.BytesIO(raw), 8_000, 0.01, given)))
            np.testing.assert_array_equal(found, audio.pcm(raw))
    raw = b"fLaC" + pcm(SAID)
    found = np.concatenate(list(pipe_blocks(io.BytesIO(raw), 8_000, 0.1, 8_000)))
    np.testing.assert_array_equal(found, audio.pcm(raw))
    with pytest.raises(DataError, match="got RF64"):  # which says its rate
        list(pipe_blocks(io.BytesIO(b"RF64\xff\xff\xff\xffWAVEds64"), 8_000, 0.1, 8_000))


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_an_mp3_on_a_pipe_is_no_samples(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, SAID, rate)
    content = path.read_bytes()
    assert not content.startswith(b"ID3")
    for one in (content, b"ID3\4" + bytes(20) + content):
        with pytest.raises(DataError, match=r"expected raw samples or a WAV on stdin, got MP3\."):
            list(pipe_blocks(io.BytesIO(one), 8_000, 0.1))


def test_a_wav_says_its_rate_itself() -> None:
    with pytest.raises(ConfigError) as error:
        list(pipe_blocks(io.BytesIO(wav(b"", size=0)), 8_000, 0.1, 16_000))
    assert str(error.value) == (
        "expected a rate with raw samples alone, got a WAV, which says 8,000 itself. Leave the rate out."
    )


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with pytest.raises(DataError, match=r"a\.wav: expected a recording, got nothing at "):
        file_blocks(path, 8_000, 0.1)
    soundfile.write(
        path, np.where(np.arange(900) == 850, np.nan, 0).astype(np.float32), 1_000, subtype="FLOAT"
    )
    with pytest.raises(DataError, match=r"expected finite samples, got others at 0\.850 s\. Save it again\."):
        list(file_blocks(path, 1_000, 0.1))
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 80_000), 8_000)
    path.write_bytes(path.read_bytes()[:-40_000])
    blocks = file_blocks(path, 8_000, 0.1)
    assert len(next(blocks)) == 800
    with pytest.raises(DataError, match=r"a\.flac: expected .*\. (Save|Copy) it again\."):
        list(blocks)


def test_without_what_reads_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "soxr", None)
    with pytest.raises(ConfigError) as error:
        list(pipe_blocks(io.BytesIO(pcm(SAID)), 8_000, 0.1, 16_000))
    assert str(error.value) == (
        "expected the package soxr, which reads sound, got an install without it. Install recurra[audio]."
    )
