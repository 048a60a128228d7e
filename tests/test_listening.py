"""Recognisers that listen: from Python, from files and pipes on the command line, and in lines of JSON."""

from __future__ import annotations

import base64
import contextlib
import io
import itertools
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurra
from recurra import cli
from recurra.bundle import Bundle
from recurra.data.audio import pcm as read
from recurra.data.audio import read_audio
from recurra.errors import ConfigError
from tones import PLAIN, RATE, fit_tones, pcm, say

soundfile = pytest.importorskip("soundfile", reason="needs the extra [audio]")
soxr = pytest.importorskip("soxr", reason="needs the extra [audio]")
pytest.importorskip("jiwer", reason="needs the extra [audio]")

# Two utterances with a pause between.
SAID = read(pcm(np.concatenate([say("lo mi su", 3), say("su lo", 5, before=1.6)])))
Run = Callable[..., tuple[str, str]]


@pytest.fixture(scope="module")
def hears(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return fit_tones(tmp_path_factory.mktemp("tones") / "hears", **PLAIN)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """One that must have the whole recording."""
    return fit_tones(tmp_path_factory.mktemp("whole") / "hears", steps=20, live=False, **PLAIN)


@pytest.fixture
def sounds(tmp_path: Path) -> dict[str, Path]:
    """The same in files of several kinds."""
    soundfile.write(tmp_path / "a.wav", SAID, RATE, subtype="PCM_16")
    soundfile.write(tmp_path / "a.flac", np.stack([soxr.resample(SAID, RATE, 44_100)] * 2, 1), 44_100)
    (tmp_path / "a.pcm").write_bytes(pcm(SAID))
    soundfile.write(tmp_path / "fast.wav", soxr.resample(SAID, RATE, 16_000), 16_000, subtype="PCM_16")
    (tmp_path / "fast.pcm").write_bytes(pcm(soxr.resample(SAID, RATE, 16_000)))
    return {path.name: path for path in tmp_path.iterdir()}


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command line in this process, `given` on its stdin; stdout and stderr."""

    def command(*words: object, given: bytes = b"", code: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main([str(word) for word in words])
        told = capfd.readouterr()
        assert end.value.code == code, told
        assert "Traceback" not in told.err
        return told.out, told.err.removeprefix("recurra: ").rstrip("\n")

    return command


def finals(bundle: Bundle, samples: Any = SAID) -> list[dict[str, Any]]:
    """What a stream says of sound, a tenth of a second at a time."""
    stream = bundle.stream()
    pieces = [samples[at : at + RATE // 10] for at in range(0, len(samples), RATE // 10)]
    return [said for piece in [*pieces, b""] for said in stream.step(piece)["final"]]


def heard(path: Path) -> Any:
    """Samples of a file as the bundle hears them."""
    return read_audio(path, RATE).samples


def texts(said: list[dict[str, Any]]) -> list[str]:
    return [one["text"] for one in said]


# From Python.


def test_what_is_said_in_sounds(hears: Bundle, whole: Bundle, sounds: dict[str, Path]) -> None:
    paths = [sounds["a.wav"], sounds["a.flac"]]
    first, second, third = hears.transcribe([*paths, say("mi lo", 9)])
    assert first.text == " ".join(said["text"] for said in finals(hears))
    assert second.text == " ".join(said["text"] for said in finals(hears, heard(paths[1])))
    assert set(third.text.split()) <= {"lo", "mi", "su"}
    begins = [word.begin for word in first.words]
    assert begins == sorted(begins)
    assert [one.text for one in whole.transcribe([SAID, SAID[:0]])][1] == ""


def test_it_has_learnt_the_words(hears: Bundle) -> None:
    assert hears.record["scores"][0]["metrics"]["wer"] < 0.5
    assert " ".join(said["text"] for said in finals(hears)).split().count("lo") >= 1


def test_other_tasks_do_not_listen(tmp_path: Path) -> None:
    from counting.task import Counting, write_numbers  # noqa: PLC0415

    bundle = recurra.fit(
        Counting(), write_numbers(tmp_path / "numbers.csv"), out=tmp_path / "run", quiet=True
    )
    with pytest.raises(ConfigError) as error:
        bundle.transcribe([SAID])
    assert str(error.value) == (
        f"expected a bundle of a task that transcribes, got {tmp_path / 'run'}, of the task 'counting'. Name "
        "a bundle that `recurra fit transcribe` has written."
    )


# On the command line.


def test_a_file_is_written_down(hears: Bundle, sounds: dict[str, Path], run: Run) -> None:
    for file in ("a.wav", "a.flac"):
        expected = texts(finals(hears, heard(sounds[file])))
        assert len(expected) > 1
        for options in ([], ["--chunk", "0.37"]):
            out, _ = run("listen", hears.path, sounds[file], *options)
            assert out.splitlines() == expected


def test_sound_through_a_pipe(hears: Bundle, sounds: dict[str, Path], run: Run) -> None:
    for file, same, *options in (
        ("a.pcm", "a.wav"),
        ("a.wav", "a.wav", "-"),
        ("fast.wav", "fast.wav"),
        ("fast.pcm", "fast.wav", "--rate", "16000"),
    ):
        out, _ = run("listen", hears.path, *options, given=sounds[file].read_bytes())
        assert out.splitlines() == texts(finals(hears, heard(sounds[same]))), file
    assert run("listen", hears.path) == ("", "")


def test_times_before_each_line(hears: Bundle, sounds: dict[str, Path], run: Run) -> None:
    out, _ = run("listen", hears.path, sounds["a.wav"], "--times")
    for line, said in zip(out.splitlines(), finals(hears), strict=True):
        begin, end = said["words"][0]["begin"], said["words"][-1]["end"]
        assert line == f"{begin:.2f}–{end:.2f}  {said['text']}"


def test_a_line_of_json_for_each_change(hears: Bundle, sounds: dict[str, Path], run: Run) -> None:
    out, _ = run("listen", hears.path, "--json", given=sounds["a.pcm"].read_bytes())
    lines = [json.loads(line) for line in out.splitlines()]
    assert [said for line in lines for said in line["final"]] == finals(hears)
    for before, after in itertools.pairwise(lines):
        assert after["final"] or after["partial"] != before["partial"]
        assert before["seconds"] <= after["seconds"]
    assert any(line["partial"] for line in lines)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing.wav"], "expected a recording, got nothing at 'nothing.wav'"),
        (["a.pcm"], "a.pcm: expected a recording (WAV, FLAC, OGG or MP3), got one that cannot be read"),
        (
            ["a.wav", "--rate", "8000"],
            "expected --rate with raw samples on stdin alone, got a.wav, which says its own. Leave "
            "--rate out.",
        ),
    ],
)
def test_mistakes(hears: Bundle, sounds: dict[str, Path], run: Run, words: list[str], message: str) -> None:
    with contextlib.chdir(sounds["a.wav"].parent):
        assert message in run("listen", hears.path, *words, code=2)[1]


def test_what_came_before_a_mistake_is_written(hears: Bundle, run: Run, tmp_path: Path) -> None:
    samples = SAID.copy()
    samples[-10] = np.nan
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    out, told = run("listen", hears.path, tmp_path / "a.wav", code=2)
    assert out.split()[:2] == [word for said in finals(hears) for word in said["text"].split()][:2]
    assert "expected finite samples" in told


def test_bundles_that_do_not_listen(whole: Bundle, sounds: dict[str, Path], run: Run, tmp_path: Path) -> None:
    assert run("listen", whole.path, sounds["a.wav"], code=2)[1].startswith(
        "expected a model that listens while somebody speaks, got one that must have the whole recording"
    )
    (tmp_path / "text.txt").write_text("to be or not to be\n" * 100)
    recurra.fit("language", tmp_path / "text.txt", out=tmp_path / "run", time_budget=0.5, quiet=True)
    assert run("listen", tmp_path / "run", sounds["a.wav"], code=2)[1] == (
        f"expected a bundle that listens, got {tmp_path / 'run'}, of the task 'language'. Name one that "
        "`recurra fit transcribe` has written, or use `recurra stream`."
    )


class Process:
    """`recurra listen` of its own, whose stdin is a pipe."""

    def __init__(self, bundle: Bundle, *options: str, **more: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "recurra", "listen", str(bundle.path), *options],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "20"},
            **more,
        )
        assert self.process.stdin is not None
        self.sound = self.process.stdin

    def hear(self, samples: Any) -> None:
        self.sound.write(pcm(samples))
        self.sound.flush()


def test_ctrl_c_writes_what_was_being_said(hears: Bundle) -> None:
    listening = Process(hears, "--json", stdout=subprocess.PIPE)
    listening.hear(SAID[: RATE * 8 // 10])
    assert listening.process.stdout is not None
    assert json.loads(listening.process.stdout.readline())["partial"]  # it is heard at once
    time.sleep(0.2)
    listening.process.send_signal(signal.SIGINT)
    out, err = listening.process.communicate(timeout=60)
    assert listening.process.returncode == 130
    assert err.decode() == "recurra: stopped by SIGINT while it listened.\n"
    assert json.loads(out.splitlines()[-1])["final"]


def test_words_change_on_a_screen_while_they_are_said(hears: Bundle) -> None:
    screen, theirs = pty.openpty()
    listening = Process(hears, stdout=theirs)
    os.close(theirs)
    listening.hear(SAID)
    listening.sound.close()
    shown = b""
    try:
        while more := os.read(screen, 4096):
            shown += more
    except OSError:  # how Linux says that nobody writes any more
        pass
    finally:
        os.close(screen)
    assert listening.process.wait(60) == 0
    listening.process.stderr.close()  # type: ignore[union-attr]
    text = shown.decode()
    assert "\r\x1b[K\x1b[2mlo" in text
    lines = [
        re.sub(r"\x1b\[\d*[A-Za-z]", "", line.split("\r")[-1])
        for line in text.replace("\r\n", "\n").split("\n")
    ]
    assert [line for line in lines if line] == [said["text"] for said in finals(hears)]


def test_a_terminal_is_not_listened_to(hears: Bundle, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    def terminal(_: object) -> Terminal:
        return Terminal(io.BytesIO())

    monkeypatch.setattr(io, "TextIOWrapper", terminal)
    assert run("listen", hears.path, code=2)[1] == (
        "expected a file, or sound on stdin, got a terminal. Name a file, or pipe sound in: arecord -f "
        "S16_LE -r 8000 | recurra listen BUNDLE."
    )


# Lines of JSON.


def test_pieces_of_several_streams_in_lines(hears: Bundle, run: Run) -> None:
    other = read(pcm(say("mi mi", 11)))
    pieces = [
        json.dumps({"who": who, "sound": base64.b64encode(pcm(sound[at : at + 1600])).decode()})
        for at in range(0, len(SAID), 1600)
        for who, sound in (("a", SAID), ("b", other))
        if at < len(sound)
    ]
    ends = [json.dumps({"who": who, "sound": ""}) for who in "ab"]
    out, _ = run("stream", hears.path, "--by", "who", given="\n".join([*pieces, *ends]).encode())
    answers = [json.loads(line) for line in out.splitlines()]
    for who, sound in (("a", SAID), ("b", other)):
        found = [said for answer in answers if answer["who"] == who for said in answer["final"]]
        assert found == finals(hears, sound)


def test_lines_of_one_stream_and_of_no_sound(hears: Bundle, run: Run) -> None:
    whole = json.dumps(base64.b64encode(pcm(SAID)).decode())
    out, told = run("stream", hears.path, given=f'{whole}\n"?"\n""\n'.encode(), code=2)
    first, wrong, last = map(json.loads, out.splitlines())
    assert [*first["final"], *last["final"]] == finals(hears)
    assert wrong == {
        "error": "line 2: expected 16-bit PCM in base64, got other characters. Encode the bytes of the "
        "samples."
    }
    assert told == "expected an observation in each line, got none in 1. The answers to them say why."
    assert run("stream", hears.path, "--plain", given=b"abc\n", code=2)[1] == (
        "expected lines of JSON, each a piece of sound in base64, got --plain, for text. Leave it out, or "
        "give the sound itself to `recurra listen`."
    )
