"""Reading text: which unit, which part is for what, and what is said about it."""

import os
from pathlib import Path

import numpy as np
import pytest

from recurra.data.parts import named_parts
from recurra.data.tokens import BORDER, UNKNOWN
from recurra.errors import ConfigError, DataError
from recurra.fit import configure
from recurra.tasks import TASKS
from recurra.tasks.language.config import LanguageConfig
from recurra.tasks.language.data import read_corpus, read_later
from recurra.tasks.language.schema import Schema

ROOT = Path(__file__).resolve().parents[3]
SHAKESPEARE = ROOT / "examples" / "data" / "shakespeare.txt"
DATA = Path(os.environ.get("RECURRA_DATA", ROOT.parent / "shared" / "data"))
LINES = "".join(f"the quick brown fox number {n} jumps over the lazy dog\n" for n in range(200))


def written(folder, **texts):
    """Files of these texts; `__` in a name stands for a dot, `_in_` for a folder."""
    paths = []
    for name, text in texts.items():
        path = folder.joinpath(*name.replace("__", ".").split("_in_")[::-1])
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        paths.append(path)
    return paths


def read(source, **options):
    return read_corpus(LanguageConfig(**options), source)


def texts(data):
    """The text of each part."""
    return [data.schema.tokens.decode(part) for part in (data.train, data.valid, data.test)]


def test_a_play_with_no_options():
    data = read(SHAKESPEARE)
    assert data.found == (
        "text: 1 file, 199,994 characters, 7,552 lines",
        "unit: characters, 62 of them (chosen: fewer than 3 million of them)",
        "split: train 179,980 tokens, valid 10,019, test 9,995 (in this order)",
    )
    whole = SHAKESPEARE.read_text()
    assert "".join(texts(data)) == whole
    for part in (data.train, data.valid, data.test):
        assert part[0] == BORDER
        assert (part[1:] != BORDER).all()
    assert data.test.dtype == np.uint16
    assert data.counts is data.parts["test"].counts
    assert data.counts.characters == data.counts.bytes == data.counts.tokens == 9_995
    assert data.parts["test"].place(len(data.test) - 1) == ("shakespeare.txt", 7552)
    assert data.parts["test"].place(0)[1] == whole[:-9_995].count("\n") + 1
    assert data.schema.train_tokens == 179_980
    assert data.schema.characters_per_token == 1
    assert Schema.model_validate_json(data.schema.model_dump_json()) == data.schema


def test_the_vocabulary_is_of_the_training_part_alone(tmp_path):
    (path,) = written(tmp_path, a=LINES + "a zebra met a zebra\n" * 20)
    data = read(path, unit="words")
    assert "fox" in data.schema.tokens.tokens
    assert "zebra" not in data.schema.tokens.tokens
    assert (data.test == UNKNOWN).sum() == data.counts.unknown > 0
    share = data.counts.unknown / data.counts.tokens
    assert data.found[-1] == f"unknown: {100 * share:.1f} % of the test tokens"
    assert read(path, unit="characters").counts.unknown == data.schema.tokens.decode(data.test).count("zebra")


@pytest.mark.parametrize("unit", ["characters", "bytes", "words", "bpe"])
def test_parts_are_the_text_in_order(tmp_path, unit):
    (path,) = written(tmp_path, a=LINES)
    data = read(path, unit=unit, valid=0.2, test=0.1)
    if unit == "words":
        assert data.counts.unknown > 0
    else:
        assert "".join(texts(data)) == LINES
    lines = [part.counts.lines for part in data.parts.values()]
    assert lines == [140, 40, 20]
    assert [data.parts[name].place(0)[1] for name in ("train", "valid", "test")] == [1, 141, 181]
    none = read(path, unit=unit, valid=0.2, test=0)
    assert [part.counts.lines for part in none.parts.values()] == [160, 40, 0]
    assert len(none.test) == 0
    assert "no test (in this order)" in none.found[2]


def test_where_a_text_is_cut(tmp_path):
    a, b, c, d = written(tmp_path, a=LINES, b=LINES, c=LINES[:600], d=LINES[:500])
    ends = [read([a, b, c, d], test=share).parts["test"].names for share in (0.02, 0.03, 0.05)]
    assert ends == [("d",), ("d",), ("c", "d")]
    # No file ends near.
    data = read([a, b], test=0.1)
    assert data.parts["test"].place(0)[1] > 1
    assert texts(data)[0].endswith("\n")
    # Paragraphs, then lines, then spaces, then anything.
    (paragraphs,) = written(tmp_path, p="one\ntwo\nthree\n \n" * 100)
    data = read(paragraphs, documents="blank", unit="characters")
    assert all(text.endswith("three\n\n") and text.startswith("one") for text in texts(data))
    (spaced,) = written(tmp_path, s="abcdefg " * 1000)
    assert texts(read(spaced, unit="characters"))[2].startswith("abcdefg ")
    (genes,) = written(tmp_path, g="ACGT" * 1000)
    assert list(map(len, texts(read(genes)))) == [3600, 200, 200]


