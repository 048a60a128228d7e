"""Text to numbers and back: characters, bytes, words, pieces of words."""

import importlib.util
import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from recurra.data import pieces, tokens, units
from recurra.data.tokens import BORDER, UNKNOWN, Encoder, Tokens
from recurra.data.units import choose_tokens, fit_tokens, most_tokens
from recurra.errors import ConfigError

UNITS = ["characters", "bytes", "words", "bpe"]
PROSE = (
    "the cat sat on the mat, didn't it?\n\nDer Hund saß da: 日本語 हिन्दी 😀😀 ½\n  indented\ttoo_late 2024\n"
    * 30
)
FITTED = {unit: fit_tokens([PROSE], unit, 400) for unit in UNITS}
# Text as it is written, with every kind of white space, and any text at all.
ANY = st.text() | st.text(alphabet="ab Cé語'\n\t\r_12.\u00a0\u2028!")
SPACED = st.lists(st.lists(st.text("abé語", min_size=1), min_size=1).map(" ".join)).map("\n".join)


def same(text, unit):
    """Whether a text comes back, in whole, piece by piece and token by token."""
    found = FITTED[unit]
    numbers = found.encode(text)
    assert numbers.dtype == np.int32
    assert ((numbers > UNKNOWN) & (numbers < len(found))).all()
    decoder = found.decoder()
    fed = [decoder.feed(number) for number in numbers.tolist()]
    assert "".join(fed) + decoder.end() == text
    assert found.decode(numbers) == text
    assert len(found.split(text)) == len(found.pieces(numbers)) == len(numbers)
    assert "".join(found.split(text)) == text


@settings(deadline=None)
@given(ANY)
def test_bytes_bring_any_text_back(text):
    same(text, "bytes")


@settings(deadline=None)
@given(ANY)
def test_pieces_bring_any_text_back(text):
    same(text, "bpe")


@settings(deadline=None)
@given(ANY)
def test_characters_bring_any_text_back(text):
    found = fit_tokens([text, text], "characters", 10_000)
    numbers = found.encode(text)
    assert UNKNOWN not in numbers
    assert found.decode(numbers) == text
    assert found.split(text) == list(text) == found.pieces(numbers)


@settings(deadline=None)
@given(SPACED)
def test_words_bring_text_with_single_spaces_back(text):
    found = fit_tokens([text, " ", text], "words", 10_000)
    assert found.decode(found.encode(text)) == text


@settings(deadline=None)
@given(ANY)
def test_words_stay_the_same_words(text):
    found = fit_tokens([text, "\n", text], "words", 10_000)
    numbers = found.encode(text)
    assert (found.encode(found.decode(numbers)) == numbers).all()
    assert len(found.split(text)) == len(numbers)
    assert "".join(found.split(text)) == (text if len(numbers) else "")


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_come_back(raw):
    found = FITTED["bytes"]
    assert b"".join(found.bytes_of(number) for number in found.encode(raw).tolist()) == raw
    assert found.decode(found.encode(raw)) == raw.decode(errors="replace")


@pytest.mark.parametrize("unit", UNITS)
@settings(deadline=None)
@given(text=ANY, size=st.integers(1, 5))
def test_text_in_blocks_has_the_same_tokens(unit, text, size):
    found = FITTED[unit]
    encoder = Encoder(found)
    blocks = [text[at : at + size] for at in range(0, len(text), size)]
    numbers = np.concatenate([*map(encoder.feed, blocks), encoder.feed("", last=True)])
    assert numbers.tolist() == found.encode(text).tolist()


def test_what_holds_a_character_back():
    found = FITTED["bytes"]
    decoder = found.decoder()
    assert [decoder.feed(number) for number in found.encode("é😀!").tolist()] == [
        "",
        "é",
        "",
        "",
        "",
        "😀",
        "!",
    ]
    assert decoder.feed(found.encode("é").tolist()[0]) == ""
    assert decoder.end() == "\ufffd"
    assert found.split("é!") == ["", "é", "!"]
    # Nothing goes on from one document to the next.
    first, second = found.encode("é").tolist()
    assert found.pieces([first, BORDER, second]) == ["", "\ufffd", "\ufffd"]


