"""What texts are spelt in: characters, words, pieces of words, phones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_recordings import WORDS, listed, recorded, texts

from recurra.errors import DataError
from recurra.fit import configure
from recurra.tasks.transcribe.config import TranscribeConfig
from recurra.tasks.transcribe.data import TranscribeData, read_later, read_recordings
from recurra.tasks.transcribe.phones import Pronounced, kept, read_phones
from recurra.tasks.transcribe.texts import (
    choose_unit,
    decode_text,
    encode_text,
    fit_texts,
    normal,
    steps_needed,
    target_of,
)

SPELT = texts(20)
DICTIONARY = """;;; of six words
ADA  EY D AH
ADA(2)\tAA D AH
BOB  B AA B
CAB  K AE B
DAD  D AE D
EBB  EH B
FEE  F IY
"""


def read(source: object, /, **options: object) -> TranscribeData:
    return read_recordings(configure(TranscribeConfig, {"lm": "none", **options}), source)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return listed(tmp_path / "all.csv", recorded(tmp_path, SPELT), SPELT)


@pytest.fixture
def dictionary(tmp_path: Path) -> Path:
    path = tmp_path / "words.dic"
    path.write_text(DICTIONARY)
    return path


def test_white_space_is_one_space_and_nothing_else_changes():
    assert normal("  Ein\tHund\n\n bellt.", lower=False) == "Ein Hund bellt."
    assert normal("YES  No", lower=True) == "yes no"


def test_capitals_stay_unless_asked_for(tmp_path):
    said = [text.upper() for text in SPELT]
    table = listed(tmp_path / "all.csv", recorded(tmp_path, SPELT), said)
    assert "A" in read(table).schema.tokens.tokens
    data = read(table, lower=True)
    assert "a" in data.schema.tokens.tokens
    assert "A" not in data.schema.tokens.tokens
    assert {*(data.train.recordings.texts or [])} <= {*SPELT}
    assert read_later(data.schema, table).test.recordings.texts == SPELT


@pytest.mark.parametrize("unit", ["characters", "words"])
def test_what_occurs_once_has_a_token_too(unit):
    tokens = fit_texts(["ab ab", "ab c"], unit, None)
    assert {*tokens.tokens[2:]} == ({"a", "b", "c", " ", "\n"} if unit == "characters" else {"ab", "c", "\n"})
    few = fit_texts(["ab ab", "ab c"], unit, len(tokens) - 3)
    assert len(few) == len(tokens) - 1
    assert "c" not in few.tokens


@pytest.mark.parametrize("unit", ["characters", "words", "bpe"])
def test_texts_come_back_from_their_tokens(unit):
    tokens = fit_texts(SPELT, unit, None)
    for text in SPELT:
        assert decode_text(encode_text(text, tokens), tokens) == text
        assert decode_text(target_of(text, tokens), tokens) == text
    assert len(encode_text("", tokens)) == 0


def test_what_has_no_token_is_not_listened_for():
    tokens = fit_texts(["ab"], "characters", None)
    assert tokens.decode(target_of("axbx", tokens)) == "ab"


def test_two_that_are_the_same_need_a_step_between():
    for target, need in (([], 0), ([2], 1), ([2, 3], 2), ([2, 2], 3), ([2, 2, 2, 3, 3], 8)):
        assert steps_needed(np.array(target, dtype=np.int32)) == need


def test_the_unit_suits_the_speech():
    config = configure(TranscribeConfig, {})
    assert choose_unit(config, SPELT, 3_600)[0] == "characters"
    assert choose_unit(config, SPELT, 30 * 3_600) == ("bpe", "30 hours of speech")
    assert choose_unit(config, ["一二三"], 30 * 3_600) == ("characters", "no spaces between words")
    assert choose_unit(configure(TranscribeConfig, {"unit": "words"}), SPELT, 10) == ("words", "")


@pytest.mark.parametrize("unit", ["words", "bpe"])
def test_units_are_asked_for(table, unit):
    data = read(table, unit=unit)
    assert data.schema.tokens.unit == unit
    told = next(line for line in data.found if line.startswith("unit: "))
    assert told.startswith("unit: words, 6" if unit == "words" else "unit: pieces of words (bpe), ")
    for n, text in enumerate(data.train.recordings.texts or []):
        assert decode_text(data.train.target[n], data.schema.tokens) == text


def test_words_of_phones(table, dictionary):
    data = read(table, phones=str(dictionary))
    tokens, phones = data.schema.tokens, data.schema.phones
    assert phones is not None
    assert phones["ada"] == ("EY D AH", "AA D AH")
    assert phones["ADA"] == ("EY D AH", "AA D AH")
    assert {*tokens.tokens[2:]} == {*["EY", "D", "AH", "B", "AA", "K", "AE", "EH", "F", "IY", "|", "\n"]}
    usual = {word: phones[word][0] for word in WORDS}
    for n, text in enumerate(data.train.recordings.texts or []):
        spelt = " | ".join(usual[word] for word in text.split())
        assert decode_text(data.train.target[n], tokens) == spelt
    assert f"unit: phones, 10, of {len(phones)} words" in data.found
    again = read_later(data.schema, table)
    assert again.test.recordings.texts == SPELT
    assert len(again.test.target.values) > 0


def test_words_without_phones_are_named_and_counted(tmp_path, dictionary):
    said = [*SPELT[:-3], "ada zoo", "zoo yak", "bob"]
    table = listed(tmp_path / "all.csv", recorded(tmp_path, said), said)
    first = "r017.wav (all.csv, line 19): the dictionary lacks 2 words, 'zoo', 'yak'"
    with pytest.raises(DataError) as caught:
        read(table, phones=str(dictionary))
    assert f"got 2 texts with words that have no pronunciation (the first is {first})" in str(caught.value)
    data = read(table, phones=str(dictionary), skip=True)
    assert f"left out: 2 texts with words that have no pronunciation; the first is {first}" in data.found
    assert len(data.train) + len(data.valid) + len(data.test) == 18
    told = read_later(data.schema, table).found
    assert "pronunciation: none of 2 words, 'zoo', 'yak'; counted as if they were not there" in told


def test_a_dictionary_in_its_usual_forms(tmp_path):
    path = tmp_path / "a.dic"
    path.write_text("# about\nread R IY D\nread(2)  R EH D # past\nread(3) R IY D\n\n'em\tAH M\n")
    assert read_phones(path, lower=False) == {"read": ("R IY D", "R EH D"), "'em": ("AH M",)}
    path.write_text("  # indented\n\t;;; too\n \t \nC#  S IY # a note\n(2) T UW\n")
    assert read_phones(path, lower=False) == {"C#": ("S IY",), "(2)": ("T UW",)}
    path.write_text("READ R IY D\n")
    assert read_phones(path, lower=True) == {"read": ("R IY D",)}


def test_words_are_looked_up_as_people_write_them():
    said = Pronounced({"READ": ["R IY D"], "o'clock": ["AX K"]})
    assert said.spell("Read, read! O'clock") == "R IY D | R IY D | AX K"
    assert said.missing("read reed O'CLOCK") == ["reed"]
    assert said.ways("read,") == ["R IY D"]
    assert said.ways("<read>") == ()
    assert kept({"READ": ["R IY D"], "RED": ["R EH D"]}, ["read reed"]) == {
        "read": ("R IY D",),
        "READ": ("R IY D",),
        "RED": ("R EH D",),
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "ADA EY\nBOB\n",
            r"a\.dic, line 2: expected a word and its phones, .* got no phone for 'BOB'",
        ),
        (
            "ADA EY\nBOB # B AA B\n",
            r"a\.dic, line 2: expected a word and its phones, .* got no phone for 'BOB'",
        ),
        ("ADA EY | D\n", r"a\.dic, line 1: expected a word and its phones, .* got the phone '\|'"),
        (";;; nothing\n", r"a\.dic: expected words and their phones, a line each, got none"),
    ],
)
def test_dictionaries_that_are_none(tmp_path, content, message):
    (tmp_path / "a.dic").write_text(content)
    with pytest.raises(DataError, match=message):
        read_phones(tmp_path / "a.dic", lower=False)
    with pytest.raises(DataError, match="expected a file, got nothing"):
        read_phones(tmp_path / "gone.dic", lower=False)


def test_energies_are_known_before_training(table):
    schema = read(table).schema
    assert len(schema.mean) == len(schema.deviation) == 40
    assert all(np.isfinite(schema.mean))
    assert min(schema.deviation) >= 0.1
    assert type(schema).model_validate_json(schema.model_dump_json()) == schema