def test_documents(tmp_path):
    (path,) = written(tmp_path, a=LINES.replace("0 jumps", "0 jumps\n"))
    for documents, many in (("file", 1), ("line", 220)):
        data = read(path, documents=documents, unit="words")
        assert sum(int((part == BORDER).sum()) for part in (data.train, data.valid, data.test)) >= many
    assert data.found[2] == "documents: each line is one"
    assert (data.train == BORDER).sum() == data.parts["train"].counts.lines


def test_files_that_are_called_parts(tmp_path):
    folder = tmp_path / "corpus"
    named = {"x__train__txt": LINES, "x__valid__txt": LINES[:600], "x__test__txt": LINES[:800]}
    paths = written(folder, **named, notes__txt="not to be read\n")
    data = read(folder, unit="words")
    assert [part.names for part in data.parts.values()] == [
        ("x.train.txt",),
        ("x.valid.txt",),
        ("x.test.txt",),
    ]
    assert "(files x.train.txt, x.valid.txt, x.test.txt)" in data.found[2]
    assert data.remarks == ("not read: notes.txt, whose names tell no part",)
    assert data.found[-1] == data.remarks[-1]
    given = read(paths, unit="words")
    assert given.parts["train"].names == ("x.train.txt", "notes.txt")
    assert given.remarks == ("to learn from: notes.txt, whose names tell no part",)
    assert given.sha256 != data.sha256
    assert read(folder, unit="words", test=0).parts["test"].names == ()
    # One of them is not there: it is taken from the end of the training part.
    some = read([paths[0], paths[2]], unit="words", valid=0.1)
    assert some.parts["valid"].names == ("x.train.txt",)
    assert some.parts["test"].names == ("x.test.txt",)
    assert some.parts["train"].counts.lines + some.parts["valid"].counts.lines == 200


def test_folders_that_are_called_parts(tmp_path):
    written(tmp_path, a_in_train=LINES, b_in_train=LINES, a_in_dev=LINES[:590], a_in_test=LINES[:700])
    data = read(tmp_path, unit="words")
    assert [part.names for part in data.parts.values()] == [("a", "b"), ("a",), ("a",)]
    # The last line of a file has an end, too.
    assert data.parts["valid"].counts.characters == 591


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("train.txt test.txt", {"train": ["train.txt"], "test": ["test.txt"]}),
        ("wiki.train.tokens wiki-valid.gz", {"train": ["wiki.train.tokens"], "valid": ["wiki-valid.gz"]}),
        ("TRAINING validation DEV_2", {"train": ["TRAINING"], "valid": ["validation", "DEV_2"]}),
        ("train test test-train", {"train": ["train"], "test": ["test"], "": ["test-train"]}),
        ("trains testing.txt", None),
        ("train.txt other.txt", None),
        ("contest.txt trained.txt train.txt", None),
    ],
)
def test_names_of_parts(names, found):
    parts = named_parts([Path(name) for name in names.split()], None)
    assert (parts and {part: [path.name for path in paths] for part, paths in parts.items()}) == found


def test_parts_as_files(tmp_path):
    a, b, c = written(tmp_path, a=LINES, b=LINES[:600], c=LINES[:700])
    data = read(a, valid=str(b), test=c, unit="words")
    assert [part.names for part in data.parts.values()] == [("a",), ("b",), ("c",)]
    assert data.found[2].endswith("(files a, b, c)")
    same = read(a, test=str(a), unit="words")
    assert same.remarks == ("twice: a of the test part is in the training part, too",)
    assert same.parts["train"].counts.lines == 190


def refused(error, *arguments, **options):
    with pytest.raises(error) as caught:
        read(*arguments, **options)
    return str(caught.value)