def test_spaces_between_words():
    found = FITTED["words"]
    assert found.decode(found.encode("  the  cat\n the\tcat ")) == "the cat\nthe cat"
    cat = found.encode("cat").tolist()
    assert found.pieces([*cat, *cat, BORDER, *cat]) == ["cat", " cat", "", "cat"]
    assert found.split(" the  cat\n sat ") == [" the", "  cat", "\n", " sat "]
    assert found.split(" ") == []
    long = tokens.LONGEST_WORD * "x" + "y"
    assert found.split(long + " z") == [long[:-1], "y", " z"]


def test_what_is_unknown():
    letters = fit_tokens(["aab"], "characters", 10)
    assert letters.tokens == ("", "<unknown>", "a", "\n")
    assert letters.encode("ab").tolist() == [2, UNKNOWN]
    assert letters.decode([2, UNKNOWN]) == "a\ufffd"
    words = fit_tokens(["a a <unknown> <unknown>"], "words", 10)
    assert words.encode("a b <unknown>").tolist() == [3, UNKNOWN, 2]
    assert words.decode([3, UNKNOWN]) == "a <unknown>"
    closed = fit_tokens(["a b <unk>"], "words", 10)
    assert closed.tokens[2:] == ("<unk>", "a", "b", "\n")
    encoder = Encoder(closed)
    assert encoder.feed("a c <unk> d", last=True).tolist() == [3, 2, 2, 2]
    assert encoder.unknown == 2


def test_half_a_surrogate_pair_is_no_character():
    assert FITTED["characters"].encode("\ud800").tolist() == [UNKNOWN]
    assert FITTED["bpe"].decode(FITTED["bpe"].encode("a\ud800b")) == "a\ufffdb"
    assert len(FITTED["bytes"].encode("\ud800")) == 3


@pytest.mark.parametrize("unit", UNITS)
def test_tokens_from_json_are_the_same(unit):
    found = FITTED[unit]
    again = Tokens.model_validate_json(found.model_dump_json())
    assert again == found
    assert (again.encode(PROSE) == found.encode(PROSE)).all()
    assert (again.encode(PROSE) == found.newline).sum() == PROSE.count("\n")
    assert found.decode([found.newline]) == "\n"


@pytest.mark.parametrize(
    ("unit", "changed"),
    [
        ("characters", {"tokens": ("a", "b", "\n")}),
        ("characters", {"tokens": ("", "<unknown>", "ab", "\n")}),
        ("characters", {"tokens": ("", "<unknown>", "a", "a", "\n")}),
        ("words", {"tokens": ("", "<unknown>", "a b", "\n")}),
        ("words", {"tokens": ("", "<unknown>", "a")}),
        ("bytes", {"tokens": ("", "<unknown>", "a")}),
        ("bpe", {"tokens": ("", "<unknown>", "a", "\n")}),
        ("bpe", {"merges": (("q", "~"),)}),
    ],
)
def test_damaged_tokens_are_refused(unit, changed):
    with pytest.raises(ValidationError) as caught:
        Tokens(**{**FITTED[unit].model_dump(), **changed})
    assert f"expected whole {unit} as tokens, got others. Fit them anew." in str(caught.value)


def test_the_most_frequent_come_first():
    assert fit_tokens(["b a\nb a b\nc c d"], "words", 9).tokens[2:] == ("b", "\n", "a", "c")
    assert fit_tokens(["b a\nb a b\nc c d"], "words", 3).tokens[2:] == ("b", "\n", "a")
    assert fit_tokens(["cba", "abc", "\n\n\n"], "characters", 3).tokens[2:] == ("\n", "a", "b")
    found = FITTED["bpe"]
    assert len(found) <= 402
    counts = np.bincount(found.encode(PROSE), minlength=len(found))[2:]
    assert (np.diff(counts) <= 0).all()


