"""How surprising a text is: token by token as the model says, line by line, and as a whole."""

from __future__ import annotations

import gzip
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from language_models import small

from recurra.data.tokens import BORDER, BYTES, FIRST, Tokens
from recurra.errors import DataError
from recurra.tasks.language import adapt, lines, scoring
from recurra.tasks.language.data import read_later
from recurra.tasks.language.model import LanguageModel
from recurra.tasks.language.schema import Schema
from recurra.tasks.language.scoring import score, surprise_of
from recurra.tasks.language.shape import Shape

LETTERS = Tokens(unit="characters", tokens=(*FIRST, *"\nabcdefghi"))
WORDS = Tokens(unit="words", tokens=(*FIRST, "\n", "the", "cat", "sat"))
EACH_BYTE = Tokens(unit="bytes", tokens=(*FIRST, *BYTES))
TEXT = "abba\n\ncafé bad\nface"


def of(tokens: Tokens, documents: Any = "file", groups: tuple[int, ...] = ()) -> LanguageModel:
    """A fresh model of these tokens; its schema is `made`."""
    shape = Shape(embedding=8, hidden=12, layers=2, groups=groups)
    made = Schema(
        tokens=tokens, documents=documents, train_tokens=1000, characters_per_token=1.0, shape=shape
    )
    torch.manual_seed(0)
    model = LanguageModel(made, "GRU").eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    model.made = made  # type: ignore[assignment]
    return model


def scored(model: Any, source: Any, **options: Any) -> Any:
    return score(model, read_later(model.made, source), **options)


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def plain(model: LanguageModel, tokens: Any) -> Any:
    """(T - 1,) nats in one stream."""
    with torch.no_grad():
        return model.surprise(torch.as_tensor(np.asarray(tokens, dtype=np.int64))[:, None])[0][:, 0].numpy()


def text_of(letters: int, seed: int = 0) -> Any:
    """Tokens of ten characters, with some borders."""
    tokens = np.random.default_rng(seed).integers(2, 12, letters).astype(np.uint16)
    tokens[::977] = BORDER
    return tokens


@pytest.mark.parametrize("many", [0, 1, 2, 700])
@pytest.mark.parametrize("groups", [(), (5, 12)])
def test_a_short_text_is_read_in_one_stream(many: int, groups: tuple[int, ...]) -> None:
    model, tokens = small("LSTM", groups=groups).eval(), text_of(many)
    found = surprise_of(model, tokens)
    assert found.dtype == np.float32
    assert len(found) == max(0, many - 1)
    if many > 1:
        np.testing.assert_array_equal(found, plain(model, tokens))


