"""Streams of the translator: however a text is cut into pieces, its lines become what those of a file do."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from pairs_of_words import pairs

from recurra import cli
from recurra.bundle import Bundle
from recurra.data.units import fit_tokens
from recurra.errors import DataError
from recurra.stream import StreamPool
from recurra.tasks.translate.data import encode_text
from recurra.tasks.translate.streaming import ROOM
from recurra.tasks.translate.writing import words_of
from text_pieces import pieces
from untrained import untrained

SOURCES, TARGETS = pairs(60)
TEXT = "\n".join(
    [
        SOURCES[0],
        "",
        "  ein  hund\tsieht ",
        SOURCES[1] + "\r",
        "   ",
        "naïve 東京 maus\rrot",
        *SOURCES[2:6],
        "",
    ]
)
OPTIONS: list[dict[str, Any]] = [
    {"unit": "words"},
    {"unit": "characters", "cell": "LSTM", "attention": "bahdanau"},
    {"unit": "bpe", "vocabulary": 300, "cell": "RNN", "input_feeding": True},
]


def bundle_of(folder: Path, **options: Any) -> Bundle:
    """A model that has learnt nothing, with weights so large that everything matters."""
    if options.get("unit") == "bpe":
        pytest.importorskip("tokenizers", reason="byte-pair encoding needs tokenizers")
    frame = pl.DataFrame({"de": SOURCES, "en": TARGETS})
    bundle = untrained("translate", frame, folder / "bundle", hidden=16, beam=3, **options)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in bundle.model.parameters():
            parameter.normal_(std=0.3)
    return bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return bundle_of(tmp_path_factory.mktemp("streams"), unit="words")


def predicted(bundle: Bundle, text: str, folder: Path) -> list[dict[str, Any]]:
    """What a file with this text becomes."""
    path = folder / "text.de"
    path.write_bytes(text.encode())
    frame = bundle.predict(path)
    return [
        {
            "source": source,
            "text": translation,
            "score": score,
            "alignment": [list(map(int, pair.split("-"))) for pair in alignment.split()],
        }
        for source, translation, score, alignment in frame.iter_rows()
    ]


def streamed(bundle: Bundle, given: list[str]) -> list[dict[str, Any]]:
    stream, told = bundle.stream(), []
    for piece in given:
        answer = stream.step(piece)
        told += answer["translations"]
        assert answer["steps"] == len(told)
    return told


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: options["unit"])
def test_a_text_in_pieces_is_the_file(options: dict[str, Any], tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, **options)
    expected = predicted(bundle, TEXT, tmp_path)
    assert len(expected) == TEXT.count("\n")
    assert any(one["alignment"] for one in expected)
    rng = np.random.default_rng(0)
    for given in ([TEXT], list(TEXT), pieces(TEXT, rng, 12), TEXT.splitlines(keepends=True)):
        assert streamed(bundle, given) == expected


def test_an_empty_line_becomes_an_empty_translation(bundle: Bundle) -> None:
    (found,) = bundle.stream().step("\n")["translations"]
    assert found == {"source": "", "text": "", "score": 0.0, "alignment": []}


def test_answers_are_json(bundle: Bundle) -> None:
    answer = bundle.stream().step(SOURCES[0] + "\n")
    assert json.loads(json.dumps(answer)) == answer


def test_streams_side_by_side_say_what_each_says_alone(bundle: Bundle) -> None:
    rng = np.random.default_rng(1)
    texts = {f"s{n}": "\n".join(SOURCES[n : n + 3]) + "\n" for n in range(5)}
    expected = {name: streamed(bundle, [text]) for name, text in texts.items()}
    pool = StreamPool(bundle, 5)
    told: dict[str, list[Any]] = {name: [] for name in texts}
    for name in texts:
        pool.open(name)
    size = pool.bytes_per_stream
    waiting = {name: pieces(text, rng, 20) for name, text in texts.items()}
    while any(waiting.values()):
        some = {name: one.pop(0) for name, one in waiting.items() if one and rng.random() < 0.8}
        for name, answer in pool.step(some).items():
            assert isinstance(answer, dict)
            told[name] += answer["translations"]
    assert told == expected
    assert pool.bytes_per_stream == size < 5_000


def test_a_stream_goes_on_from_its_state(bundle: Bundle) -> None:
    first, other = bundle.stream(keep=1), bundle.stream()
    first.step("ein hund sieht")
    other.restore(first.state())
    first.step(" zwei")
    first.rewind(1)
    ends = [one.step(" eine maus\n") for one in (first, other)]
    assert ends[0] == ends[1]
    assert ends[0]["translations"][0]["source"] == "ein hund sieht eine maus"


def test_a_sentence_without_an_end(bundle: Bundle) -> None:
    stream = bundle.stream()
    stream.step("ein hund")
    for piece in ("x" * ROOM, "x" * ROOM + "\n", f" rot\n{'x' * 5_000}"):
        before = stream.state()
        with pytest.raises(
            DataError, match=r"expected sentences of at most 4,096 bytes, got [45],\d+ bytes w"
        ):
            stream.step(piece)
        assert stream.state() == before
    assert stream.step(" rot\n")["translations"][0]["source"] == "ein hund rot"
    assert stream.step("ß" * (ROOM // 2))["translations"] == []


def test_what_is_no_text_is_refused(bundle: Bundle) -> None:
    stream = bundle.stream()
    with pytest.raises(DataError, match="expected a piece of text, got int"):
        stream.step(7)
    with pytest.raises(DataError, match="got half of one, U\\+D800"):
        stream.step("\ud800")


def test_the_command_answers_lines(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lines = "".join(f"{one}\n" for one in (*SOURCES[:3], "x" * 5_000, SOURCES[4]))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    monkeypatch.setattr("recurra.load", lambda _: bundle)
    with pytest.raises(SystemExit) as end:
        cli.main(["stream", str(bundle.path), "--plain"])
    assert end.value.code == 2
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    expected = predicted(bundle, "\n".join((*SOURCES[:3], SOURCES[4])), tmp_path)
    assert told[3]["error"].startswith("line 4: expected sentences of at most 4,096 bytes")
    assert [one["translations"][0] for one in told if "error" not in one] == expected


@pytest.mark.parametrize("text", ["ein hund", "ein   hund\tsieht,  nicht", "x y  ..", " \t "])
def test_pieces_are_of_the_words_between_white_space(text: str) -> None:
    pytest.importorskip("tokenizers", reason="byte-pair encoding needs tokenizers")
    tokens = fit_tokens(["ein hund sieht zwei katzen, nicht wahr?\n" * 30], "bpe", 300)
    numbers = encode_text(text, tokens).tolist()
    words: dict[int, bytes] = {}
    for word, number in zip(words_of(tokens, numbers), numbers, strict=True):
        words[word] = words.get(word, b"") + tokens.bytes_of(number)
    assert [word.decode().strip() for word in words.values()] == text.split()
    assert list(words) == list(range(len(text.split())))
