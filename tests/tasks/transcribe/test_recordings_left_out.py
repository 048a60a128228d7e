"""Recordings and texts that cannot be used: named and counted, and left out only where the user agrees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from small_recordings import listed, recorded, spoken, texts

from recurra.errors import DataError
from recurra.fit import configure
from recurra.tasks.transcribe.config import TranscribeConfig
from recurra.tasks.transcribe.data import TranscribeData, read_recordings

MANY = 20


def read(source: object, /, **options: object) -> TranscribeData:
    return read_recordings(configure(TranscribeConfig, {"lm": "none", **options}), source)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return recorded(tmp_path, texts(MANY))


def total(data: TranscribeData) -> int:
    return len(data.train) + len(data.valid) + len(data.test)


def missing(path: Path) -> None:
    path.unlink()


def damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:700])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def short(path: Path) -> None:
    soundfile.write(path, spoken("ada")[:300], 8_000)


def silent(path: Path) -> None:
    soundfile.write(path, np.full(8_000, 0.25), 8_000)


def long(path: Path) -> None:
    soundfile.write(path, np.tile(spoken("ada"), 20), 8_000)


@pytest.mark.parametrize(
    ("spoil", "one", "several", "reason"),
    [
        (missing, "recording that is not there", "recordings that are not there", ""),
        (
            damaged,
            "damaged recording",
            "damaged recordings",
            ": expected 0.80 s of sound, as its beginning says, got 0.04 s",
        ),
        (empty, "recording without sound", "recordings without sound", ": an empty file"),
        (short, "recording without sound", "recordings without sound", ": 0.037 s"),
        (silent, "silent recording", "silent recordings", ""),
        (
            long,
            "recording that is too long",
            "recordings that are too long",
            ": 8.0 s, where longest allows 5",
        ),
    ],
)
def test_recordings_that_cannot_be_used(tmp_path, spoil, one, several, reason):
    said = ["ada bob"] * MANY
    paths = recorded(tmp_path, said)
    table = listed(tmp_path / "all.csv", paths, said)
    spoil(paths[4])
    first = f"r004.wav (all.csv, line 6){reason}"
    with pytest.raises(DataError) as caught:
        read(table, longest=5)
    assert str(caught.value) == (
        f"expected recordings that can be used, each with its text, got 1 {one} (the first is {first}). "
        "Correct them, or leave them out with skip."
    )
    spoil(paths[9])
    data = read(table, longest=5, skip=True)
    assert total(data) == MANY - 2
    assert f"left out: 2 {several}; the first is {first}" in data.found
    assert f"left out: 2 {several}; the first is {first}" in data.remarks


def test_all_kinds_are_told_at_once(tmp_path, paths):
    said = texts(MANY)
    said[0] = "  "
    said[1] = "ada bob cab dad ebb fee " * 9
    table = listed(tmp_path / "transcripts.csv", paths[:-1], said[:-1])
    missing(paths[2])
    silent(paths[3])
    silent(paths[5])
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    message = str(caught.value)
    assert "1 recording that is not there (the first is r002.wav (transcripts.csv, line 4))" in message
    assert "2 silent recordings (the first is r003.wav (transcripts.csv, line 5))" in message
    assert (
        "2 recordings without a text (the first is r019.wav, which transcripts.csv does not name)" in message
    )
    assert (
        "and 1 text that is too long for its recording (the first is r001.wav (transcripts.csv, line 3): "
        in message
    )
    assert message.count("Correct them") == 1
    data = read(tmp_path, skip=True)
    assert total(data) == MANY - 6
    assert sum(line.startswith("left out: ") for line in data.found) == 4
    # A table by itself need not name what lies beside it.
    with pytest.raises(DataError, match="1 recording without a text") as caught:
        read(table)
    assert "does not name" not in str(caught.value)


def test_recordings_and_texts_without_each_other(tmp_path, paths):
    for path, text in zip(paths, texts(MANY), strict=True):
        path.with_suffix(".txt").write_text(text)
    paths[3].unlink()
    paths[5].with_suffix(".txt").unlink()
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    message = str(caught.value)
    assert "1 recording without a text (the first is r005.wav, which has no r005.txt beside it)" in message
    assert "1 text without a recording (the first is r003.txt)" in message
    assert total(read(tmp_path, skip=True)) == MANY - 2


def test_a_text_may_take_all_the_steps_there_are(tmp_path):
    # A second at 8 kHz has 98 frames of 25 ms, so 32 steps of three, and ten more to finish in.
    time = np.arange(8_000) / 8_000
    said = ["ada"] * 10 + ["ab" * 21]
    paths = recorded(tmp_path, said)
    soundfile.write(paths[10], 0.3 * np.sin(2_000 * time), 8_000)
    assert total(read(listed(tmp_path / "all.csv", paths, said))) == 11
    for crowded, need in (("ab" * 21 + "a", 43), ("aab" + "ab" * 20, 44), ("a" * 22, 43)):
        said[10] = crowded
        with pytest.raises(DataError, match=f": {need} steps are needed for it, and there are 42"):
            read(listed(tmp_path / "all.csv", paths, said))


def test_nothing_that_can_be_used_is_an_error_with_consent_too(tmp_path, paths):
    table = listed(tmp_path / "all.csv", paths, texts(MANY))
    for path in paths:
        silent(path)
    with pytest.raises(DataError, match="got 20 silent recordings"):
        read(table, skip=True)


def test_characters_that_training_does_not_show_are_told(tmp_path, paths):
    said = texts(MANY)
    train = listed(tmp_path / "train.csv", paths[:-2], said[:-2])
    test = listed(tmp_path / "test.csv", paths[-2:], ["ada 7", "ümx"])
    data = read([train, test])
    assert (
        "unknown: 4 characters of the test part that training does not show: 7 ü m x; the first is in "
        "r018.wav (test.csv, line 2)"
    ) in data.found
    tokens = data.schema.tokens
    assert tokens.decode(data.test.target[0]) == "ada "
    assert data.test.recordings.texts == ["ada 7", "ümx"]


def test_damaged_texts_are_told(tmp_path, paths):
    for path, text in zip(paths, texts(MANY), strict=True):
        path.with_suffix(".txt").write_text(text)
    paths[2].with_suffix(".txt").write_text("ad\ufffd")
    assert "damaged: 1 text with lost characters; the first is r002.wav" in read(tmp_path).found
    paths[2].with_suffix(".txt").write_bytes("adé".encode("latin-1"))
    found = read(tmp_path)
    parts = (found.train, found.valid, found.test)
    assert "adé" in [text for part in parts for text in part.recordings.texts or []]
    assert "encoding: not UTF-8, read as Latin-1 (r002.txt)" in found.found
