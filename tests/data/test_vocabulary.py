"""Texts as characters, words and pieces."""

import subprocess
import sys

import pytest

from recurra.data.vocabulary import UNKNOWN, Vocabulary, choose_unit, fit_vocabulary, split_text
from recurra.errors import ConfigError

TEXTS = ["It's a dog-eat-dog world, isn't it? ÉCOLE", "the dog ate the dog", "日本語 の テキスト"] * 30
UNITS = ["characters", "words", "bpe"]


@pytest.mark.parametrize("unit", UNITS)
def test_numbers_and_pieces_go_together(unit):
    found = fit_vocabulary(TEXTS, unit, 200, 1)
    assert found.tokens[:2] == ("", UNKNOWN)
    assert len(set(found.tokens)) == len(found)
    for text in (*TEXTS[:3], "a snowman: \u2603 \u2603x", "", "  ", "two\nlines\ttabs", "cafe\u0301"):
        numbers, pieces = found.encode(text), found.split(text)
        assert len(numbers) == len(pieces)
        assert (numbers > 0).all()
        assert (numbers < len(found)).all()
        assert numbers.dtype == "int32"
    assert found.decode(found.encode("the dog ate the dog")) == "the dog ate the dog"
    assert 1 in found.encode("\u2603")
    both = found.encode_all(["the dog", ""])
    assert both.lengths.tolist() == [len(found.encode("the dog")), 0]


@pytest.mark.parametrize("unit", UNITS)
def test_a_vocabulary_from_json_is_the_same(unit):
    found = fit_vocabulary(TEXTS, unit, 100, 2)
    again = Vocabulary.model_validate_json(found.model_dump_json())
    assert again == found
    for text in TEXTS[:3]:
        assert (again.encode(text) == found.encode(text)).all()
        assert again.split(text) == found.split(text)


def test_words_and_signs():
    assert split_text("Don't stop, twenty-one (½)!", "words") == [
        "Don't", "stop", ",", "twenty-one", "(", "½", ")", "!",
    ]  # fmt: skip
    assert split_text("e\u0301a", "characters") == ["é", "a"]


def test_the_most_usual_are_kept_whatever_the_order():
    texts = ["b a", "a c", "c b a d"]
    assert fit_vocabulary(texts, "words", 4, 1).tokens[2:] == ("a", "b")
    assert fit_vocabulary(texts[::-1], "words", 4, 1) == fit_vocabulary(texts, "words", 4, 1)
    assert fit_vocabulary(texts, "words", 100, 2).tokens[2:] == ("a", "b", "c")
    assert len(fit_vocabulary(TEXTS, "bpe", 60, 1)) <= 60


def test_pieces_are_the_same_in_every_process():
    code = (
        "from recurra.data.vocabulary import fit_vocabulary;"
        "texts = [f'word{n % 37} other{n % 11} {n}' for n in range(400)];"
        "print(fit_vocabulary(texts, 'bpe', 300, 1).model_dump_json())"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1]


def test_the_unit_follows_length_and_amount():
    names = ["Adam", "Ahearn", "Mac Aodh"] * 10
    assert choose_unit(names, 30) == ("characters", "texts of a word or two")
    assert choose_unit(["日本語のテキストはここにありますとても長いですね、" * 3] * 9, 9)[0] == "characters"
    assert choose_unit(["the dog ate the cat"] * 9, 9) == ("words", "5 words in the median text")
    rare = [" ".join(f"w{n}x{at}" if at % 5 == 0 else "usual" for at in range(100)) for n in range(3500)]
    assert choose_unit(rare, 3500) == ("bpe", "20% of the running words occur once")
    assert choose_unit(["", " "], 2)[0] == "characters"


def test_without_tokenizers(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ConfigError) as caught:
        fit_vocabulary(TEXTS, "bpe", 100, 1)
    assert str(caught.value) == (
        "expected the package tokenizers, which byte-pair encoding needs, got an install without it. "
        "Install recurra[text], or choose the unit words."
    )