@pytest.mark.parametrize("cell", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("many", [1000, 1001, 1337])
def test_a_long_text_is_read_in_streams_that_know_what_is_before_them(
    cell: str, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "STREAM", 100)
    monkeypatch.setattr(scoring, "WARM_UP", 90)
    monkeypatch.setattr(scoring, "CHANCES", 12 * 10 * 7)  # seven steps at a time
    model, tokens = small(cell).train(), text_of(many)
    found = surprise_of(model, tokens)
    assert model.training
    np.testing.assert_allclose(found, plain(model.eval(), tokens), atol=1e-4)
    np.testing.assert_array_equal(found, surprise_of(model, tokens))
    assert not found[tokens[1:] == BORDER].any()


def test_without_what_is_before_them_streams_would_be_surprised(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the test above can fail."""
    monkeypatch.setattr(scoring, "STREAM", 100)
    monkeypatch.setattr(scoring, "WARM_UP", 1)
    model, tokens = small("LSTM").eval(), text_of(1000)
    assert np.abs(surprise_of(model, tokens) - plain(model, tokens)).max() > 1e-3


@pytest.mark.parametrize("documents", ["file", "line", "blank"])
@pytest.mark.parametrize("tokens", [LETTERS, WORDS, EACH_BYTE], ids=lambda tokens: tokens.unit)
def test_tokens_and_lines_add_up_and_are_the_text(tokens: Tokens, documents: Any, tmp_path: Path) -> None:
    model = of(tokens, documents)
    paths = [written(tmp_path / "a.txt", TEXT), written(tmp_path / "b.txt", "the  cat\nate\n\n\nit\n")]
    data = read_later(model.made, paths)
    found = scored(model, paths)
    told = surprise_of(model, data.test)[np.asarray(data.test[1:]) != BORDER]
    assert found.tokens["nats"].to_numpy().tolist() == told.tolist()
    np.testing.assert_allclose(found.tokens["bits"], told / math.log(2), rtol=1e-6)

    by_line = found.lines
    ended = tokens.unit == "words" or documents != "file"
    for path in paths:
        own = found.tokens.filter(pl.col("file") == path.name)
        end = "\n" if ended and path.name == "a.txt" else ""
        assert "".join(own["token"]) == path.read_text() + end
        shown = by_line.filter(pl.col("file") == path.name)
        assert shown["text"].to_list() == path.read_text().removesuffix("\n").split("\n")
        assert shown["line"].to_list() == list(range(1, len(shown) + 1))
    summed = found.tokens.group_by("file", "line", maintain_order=True).agg(
        pl.len().cast(pl.Int64), pl.col("bits").cast(pl.Float64).sum()
    )
    assert by_line["tokens"].to_list() == summed["len"].to_list()
    np.testing.assert_allclose(by_line["bits"], summed["bits"], rtol=1e-5)
    assert by_line["characters"].sum() == data.counts.characters
    assert by_line["tokens"].sum() == data.counts.tokens
    np.testing.assert_allclose(by_line["bits_per_token"], by_line["bits"] / by_line["tokens"])
    np.testing.assert_allclose(by_line["bits_per_character"], by_line["bits"] / by_line["characters"])
    np.testing.assert_allclose(found.metrics["nats_per_token"], told.mean(), rtol=1e-5)
    np.testing.assert_allclose(
        found.metrics["bits_per_character"], by_line["bits"].sum() / data.counts.characters
    )
    again = scored(model, paths, by="line")
    assert again.tokens is None
    assert again.lines.equals(by_line)
    assert (again.metrics, again.signature) == (found.metrics, found.signature)


def test_what_training_did_not_show_is_told_as_it_stands(tmp_path: Path) -> None:
    path = written(tmp_path / "x.txt", "the dog\tsat \nthé cat\n")
    found = scored(of(WORDS), path)
    assert found.tokens["token"].to_list() == ["the", " dog", "\tsat", " \n", "thé", " cat", "\n"]
    assert found.tokens["line"].to_list() == [1, 1, 1, 1, 2, 2, 2]
    assert found.lines["text"].to_list() == ["the dog\tsat ", "thé cat"]
    assert found.metrics["unknown"] == pytest.approx(2 / 7)
    found = scored(of(LETTERS), path)
    assert "".join(found.tokens["token"]) == path.read_text()


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    found = scored(of(EACH_BYTE), written(tmp_path / "x.bin", b"\xff\x00a\r\n\xc3\xa9"))
    assert found.tokens["token"].to_list() == ["\ufffd", "\0", "a", "\r", "\n", "", "é"]
    assert found.lines["text"].to_list() == ["\ufffd\0a\r", "é"]
    assert found.lines["characters"].to_list() == [5, 1]


def test_folders_and_gzip(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with gzip.open(tmp_path / "in" / "a.txt.gz", "wb") as packed:
        packed.write(b"abc\r\nab")
    written(tmp_path / "empty.txt", "")
    written(tmp_path / "pixels.txt", b"\0\1\2\n\3")
    written(tmp_path / "z.txt", "a\nb\n")
    found = scored(of(LETTERS), tmp_path)
    assert found.lines.select("file", "line", "text").rows() == [
        ("a.txt.gz", 1, "abc"),
        ("a.txt.gz", 2, "ab"),
        ("z.txt", 1, "a"),
        ("z.txt", 2, "b"),
    ]


def test_an_odd_line_is_odder_than_an_odd_letter(tmp_path: Path) -> None:
    model = of(LETTERS)
    with torch.no_grad():
        model.words.biases[0][2:6] += 8  # the end of a line, a, b and c
    lines_of = ["abcabcbac"] * 20 + ["i"] + ["acbcabbca"] * 20 + ["hgifehgif"] + ["bacabcabc"] * 20
    found = scored(model, written(tmp_path / "x.txt", "\n".join(lines_of) + "\n")).lines
    assert found.sort("oddity")["text"].to_list()[-2:] == ["i", "hgifehgif"]
    assert found["oddity"].max() < found["bits_per_character"].max()


def test_lines_that_go_on_beyond_what_is_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "x.txt", "abc" * 700 + "\n" + "def" * 10 + "\n" + "g" * 1500)
    model = of(LETTERS)
    expected = scored(model, path)
    assert expected.lines["text"].str.len_chars().to_list() == [lines.SHOWN, 30, lines.SHOWN]
    assert expected.lines["characters"].to_list() == [2101, 31, 1500]
    monkeypatch.setattr(lines, "STRIDE", 64)
    assert scored(model, path).tokens.equals(expected.tokens)
    by_line = scored(model, path, by="line").lines
    np.testing.assert_allclose(by_line["bits"], expected.lines["bits"])
    assert by_line.drop("bits", pl.col("^bits_.*$"), "oddity").equals(
        expected.lines.drop("bits", pl.col("^bits_.*$"), "oddity")
    )


def test_lines_of_blocks() -> None:
    assert list(lines.split_lines(["ab\nc", "d", "\n\ne"], None, raw=False)) == [
        ("ab\n", 3),
        ("cd\n", 3),
        ("\n", 1),
        ("e", 1),
    ]
    assert list(lines.split_lines(["abc", "def\ngh"], 4, raw=False)) == [("abcd", 7), ("gh", 2)]
    assert list(lines.split_lines(["é".encode().decode("latin-1"), "x"], None, raw=True)) == [("Ã©x", 2)]


def test_the_model_may_learn_while_it_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapt, "SEGMENTS", 20)
    monkeypatch.setattr(adapt, "TRIED", 50)
    model = of(LETTERS)
    adapt.prepare(model, text_of(3000), text_of(1000, 1), 0)
    model.squares.rate.fill_(3e-2)
    path = written(tmp_path / "x.txt", "abcd\n" * 100)
    plain_, learning = scored(model, path), scored(model, path, adapt=True)
    assert learning.metrics["perplexity"] < 0.9 * plain_.metrics["perplexity"]
    assert "|adapt:yes|" in learning.signature
    assert "adapt" not in plain_.signature


def test_the_signature(tmp_path: Path) -> None:
    found = scored(of(LETTERS, "line"), written(tmp_path / "x.txt", "ab\ncd\n"), seed=4)
    assert found.signature.startswith("language|unit:characters|vocabulary:12|documents:line|tokens:6|data:")
    assert "|seed:4|dtype:float32|version:" in found.signature
    assert found.words == ()


def test_a_text_that_shrinks_while_it_is_scored(tmp_path: Path) -> None:
    path, model = written(tmp_path / "x.txt", "ab\ncd\nef\n"), of(LETTERS)
    data = read_later(model.made, path)
    written(path, "ab\n")
    with pytest.raises(
        DataError, match=r"^expected the same 3 lines as before, got 1\. Score the text again"
    ):
        score(model, data)
