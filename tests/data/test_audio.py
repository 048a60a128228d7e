"""Recordings as samples: each format, each width, channels, rates, and files that are none."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from recurra.data.audio import decode_audio, is_audio, pcm, read_audio, read_heading, resampled
from recurra.errors import ConfigError, DataError

RATE = 16_000
TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)
DAMAGED = "expected a recording (WAV, FLAC, OGG or MP3), got one that cannot be read"


def packed(sound: np.ndarray, kind: str, encoding: str, rate: int = RATE) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, sound, rate, format=kind, subtype=encoding)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("kind", "encoding", "near"),
    [
        ("WAV", "PCM_U8", 1 / 128),
        ("WAV", "PCM_16", 1 / 2**15),
        ("WAV", "PCM_24", 1 / 2**23),
        ("WAV", "PCM_32", 1 / 2**23),
        ("WAV", "FLOAT", 0),
        ("WAV", "DOUBLE", 0),
        ("WAV", "ULAW", 0.02),
        ("WAV", "ALAW", 0.02),
        ("WAV", "IMA_ADPCM", 0.03),
        ("FLAC", "PCM_16", 1 / 2**15),
        ("FLAC", "PCM_24", 1 / 2**23),
        ("OGG", "VORBIS", 0.03),
        ("OGG", "OPUS", 0.03),
        ("AIFF", "PCM_16", 1 / 2**15),
        ("MP3", "MPEG_LAYER_III", None),
    ],
)
def test_every_format_gives_the_sound_that_went_in(tmp_path, kind, encoding, near):
    path = tmp_path / "tone.bin"
    path.write_bytes(packed(TONE, kind, encoding))
    sound, heading = read_audio(path), read_heading(path)
    assert (heading.kind, heading.encoding, heading.rate, heading.channels) == (kind, encoding, RATE, 1)
    assert sound.samples.dtype == np.float32
    assert sound.rate == RATE
    assert abs(len(sound.samples) - RATE) < 600
    assert sound.clipped == 0
    if near is not None:
        # Those that leave out what nobody hears begin and end as they like.
        middle = slice(1_000, -1_000) if near >= 0.02 else slice(None)
        assert float(np.abs(sound.samples[:RATE] - TONE)[middle].max()) <= near
    peak = np.abs(np.fft.rfft(sound.samples[2_000:14_000])).argmax() * RATE / 12_000
    assert abs(peak - 440) < 2


def test_sixteen_bits_come_through_bit_for_bit():
    whole = np.arange(-(2**15), 2**15).astype(np.int16)
    expected = whole.astype(np.float32) / np.float32(2**15)
    for kind in ("WAV", "FLAC", "AIFF"):
        np.testing.assert_array_equal(decode_audio(packed(whole, kind, "PCM_16"), "a").samples, expected)
    np.testing.assert_array_equal(pcm(whole.astype("<i2").tobytes()), expected)
    np.testing.assert_array_equal(pcm(whole.astype("<i2").tobytes() + b"\x01"), expected)
    assert len(pcm(b"\x01")) == 0


def test_channels_are_mixed_by_their_mean():
    rng = np.random.default_rng(0)
    for channels in (2, 3, 6):
        sound = rng.uniform(-0.9, 0.9, (500, channels)).astype(np.float32)
        found = decode_audio(packed(sound, "WAV", "FLOAT"), "a")
        assert found.channels == channels
        np.testing.assert_allclose(found.samples, sound.mean(1), atol=1e-7)
    both = np.stack([TONE, -TONE], 1)
    assert not decode_audio(packed(both, "WAV", "FLOAT"), "a").samples.any()


@pytest.mark.parametrize(
    ("given", "rate"), [(8_000, 16_000), (44_100, 16_000), (48_000, 8_000), (11_025, 16_000)]
)
def test_another_rate_has_another_length_and_the_same_sound(given, rate):
    time = np.arange(given) / given
    tone = np.sin(2 * np.pi * 1_000 * time).astype(np.float32)
    for many in (given, given // 3, 1_001):
        found = resampled(tone[:many], given, rate)
        assert abs(len(found) - many * rate / given) <= 1
    found = decode_audio(packed(0.5 * tone, "WAV", "FLOAT", given), "a", rate)
    assert found.rate == rate
    expected = 0.5 * np.sin(2 * np.pi * 1_000 * np.arange(rate) / rate)
    assert float(np.abs(found.samples - expected)[500:-500].max()) < 1e-3
    again = decode_audio(packed(0.5 * tone, "WAV", "FLOAT", given), "a", rate)
    np.testing.assert_array_equal(found.samples, again.samples)
    assert resampled(tone, given, given).tobytes() == tone.tobytes()
    assert len(resampled(tone[:0], given, rate)) == 0


def test_what_is_too_loud_is_clipped_and_a_loud_peak_is_not():
    loud = np.clip(3 * TONE, -1, 1)
    share = float((np.abs(loud) >= 0.9999).mean())
    for kind, encoding in (("WAV", "PCM_16"), ("WAV", "PCM_U8"), ("WAV", "ULAW"), ("FLAC", "PCM_24")):
        found = decode_audio(packed(loud, kind, encoding), "a").clipped
        assert found == pytest.approx(share, abs=0.03)
    # Two in a row are a peak; three are none.
    few = np.zeros(1_000, dtype=np.float32)
    few[[10, 11, 50, 52]] = 1
    assert decode_audio(packed(few, "WAV", "PCM_16"), "a").clipped == 0
    few[12] = 1
    assert decode_audio(packed(few, "WAV", "PCM_16"), "a").clipped == 3 / 1_000
    assert decode_audio(packed(np.stack([0 * few, few], 1), "WAV", "PCM_16"), "a").clipped == 3 / 1_000


def test_a_file_without_a_sample_is_read():
    assert len(decode_audio(packed(TONE[:0], "WAV", "PCM_16"), "a").samples) == 0


@pytest.mark.parametrize(
    ("kind", "encoding"), [("WAV", "PCM_16"), ("AIFF", "PCM_16"), ("AU", "PCM_16"), ("MP3", "MPEG_LAYER_III")]
)
def test_a_file_that_ends_too_soon_is_refused(kind, encoding):
    raw = packed(TONE, kind, encoding)
    with pytest.raises(DataError, match=r"a\.x: expected 1\.0\d s of sound, as its beginning says, got 0"):
        decode_audio(raw[: len(raw) // 2], "a.x")


@pytest.mark.parametrize(("kind", "encoding"), [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS")])
def test_a_packed_file_that_ends_too_soon_is_refused(kind, encoding):
    raw = packed(TONE, kind, encoding)
    with pytest.raises(DataError) as caught:
        decode_audio(raw[: len(raw) // 2], "a.x")
    assert DAMAGED in str(caught.value)
    assert caught.value.file == "a.x"


def test_a_file_whose_writer_did_not_know_its_length_is_whole():
    raw = bytearray(packed(TONE, "WAV", "PCM_16"))
    for size in (0xFFFFFFFF, 0x7FFFF000):
        raw[4:8] = raw[40:44] = size.to_bytes(4, "little")
        assert len(decode_audio(bytes(raw), "a").samples) == RATE


def test_a_flac_that_does_not_say_how_long_it_is_is_refused(tmp_path):
    raw = bytearray(packed(TONE, "FLAC", "PCM_16"))
    # The last 36 bits of these are the number of samples.
    raw[21] &= 0xF0
    raw[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(raw)
    for read in (read_audio, read_heading):
        with pytest.raises(DataError, match=r"cannot be read \(it does not say how long it is\)"):
            read(tmp_path / "a.flac")


@pytest.mark.parametrize("raw", [b"", b"no sound at all " * 40, b"RIFF\x00\x00\x00\x00WAVE"])
def test_what_is_no_recording_is_refused(tmp_path, raw):
    path = tmp_path / "a.wav"
    path.write_bytes(raw)
    for read in (read_audio, read_heading):
        with pytest.raises(DataError) as caught:
            read(path)
        assert str(caught.value).startswith(f"a.wav: {DAMAGED} (")
        assert str(caught.value).endswith("Save it again.")
        assert "BytesIO" not in str(caught.value)


def test_what_is_not_there_is_refused(tmp_path):
    for read in (read_audio, read_heading):
        with pytest.raises(DataError, match=r"none\.wav: expected a recording, got nothing at"):
            read(tmp_path / "none.wav")
        with pytest.raises(DataError, match="expected a recording, got a folder at"):
            read(tmp_path)


def test_a_file_of_another_kind_is_to_be_converted(tmp_path):
    (tmp_path / "a.m4a").write_bytes(b"x")
    with pytest.raises(DataError, match=r"expected WAV, FLAC, .*, got \.m4a\. Convert it.*-i a\.m4a a\.wav"):
        read_audio(tmp_path / "a.m4a")


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_samples_are_finite(odd):
    sound = TONE.copy()
    sound[[8_000, 8_001]] = odd
    with pytest.raises(DataError, match=r"expected finite samples, got 2 that are not, .* at 0\.500 s"):
        decode_audio(packed(sound, "WAV", "FLOAT"), "a")


@pytest.mark.parametrize("package", ["soundfile", "soxr"])
def test_packages_that_are_needed_are_named(monkeypatch, package):
    raw = packed(TONE, "WAV", "PCM_16")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=f"expected the package {package}.*Install recurra\\[audio\\]"):
        decode_audio(raw, "a", 8_000)


def test_recordings_are_told_by_their_names():
    assert all(is_audio(Path(name)) for name in ("a.wav", "b.FLAC", "c.ogg", "d.opus", "e.mp3", "f.aiff"))
    assert not any(is_audio(Path(name)) for name in ("a.txt", "wav", "b.csv", "c.m4a"))
