"""Streams of the language model: after any pieces, the surprises that the whole text has, bit for bit."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import recurra
from recurra.bundle import Bundle
from recurra.data.tokens import BYTES, FIRST, Tokens
from recurra.data.units import fit_tokens
from recurra.errors import DataError
from recurra.stream import StreamPool
from recurra.tasks.language.config import LanguageConfig
from recurra.tasks.language.model import LanguageModel
from recurra.tasks.language.schema import Schema
from recurra.tasks.language.shape import Shape
from recurra.tasks.language.task import Language
from text_pieces import pieces

UNITS = ("characters", "words", "bpe", "bytes")
DOCUMENTS = ("file", "line", "blank")
# Carriage returns, blank lines of white space, long words and runs, marks, and characters of several bytes.
TEXT = (
    " \n\t\nThe cat  sat, the mat.\r\n\r\n \t\nIt's 12345 cafe\u0301s\r or\tno \r\r\n  indented\n"
    + "z" * 230
    + "   the \n\n\n \nend\u2026 \U0001f600\U0001f600 naïve ---!!!\n   \nlast one "
)


def tokens_of(unit: Any) -> Tokens:
    if unit == "bytes":
        return Tokens(unit="bytes", tokens=(*FIRST, *BYTES))
    return fit_tokens([TEXT.replace("\r\n", "\n") * 3], unit, 300 if unit == "bpe" else 40)


def bundle_of(
    unit: Any, documents: Any = "file", cell: Any = "GRU", groups: Any = (), layers: int = 2
) -> Bundle:
    """A bundle of a fresh model that is far from even."""
    tokens = tokens_of(unit)
    groups = (len(tokens) // 3, len(tokens) // 2, len(tokens)) if groups else ()
    shape = Shape(embedding=9, hidden=13, layers=layers, groups=groups)
    schema = Schema(
        tokens=tokens, documents=documents, train_tokens=1000, characters_per_token=1.0, shape=shape
    )
    torch.manual_seed(0)
    model = LanguageModel(schema, cell).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.7)
    config = LanguageConfig(cell=cell, documents=documents)
    return Bundle(Path("made"), Language(), config, schema, model, {"seal": f"{unit} {documents} {cell}"})


def scored(bundle: Bundle, text: str | bytes, folder: Path) -> Any:
    """A row for each token of a file with this text."""
    path = folder / "text.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return bundle.score(path, by="token").tokens


def check(bundle: Bundle, given: list[str], folder: Path, every: int = 1) -> list[Any]:
    """A stream that is given these pieces says what the model says of files with the beginnings."""
    stream, told, so_far = bundle.stream(), [], ""
    for n, piece in enumerate(given, 1):
        answer = stream.step(piece)
        so_far += piece
        told += answer["tokens"]
        assert answer["steps"] == len(told)
        if (n % every == 0 or n == len(given)) and so_far.strip():
            found = scored(bundle, so_far, folder)
            assert [one["bits"] for one in told] == found["bits"].to_list()[: len(told)]
            if bundle.schema.tokens.unit != "bytes":
                assert [one["token"] for one in told] == found["token"].to_list()[: len(told)]
            sums = 0.0
            for nats in found["nats"].to_list()[: len(told)]:
                sums += nats
            assert answer["bits"] == sums / math.log(2)
    return told


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("documents", DOCUMENTS)
def test_a_text_in_pieces_is_the_text(unit: str, documents: str, tmp_path: Path) -> None:
    bundle = bundle_of(unit, documents)
    rng = np.random.default_rng(0)
    told = check(bundle, list(TEXT), tmp_path, every=23)
    for most in (12, 60):
        assert check(bundle, pieces(TEXT, rng, most), tmp_path, every=5) == told
    assert check(bundle, [TEXT], tmp_path) == told
    left = {"characters": 0, "bytes": 0, "words": 1, "bpe": 1}[unit]
    whole = scored(bundle, TEXT, tmp_path)
    ended = unit == "words" or documents != "file"
    assert len(told) == len(whole) - left - ended + (unit == "words")


@pytest.mark.parametrize("unit", ["characters", "words"])
@pytest.mark.parametrize("cell", ["RNN", "LSTM"])
@pytest.mark.parametrize("layers", [1, 3])
def test_every_cell_and_vocabularies_in_groups(unit: str, cell: str, layers: int, tmp_path: Path) -> None:
    bundle = bundle_of(unit, "line", cell, groups=True, layers=layers)
    told = check(bundle, [TEXT[:20], TEXT[20:]], tmp_path)
    assert check(bundle, list(TEXT), tmp_path, every=100) == told


def test_a_long_piece_is_read_in_rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = bundle_of("characters", "line")
    told = check(bundle, [TEXT], tmp_path)
    monkeypatch.setattr("recurra.tasks.language.streaming.TOKENS", 7)
    monkeypatch.setattr("recurra.tasks.language.streaming.CHANCES", 100)
    assert check(bundle, [TEXT], tmp_path) == told


@pytest.mark.parametrize("groups", [False, True])
def test_what_may_come_next(groups: bool) -> None:
    bundle = bundle_of("words", groups=groups)
    model, tokens = bundle.model, bundle.schema.tokens
    stream = bundle.stream()
    for text in ("the ", "cat \n", "no "):
        answer = stream.step(text)
    read = torch.tensor([[0, *tokens.encode("the cat \n no")]])
    with torch.no_grad():
        logs = model.log_probabilities(read.T)[0][-1, 0].double()
    logs[0] = -math.inf
    best = logs.topk(5)
    assert [one["p"] for one in answer["next"]] == best.values.exp().tolist()
    names = [tokens.bytes_of(int(n)).decode() for n in best.indices]
    assert [one["token"] for one in answer["next"]] == names
    assert bundle.stream().step("")["next"] == bundle.stream().step("  ")["next"]


def test_after_a_document_another_begins() -> None:
    bundle = bundle_of("characters", "blank")
    stream = bundle.stream()
    first = stream.step("")["next"]
    assert stream.step("the cat\n")["next"] != first
    assert stream.step("\n")["next"] == first
    again = stream.step("T")
    assert again["tokens"] == bundle.stream().step("T")["tokens"]


@pytest.mark.parametrize("unit", UNITS)
def test_streams_of_any_order_and_age_are_each_as_if_alone(unit: str) -> None:
    bundle = bundle_of(unit, "line", "LSTM")
    rng = np.random.default_rng(1)
    pool = StreamPool(bundle, 9)
    alone: dict[str, Any] = {}
    for _ in range(50):
        if alone and rng.random() < 0.2:
            name = str(rng.choice(list(alone)))
            pool.close(name)
            del alone[name]
        while len(alone) < 9 and rng.random() < 0.5:
            alone[pool.open()] = bundle.stream()
        some = [name for name in alone if rng.random() < 0.6]
        begins = {name: int(rng.integers(0, len(TEXT))) for name in some}
        given = {name: TEXT[at : at + int(rng.integers(0, 9))] for name, at in begins.items()}
        answers = pool.step(given)
        assert list(answers) == some
        for name in some:
            assert answers[name] == alone[name].step(given[name])
        for name in [name for name in alone if rng.random() < 0.05]:
            saved = pool.state(name)
            pool.close(name)
            pool.open(name, saved)


@pytest.mark.parametrize("unit", UNITS)
def test_the_state_goes_out_and_comes_back(unit: str) -> None:
    bundle = bundle_of(unit, "blank")
    given = pieces(TEXT, np.random.default_rng(3), 9)
    half = len(given) // 2
    stream = bundle.stream(keep=5)
    size = stream.state_bytes
    for one in given[:half]:
        stream.step(one)
    saved, fork, other = stream.state(), stream.fork(), bundle.stream()
    expected = [stream.step(one) for one in given[half:]]
    other.restore(saved)
    assert [fork.step(one) for one in given[half:]] == expected
    assert [other.step(one) for one in given[half:]] == expected
    stream.rewind(4)
    assert [stream.step(one) for one in given[-4:]] == expected[-4:]
    stream.rewind()
    assert [stream.step(one) for one in given][half:] == expected
    assert stream.state_bytes == size
    json.dumps(expected)


def test_bytes_come_in_many_forms(tmp_path: Path) -> None:
    bundle = bundle_of("bytes")
    raw = b"\xff\x00a\r\n\xc3\xa9\xf0\x9f\x98\x80."
    stream = bundle.stream()
    told = []
    for given in (raw[:3], bytearray(raw[3:6]), memoryview(raw[6:8]), list(raw[8:-1]), "."):
        told += stream.step(given)["tokens"]
    found = scored(bundle, raw, tmp_path)
    assert [one["bits"] for one in told] == found["bits"].to_list()
    assert [one["token"] for one in told] == found["token"].to_list()
    assert [one["token"] for one in told][-6:] == ["é", "", "", "", "\U0001f600", "."]


@pytest.mark.parametrize("unit", UNITS)
def test_what_it_says_of_itself(unit: str) -> None:
    steps = bundle_of(unit).steps()
    assert steps.kind == "text"
    json.dumps([steps.observation, steps.example])
    pool = {name: part[None].clone() for name, part in steps.fresh().items()}
    forms = {name: (part.shape, part.dtype) for name, part in pool.items()}
    (answer,) = steps.step(pool, torch.tensor([0]), [steps.checked(steps.example)])
    assert set(answer) == {"tokens", "bits", "next", "steps"}
    assert {name: (part.shape, part.dtype) for name, part in pool.items()} == forms


def test_white_space_without_an_end() -> None:
    bundle = bundle_of("characters", "line")
    pool = StreamPool(bundle, 2)
    one, two = pool.open(), pool.open()
    pool.step({one: "a\n ", two: "b"})
    before = pool.state(one)
    answers = pool.step({one: " " * 1024, two: " " * 2000})
    assert str(answers[one]) == (
        "expected words and white space of at most 1,024 bytes, got 1,025 bytes that may still go on. "
        "Put white space between."
    )
    assert pool.state(one) == before
    assert len(answers[two]["tokens"]) == 2000
    assert pool.step({one: " " * 1023})[one]["tokens"] == []


def test_mistakes() -> None:
    def refused(unit: str, observation: Any) -> str:
        with pytest.raises(DataError) as caught:
            bundle_of(unit).stream().step(observation)
        return str(caught.value)

    assert refused("words", 7) == "expected a piece of text, got int. Give a string, which may be empty."
    assert refused("bpe", b"a") == "expected a piece of text, got bytes. Give a string, which may be empty."
    assert refused("characters", "\udc00").startswith(
        "expected whole characters, got half of one, U+DC00, at"
    )
    assert refused("bytes", 7) == (
        "expected text, bytes, or a list of numbers from 0 to 255, got int. Give one of these."
    )
    for wrong in ([256], [-1], [True], ["a"]):
        assert refused("bytes", wrong) == (
            "expected text, bytes, or a list of numbers from 0 to 255, got list with others. "
            "Give one of these."
        )


def test_a_fitted_bundle(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [" ".join(rng.choice(["the", "cat", "sat", "on", "a", "mat"], 6)) for _ in range(400)]
    path = tmp_path / "lines.txt"
    path.write_text("\n".join(lines) + "\n")
    out = tmp_path / "run"
    options = {"documents": "line", "hidden": 16, "time_budget": 2, "quiet": True}
    recurra.fit("language", path, out=out, **options)
    bundle = recurra.load(out)
    check(bundle, pieces("the cat sat\non a dog\n\nthe", rng, 4), tmp_path)
