"""`recurra generate` and `recurra score`, and what stands behind them in Python."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

import recurra
from recurra import cli
from recurra.bundle import Bundle
from recurra.cli import printed
from recurra.data.tokens import FIRST, Tokens
from recurra.errors import ConfigError
from recurra.tasks.base import Scores, Surprise, Writes
from recurra.tasks.language.data import read_later
from recurra.tasks.language.model import LanguageModel
from recurra.tasks.language.schema import Schema
from recurra.tasks.language.scoring import score
from recurra.tasks.language.shape import Shape
from recurra.tasks.language.writing import write_on

FORECAST = Path(__file__).parent / "legacy" / "format-1-forecast" / "bundle"


class Letters:
    """The parts of the language task that are asked for here."""

    name = "letters"

    def generate(
        self, model: Any, config: Any, schema: Any, prompt: str | bytes, **options: Any
    ) -> Iterator[str]:
        return write_on(model, schema, prompt, **options)

    def score(self, model: Any, config: Any, schema: Any, source: Any, *, by: Any, adapt: bool) -> Surprise:
        return score(model, read_later(schema, source), by=by, adapt=adapt)


@pytest.fixture
def bundle(monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """What `recurra.load` gives: a fresh model of six letters, nearly always three of them in a row."""
    schema = Schema(
        tokens=Tokens(unit="characters", tokens=(*FIRST, *"\nabcdé")),
        train_tokens=9,
        characters_per_token=1.0,
        shape=Shape(embedding=8, hidden=8, layers=2),
    )
    torch.manual_seed(0)
    model = LanguageModel(schema, "GRU").eval()
    task: Any = Letters()
    assert isinstance(task, Writes)
    assert isinstance(task, Scores)
    loaded = Bundle(Path("runs/x"), task, None, schema, model, {"parameters": 1})
    monkeypatch.setattr(recurra, "load", lambda path: loaded)
    return loaded


def run(capfd: pytest.CaptureFixture[str], *words: object, code: int = 0) -> Any:
    """What the command line prints: on stdout, or its last line on stderr."""
    with pytest.raises(SystemExit) as end:
        cli.main([str(word) for word in words])
    told = capfd.readouterr()
    assert end.value.code == code, told.err
    return told.out if code == 0 else told.err.splitlines()[-1]


def test_a_bundle_writes_on(bundle: Bundle) -> None:
    pieces = bundle.generate("ab", 30, seed=1)
    text = "".join(pieces)
    assert len(text) == 30
    assert text == "".join(bundle.generate("ab", length=30, seed=1))
    cold = "".join(bundle.generate("ab", 30, temperature=0))
    assert cold == "".join(bundle.generate("ab", 30, top_k=1))
    assert cold == "".join(bundle.generate("ab", 30, top_p=1e-6))
    assert cold != "".join(bundle.generate("ab", 30, temperature=0, repetition_penalty=9.0))
    assert "".join(bundle.generate("ab", 30, seed=1, stop=text[5:8])) == text[: text.index(text[5:8])]
    with pytest.raises(ConfigError, match="expected the top-k to be 1 or more, got 0"):
        bundle.generate(top_k=0)


def test_a_bundle_scores(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("abc\nbad\n")
    found = bundle.score(path)
    assert found.lines["text"].to_list() == ["abc", "bad"]
    assert found.tokens is not None
    assert "".join(found.tokens["token"]) == "abc\nbad\n"
    assert bundle.score([path], by="line").tokens is None


def test_bundles_of_other_tasks_neither_write_nor_score() -> None:
    other = recurra.load(FORECAST)
    then = "Name a bundle that `recurra fit language` has written."
    with pytest.raises(ConfigError) as error:
        other.generate("a")
    assert str(error.value) == (
        f"expected a bundle of a task that writes text, got {FORECAST}, of the task 'forecast'. {then}"
    )
    with pytest.raises(ConfigError) as error:
        other.score("x.txt")
    assert str(error.value) == (
        f"expected a bundle of a task that scores text, got {FORECAST}, of the task 'forecast'. {then}"
    )


def test_generate_prints_what_is_written(
    bundle: Bundle, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = "".join(bundle.generate("ab", 50, seed=3)).removesuffix("\n") + "\n"
    words = ("--length", 50, "--seed", 3)
    assert run(capfd, "generate", "runs/x", "--prompt", "ab", *words) == expected
    (tmp_path / "prompt").write_text("ab")
    assert run(capfd, "generate", "runs/x", "--prompt-file", tmp_path / "prompt", *words) == expected
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"ab")))
    assert run(capfd, "generate", "runs/x", "--prompt-file", "-", *words) == expected
    first, second = ("".join(bundle.generate("", 9, seed=seed)).removesuffix("\n") for seed in (3, 4))
    told = run(capfd, "generate", "runs/x", "--samples", 2, "--length", 9, "--seed", 3)
    assert told == f"--- seed 3\n{first}\n--- seed 4\n{second}\n"
    line = "".join(bundle.generate("", 200, seed=3)).split("\n")[0]
    assert run(capfd, "generate", "runs/x", "--seed", 3, "--stop", r"\n") == line + "\n"


def test_what_cannot_be_printed_does_not_stop_it(capfd: pytest.CaptureFixture[str]) -> None:
    printed.text(iter(["a", "\ud800", "é", "\n"]))
    assert capfd.readouterr().out == "a?é\n"


def test_ctrl_c_ends_the_line(bundle: Bundle, capfd: pytest.CaptureFixture[str]) -> None:
    def some(*_: Any, **__: Any) -> Iterator[str]:
        yield "ab"
        raise KeyboardInterrupt

    bundle.task.generate = some  # type: ignore[attr-defined]
    with pytest.raises(SystemExit) as end:
        cli.main(["generate", "runs/x"])
    assert end.value.code == 130
    told = capfd.readouterr()
    assert (told.out, told.err) == ("ab\n", "recurra: interrupted\n")


def test_score_prints_what_is_odd(bundle: Bundle, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("abc\n" * 3 + "b\tad\n" + "abc\n" * 3)
    with torch.no_grad():
        bundle.model.words.biases[0][2:6] += 5  # type: ignore[union-attr, operator]
    told = run(capfd, "score", "runs/x", path, "--most", 2).splitlines()
    assert told[0].split() == [
        "perplexity",
        "nats_per_token",
        "bits_per_token",
        "bits_per_character",
        "bits_per_byte",
        "unknown",
    ]
    assert any(line.startswith("language|unit:characters|") for line in told)
    assert told[-3] == "the most surprising lines, with bits per character:"
    place, bits, text = told[-2].split(maxsplit=2)
    assert place == "x.log:4"
    assert text == r"b\tad"
    assert float(bits) > 2
    assert len(told[-1].split()) == 3

    told = run(capfd, "score", "runs/x", path, "--by", "token", "--most", 1).splitlines()
    assert told[-2] == "the most surprising tokens, with bits:"
    assert told[-1].split()[0] == "x.log:4"
    assert "surprising" not in run(capfd, "score", "runs/x", path, "--most", 0)


@pytest.mark.parametrize("by", ["line", "token"])
def test_score_writes_all_of_it(
    by: str, bundle: Bundle, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "x.txt"
    path.write_text('abé\n"b,\n\nbad')
    found = bundle.score(path)
    expected = found.lines if by == "line" else found.tokens
    assert expected is not None
    for ending, read in (("csv", pl.read_csv), ("parquet", pl.read_parquet), ("json", pl.read_json)):
        out = tmp_path / f"out.{ending}"
        run(capfd, "score", "runs/x", path, "--by", by, "--out", out)
        written = read(out, **({"schema": expected.schema} if ending != "parquet" else {}))  # type: ignore[operator]
        assert written.rows() == expected.rows()


def test_mistakes_are_one_sentence(bundle: Bundle, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def mistake(*words: object) -> str:
        return run(capfd, *words, code=2).removeprefix("recurra: ")

    assert mistake("generate", "x", "--temperature", -1) == (
        "expected the temperature to be 0 or more, got -1.0. Give another temperature."
    )
    assert mistake("generate", "x", "--length", -1).startswith("expected a length of 0 or more tokens, got")
    assert mistake("generate", "x", "--prompt", "a", "--prompt-file", "b") == (
        "expected one prompt, got --prompt and --prompt-file. Give one of them."
    )
    assert mistake("generate", "x", "--prompt-file", "no") == (
        "expected a prompt in no, got No such file or directory. Name another file."
    )
    assert mistake("generate", "x", "--samples", 0) == 'Invalid value "0" for --samples. Must be >= 1.'
    assert mistake("score", "x", "no.txt") == "expected a file, got nothing at 'no.txt'. Check the path."
    assert mistake("score", "x", "no.txt", "--out", "x.xls") == (
        "expected a file ending in .csv, .parquet, .ndjson or .json, got x.xls. Give it such an ending."
    )
    assert mistake("score", "x", "no.txt", "--by", "word").startswith('Invalid value "word" for --by.')