def test_words_are_counted_over_blocks_and_rare_ones_forgotten(monkeypatch):
    text = "some words come again and again, some words do not\n" * 3
    blocks = [text[at : at + 3] for at in range(0, len(text), 3)]
    assert fit_tokens(blocks, "words", 99) == fit_tokens([text], "words", 99)
    monkeypatch.setattr(units, "COUNTED_WORDS", 10)
    many = ["again and again and again\n", *(f"w{n} " for n in range(50))]
    assert fit_tokens(many, "words", 99).tokens[2:] == ("again", "and", "\n")


def test_pieces_stay_within_runs():
    for text in ("don't", " can't stop\n\n", "x = foo_bar(12345)\t\t# ok", "   a  b"):
        assert "".join(pieces.runs(text)) == text
    assert pieces.runs("I can't, 2024!\n\n  हिन्दी") == [
        "I", " can", "'t", ",", " 202", "4", "!", "\n", "\n", " ", " हिन्दी",
    ]  # fmt: skip
    found = fit_tokens(["in the end. " * 50 + "\n\n" * 50], "bpe", 300)
    assert all("Ċ" not in token or token == "Ċ" for token in found.tokens)
    assert all(
        " " not in token.decode()[1:] for token in map(pieces.to_bytes, found.tokens[2:]) if token[:1] == b" "
    )


def test_pieces_learnt_from_some_of_many_blocks(monkeypatch):
    monkeypatch.setattr(units, "PIECES_FROM", 1000)
    blocks = [("abab " * 100, "cdcd " * 100)[at % 2] for at in range(10)]
    found = fit_tokens(iter(blocks), "bpe", 270, characters=1999)
    assert "abab" in found.tokens
    only = fit_tokens(iter(blocks), "bpe", 270, characters=sum(map(len, blocks)))
    assert "Ġabab" in only.tokens
    assert "Ġcdcd" not in fit_tokens(iter(blocks), "bpe", 270, characters=1000).tokens


def test_a_joiner_that_forgets_finds_the_same(monkeypatch):
    monkeypatch.setattr(pieces, "REMEMBERED", 3)
    found = FITTED["bpe"].model_copy()
    encoder = Encoder(found)
    for line in PROSE.split("\n")[:8]:
        assert encoder.feed(line, last=True).tolist() == FITTED["bpe"].encode(line).tolist()


def test_too_few_pieces():
    with pytest.raises(ConfigError) as caught:
        fit_tokens(["text"], "bpe", 255)
    assert (
        str(caught.value) == "expected at least 256 tokens of bpe, one for each byte, got 255. Ask for more."
    )


def words_of(many, kinds):
    """Words of two letters, or of four, of which most are rare."""
    rng = np.random.default_rng(0)
    letters = np.array(list(string.ascii_letters))
    return " ".join("".join(one) for one in rng.choice(letters, (many, 2 if kinds == "few" else 4)))


def test_the_unit_follows_the_text(monkeypatch):
    assert choose_tokens(words_of(250_000, "few"), 10**7) == ("words", "the text is already cut into words")
    replaced = words_of(250_000, "many") + " <unk>" * 300
    assert choose_tokens(replaced, 10**7) == ("words", "the text is already cut into words")
    assert choose_tokens("ACGT" * 1000, 10**8) == ("characters", "there are 4 different ones")
    unspaced = "日本語のテキストはここにありますとても長いですね、" * 99
    assert choose_tokens(unspaced, 10**8) == ("characters", "no spaces between words")
    assert choose_tokens(PROSE, 10**6) == ("characters", "fewer than 3 million of them")
    assert choose_tokens(PROSE, 10**8) == ("bpe", "100 million characters of many words")
    assert choose_tokens(words_of(250_000, "many"), 10**8)[0] == "bpe"
    assert choose_tokens(PROSE, 10**8, 0.03) == ("bytes", "3.0% of it is not UTF-8")
    assert choose_tokens(PROSE + "\0", 10**8) == ("bytes", "it is not text")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert choose_tokens(PROSE, 10**8) == ("characters", "bpe needs the package tokenizers")


def test_how_many_tokens():
    assert [most_tokens("bpe", 10**power) for power in (6, 7, 8)] == [4_000, 8_000, 16_000]
    assert most_tokens("words", 1) == 50_000
    assert most_tokens("characters", 1) == 10_000
    assert most_tokens("bytes", 1) == 256