def test_what_is_refused(tmp_path):
    train, test = written(tmp_path, train=LINES, test=LINES[:600])
    (small,) = written(tmp_path, a="a")
    assert refused(DataError, small) == (
        "expected text to train, validate and test on, got too little: tokens 1 to train, 0 to valid, "
        "0 to test. Give more text, or files for each part."
    )
    assert refused(ConfigError, [train, test], test=0.2) == (
        "expected a test part by files that are called so or by the option, got both: test and 0.2. "
        "Leave the option out, or name the other files alone."
    )
    assert refused(ConfigError, train, unit="bpe", vocabulary=200) == (
        "expected at least 256 tokens of bpe, one for each byte, got 200. Ask for more."
    )
    gone = str(tmp_path / "gone")
    assert (
        refused(DataError, train, test=gone) == f"expected a file, got nothing at {gone!r}. Check the path."
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"test": 1.5},
            "expected a share from 0 to 1 or a file, got 1.5. Give a share such as 0.1, or a path.",
        ),
        (
            {"valid": 0},
            "expected a part of the text for validation, which says when to stop, got a share of 0. "
            "Give a share such as 0.05, or a file.",
        ),
        (
            {"valid": "0.5", "test": 0.5},
            "expected shares that leave text to learn from, got 0.5 for validation and 0.5 for the test. "
            "Give smaller ones.",
        ),
        (
            {"unit": "bytes", "vocabulary": 300},
            "expected no size of the vocabulary for bytes, of which there are 256, got 300. Leave it out.",
        ),
    ],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises(ConfigError) as caught:
        configure(LanguageConfig, options)
    assert str(caught.value) == message


def test_odd_files(tmp_path):
    written(
        tmp_path,
        a__txt=LINES.replace("\n", "\r\n"),
        b__txt=LINES.encode() + b"caf\xe9\n",
        c__txt=("\ufeff" + LINES).encode("utf-16-le"),
        d__txt=b"",
        e__png=b"\x89PNG\0\0\0",
    )
    data = read(tmp_path, unit="words")
    assert data.remarks == (
        "not read: e.png, not text",
        "encoding: UTF-16 (c.txt)",
        f"invalid: 1 place of 1 file cannot be decoded and became U+FFFD; the first is b.txt, line 201, "
        f"after {len(LINES) + 3:,} bytes",
        "line ends: CRLF, read as LF (a.txt)",
        "empty: d.txt, left out",
    )
    assert data.found[0] == f"text: 3 files, {3 * len(LINES) + 5:,} characters, 601 lines"


def test_what_is_no_text_is_read_as_bytes(tmp_path):
    latin, binary = written(tmp_path, a=LINES.replace("o", "ö").encode("latin-1"), b=bytes(range(256)) * 20)
    data = read(latin)
    assert data.found[1].startswith("unit: bytes (chosen: ")
    assert data.found[1].endswith("% of it is not UTF-8)")
    raw = b"".join(data.schema.tokens.bytes_of(n) for n in data.train.tolist())
    assert latin.read_bytes().startswith(raw)
    assert read(binary).found[:2] == (
        "text: 1 file, 5,120 bytes, 21 lines",
        "unit: bytes (chosen: 50.0% of it is not UTF-8)",
    )
    assert read(latin, unit="characters").schema.tokens.unit == "characters"


def test_later_text_is_all_test(tmp_path):
    first, later = written(tmp_path, a=LINES, b="the quick red fox\n\nthe dog")
    for unit in ("characters", "bytes", "words", "bpe"):
        schema = read(first, unit=unit).schema
        data = read_later(schema, later)
        assert data.schema is schema
        assert (len(data.train), len(data.valid)) == (0, 0)
        assert data.test[0] == BORDER
        assert data.counts.lines == 3
        assert data.found[0].startswith("text: 1 file, 26 ")
        if unit in ("bytes", "bpe"):
            assert schema.tokens.decode(data.test) == later.read_text()
        if unit == "words":
            assert data.found[1:] == ("unknown: 11.1 % of the test tokens",)
            assert data.parts["test"].place(len(data.test) - 1) == ("b", 3)
    again = read_later(schema, [later, later])
    assert again.counts.tokens == 2 * data.counts.tokens
    assert again.sha256 != data.sha256 == read_later(schema, str(later)).sha256


def test_the_task_is_listed_with_options_for_the_command_line():
    fields = TASKS["language"].config().model_fields
    assert all(field.description.endswith(".") for field in fields.values())
    assert LanguageConfig().unit is None


@pytest.mark.needs_data
def test_the_penn_treebank_has_as_many_words_as_published():
    folder = DATA / "language_modelling" / "ptb_word"
    if not folder.exists():
        pytest.skip("needs ptb_word: set RECURRA_DATA to the folder of data sets")
    data = read(folder)
    assert [part.counts.tokens for part in data.parts.values()] == [929_589, 73_760, 82_430]
    assert len(data.schema.tokens) - 2 == 10_000
    assert [part.counts.unknown for part in data.parts.values()] == [0, 0, 0]
    assert data.found[1] == "unit: words, 10,000 of them (chosen: the text is already cut into words)"
