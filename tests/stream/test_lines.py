"""`recurra stream`: lines in, answers out, and the state in a file."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import recurra
from counting.task import Counting, write_numbers
from recurra import cli
from recurra.bundle import Bundle
from recurra.stream import StreamPool
from recurra.stream.lines import Lines
from recurra.tasks import TASKS, Entry

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("lines")
    numbers = write_numbers(folder / "numbers.csv")
    return recurra.fit(Counting(), numbers, out=folder / "run", steps=20, quiet=True)


def start(*words: object) -> subprocess.Popen[bytes]:
    """The command line with the tests' own task, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "counting", "stream", *map(str, words)],
        cwd=Path(__file__).parents[1],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The same in this process, for lines that are all there: its exit code, stdout and stderr."""
    monkeypatch.setitem(TASKS, "counting", Entry("counting", "Counting", "Counts."))

    def run(given: bytes, *words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        with pytest.raises(SystemExit) as end:
            cli.main(["stream", *map(str, words)])
        assert isinstance(end.value.code, int)
        return (end.value.code, *capsys.readouterr())

    return run


def test_every_line_is_answered_at_once(bundle: Bundle) -> None:
    alone = bundle.stream()
    with start(bundle.path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for x in (0.5, -1.0, 2.0):
            process.stdin.write(json.dumps({"x": x}).encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline()) == alone.step({"x": x})
        process.stdin.close()
        assert process.wait() == 0


def test_mistakes_have_their_answers(bundle: Bundle, run: Run) -> None:
    alone = bundle.stream()
    code, out, error = run(b'{"x": 1}\nnothing\n{"y": 1}\n\xff\n\n{"x": 2}\n', bundle.path)
    found = [json.loads(line) for line in out.splitlines()]
    assert found == [
        alone.step({"x": 1}),
        {"error": "line 2: expected JSON, got 'nothing'. Write one observation a line."},
        {"error": "line 3: expected an object with a number x, got {'y': 1}. Give one."},
        {"error": "line 4: expected JSON, got '�'. Write one observation a line."},
        {"error": "line 5: expected JSON, got ''. Write one observation a line."},
        alone.step({"x": 2}),
    ]
    assert code == 2
    assert error.splitlines()[-1] == (
        "recurra: expected an observation in each line, got none in 4. The answers to them say why."
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_state_stays_in_a_file(bundle: Bundle, run: Run, tmp_path: Path, number: signal.Signals) -> None:
    kept, alone = tmp_path / "state", bundle.stream()
    expected = [alone.step({"x": float(k)}) for k in range(4)]
    with start(bundle.path, "--state", kept) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for k in range(2):
            process.stdin.write(json.dumps({"x": k}).encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline()) == expected[k]
        process.send_signal(number)
        assert process.wait() == 128 + number
    _, out, _ = run(b'{"x": 2}\n{"x": 3}\n', bundle.path, "--state", kept)
    assert [json.loads(line) for line in out.splitlines()] == expected[2:]
    stream = bundle.stream()
    stream.restore(kept.read_bytes())
    assert stream.steps == 4


def test_a_foreign_state_is_refused(bundle: Bundle, run: Run, tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"something else")
    code, out, error = run(b'{"x": 2}\n', bundle.path, "--state", tmp_path / "state")
    assert (out, code) == ("", 2)
    assert "expected the state of a stream, got other bytes" in error
    assert (tmp_path / "state").read_bytes() == b"something else"


def test_lines_may_name_their_streams(bundle: Bundle) -> None:
    lines = Lines(StreamPool(bundle, 2), by="id")
    streams = {"a": bundle.stream(), "7": bundle.stream()}
    for name, x in (("a", 1.0), (7, 2.0), ("a", 3.0), (7, 4.0)):
        told = json.loads(lines.answer(json.dumps({"id": name, "x": x}).encode()))
        assert told == {"id": str(name), **streams[str(name)].step({"x": x})}
    assert lines.failed == 0
    assert json.loads(lines.answer(b'{"id": "c", "x": 1}')) == {
        "error": "line 5: expected a free slot, got 2 open streams. Close one, or make a larger pool."
    }
    assert json.loads(lines.answer(b'{"x": 1}')) == {
        "error": "line 6: expected an object whose 'id' names its stream, got '{\"x\": 1}'. Give it a name."
    }
    assert lines.failed == 2


@pytest.mark.parametrize(("option", "value"), [("--plain", ()), ("--state", ("file",))])
def test_options_that_contradict(bundle: Bundle, run: Run, option: str, value: tuple[str, ...]) -> None:
    code, _, error = run(b"", bundle.path, "--by", "id", option, *value)
    assert code == 2
    assert error.strip() == (
        f"recurra: expected lines that name their streams or {option}, got both. Leave one out."
    )
