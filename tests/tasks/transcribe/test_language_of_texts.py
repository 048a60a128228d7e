"""What texts are likely: which language model the options give, and which words it lets the search write."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy as np
import pytest
from small_recordings import WORDS, listed, recorded, texts

from recurra.data.tokens import FIRST, UNKNOWN
from recurra.decode.ctc import Beam
from recurra.decode.lexicon import Words
from recurra.decode.ngrams import Backoff
from recurra.errors import ConfigError, DataError
from recurra.fit import configure
from recurra.tasks.transcribe import counting
from recurra.tasks.transcribe.config import TranscribeConfig
from recurra.tasks.transcribe.data import TranscribeData, read_recordings
from recurra.tasks.transcribe.fusing import weighing_of
from recurra.tasks.transcribe.writing import searched

SPELT = texts(20)
# The phones of "hello" and "gong" are those of other words, so that the network has them.
DICTIONARY = """ADA  EY D AH
BOB  B AA B
CAB  K AE B
DAD  D AE D
EBB  EH B
FEE  F IY
HELLO  EH D IY
WORLD  AA B D
GONG  K AA D
KONG  K AA D
BAHB  B AA B
"""


def read(source: object, /, **options: object) -> TranscribeData:
    return read_recordings(configure(TranscribeConfig, options), source)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spelt")
    return listed(folder / "all.csv", recorded(folder, SPELT), SPELT)


@pytest.fixture
def dictionary(tmp_path: Path) -> Path:
    path = tmp_path / "words.dic"
    path.write_text(DICTIONARY)
    return path


def written(path: Path, content: str) -> str:
    path.write_text(content, encoding="utf-8")
    return str(path)


def arpa(words: list[str]) -> str:
    lines = "".join(f"-1.5\t{word}\n" for word in ["<s>", "</s>", "<unk>", *words])
    return f"\\data\\\nngram 1={len(words) + 3}\n\n\\1-grams:\n{lines}\n\\end\\\n"


def language(data: TranscribeData, weight: float = 0.5) -> Words:
    found = weighing_of(Backoff.from_arrays(data.language), data.schema)(weight, 0.0)
    assert isinstance(found, Words)
    return found


def heard(data: TranscribeData, *phones: str) -> str:
    """What the search makes of these phones."""
    numbers = [data.schema.tokens.tokens.index(phone) for phone in phones]
    log_p = np.full((2 * len(phones), len(data.schema.tokens)), -20.0, dtype=np.float32)
    log_p[np.arange(0, 2 * len(phones), 2), numbers] = -0.01
    log_p[1::2, 0] = -0.01
    return searched(log_p, data.schema, Beam(8), language(data)).text


def test_words_of_extra_text_can_be_written(table: Path, dictionary: Path, tmp_path: Path) -> None:
    extra = written(tmp_path / "more.txt", "hello world\n")
    data = read(table, phones=str(dictionary), extra=extra)
    assert data.schema.phones is not None
    assert data.schema.phones["hello"] == ("EH D IY",)
    assert heard(data, *["EY", "D", "AH", "|", "EH", "D", "IY", "|", "AA", "B", "D"]) == "ada hello world"


def test_other_words_of_the_dictionary_are_written_as_unknown_ones(table: Path, dictionary: Path) -> None:
    data = read(table, phones=str(dictionary))
    assert heard(data, *["EH", "D", "IY", "|", "EY", "D", "AH"]) == "HELLO ada"
    # Of those that sound alike, the first; but no other word where the language model knows one.
    assert heard(data, *["K", "AA", "D"]) == "GONG"
    assert heard(data, *["B", "AA", "B"]) == "bob"
    assert data.schema.language is not None
    found = language(data, weight=1.0)
    known = len(data.schema.language.words)
    assert found.vocabulary[known:] == ("HELLO", "WORLD", "GONG")
    # They share the chance of the unknown one.
    counted = Backoff.from_arrays(data.language)
    for word in (UNKNOWN, known, known + 2):
        _, log_p = found.model.step(found.model.start(), word)
        assert log_p == pytest.approx(counted.step(counted.start(), UNKNOWN)[1] - math.log(3), rel=1e-5)
    ada = data.schema.language.words.index("ada")
    assert found.model.step(0, ada)[1] == counted.step(0, ada)[1]


def test_an_arpa_file_learns_from_no_extra_text(table: Path, tmp_path: Path) -> None:
    given = written(tmp_path / "a.arpa", arpa([*WORDS]))
    extra = written(tmp_path / "more.txt", "hello world\n")
    with pytest.raises(ConfigError) as error:
        read(table, lm=given, extra=extra)
    assert str(error.value) == (
        "expected extra text beside a language model that learns from it, got a.arpa, whose n-grams are "
        "counted already. Leave out extra, or lm."
    )


@pytest.mark.parametrize("space", ["<space>", "▁", "|", None])
def test_an_arpa_file_of_characters(table: Path, tmp_path: Path, space: str | None) -> None:
    letters = sorted({letter for word in WORDS for letter in word})
    given = written(tmp_path / "a.arpa", arpa([*letters, *([] if space is None else [space])]))
    data = read(table, lm=given)
    assert data.schema.language is not None
    assert data.schema.language.kind == "tokens"
    assert data.schema.language.about == "n-grams of up to 1 tokens, from a.arpa"
    model, tokens = Backoff.from_arrays(data.language), data.schema.tokens.tokens
    for token in [*letters, *([] if space is None else [" "])]:
        assert model.step(0, tokens.index(token))[1] == pytest.approx(-1.5 * math.log(10))


def test_an_arpa_file_of_short_words(tmp_path: Path) -> None:
    said = ["a b", "b", "c a b"] * 7
    table = listed(tmp_path / "all.csv", recorded(tmp_path, said), said)
    data = read(table, lm=written(tmp_path / "a.arpa", arpa(["a", "b", "c"])))
    assert data.schema.language is not None
    assert data.schema.language.kind == "words"


@pytest.mark.parametrize(
    ("words", "what"),
    [([word.upper() for word in WORDS], "words"), (["A", "B", "C", "x", "<space>"], "characters")],
)
def test_an_arpa_file_of_another_spelling(table: Path, tmp_path: Path, words: list[str], what: str) -> None:
    with pytest.raises(ConfigError) as error:
        read(table, lm=written(tmp_path / "a.arpa", arpa(words)))
    assert str(error.value) == (
        f"expected a language model that knows at least half of the {what} of the validation part, got "
        "a.arpa, which knows 0.0 %. Give one with the same spelling, capitals and small letters among it, or "
        "set lower."
    )


def test_what_a_language_model_knows_is_told(table: Path, tmp_path: Path) -> None:
    data = read(table, lm=written(tmp_path / "a.arpa", arpa([*WORDS])))
    about = "n-grams of up to 1 words, from a.arpa; it knows 100.0 % of the words of the validation part"
    assert f"language model: {about}" in data.found
    data = read(table, lm="words")
    assert data.schema.language is not None
    assert data.schema.language.about.endswith("; it knows 100.0 % of the words of the validation part")


def test_other_text_alone_says_what_words_there_are(table: Path, tmp_path: Path) -> None:
    """Training words that it lacks are none of its words."""
    data = read(table, lm=written(tmp_path / "other.txt", "quite another text\n"))
    assert data.schema.language is not None
    assert data.schema.language.kind == "tokens"
    data = read(table, lm=written(tmp_path / "other.txt", "\n".join(SPELT)))
    assert data.schema.language is not None
    assert data.schema.language.kind == "words"


def test_extra_text_is_spelt_in_phones(table: Path, dictionary: Path, tmp_path: Path) -> None:
    extra = written(tmp_path / "more.txt", "hello world\nnobody says\n\nhello unsaid\n")
    data = read(table, phones=str(dictionary), lm="characters", extra=extra)
    assert data.schema.language is not None
    assert data.schema.language.about == (
        "n-grams of up to 7 tokens, from the training texts and more.txt; 2 lines with words that have no "
        "pronunciation left out"
    )
    tokens, model = data.schema.tokens, Backoff.from_arrays(data.language)
    plain = Backoff.from_arrays(read(table, phones=str(dictionary), lm="characters").language)
    said = tokens.encode("EH D IY | AA B D")
    assert sum(model.logarithms(said)) > sum(plain.logarithms(said)) + 5
    assert sum(model.logarithms([UNKNOWN])) < -1


def test_what_files_of_words_hold_is_among_what_was_read(
    table: Path, dictionary: Path, tmp_path: Path
) -> None:
    lm, extra = tmp_path / "a.txt", tmp_path / "b.txt"
    lm.write_text("ada bob\n")
    extra.write_text("cab dad\n")

    def found() -> str:
        return read(table, phones=str(dictionary), lm=str(lm), extra=str(extra)).sha256

    before = found()
    assert found() == before
    for path in (dictionary, lm, extra):
        path.write_text(path.read_text() + "ada EY\n")
        before, old = found(), before
        assert before != old
    assert read(table).sha256 == read(table, lm="words").sha256


def test_files_that_are_missing(table: Path, tmp_path: Path) -> None:
    for name in ("extra", "lm"):
        with pytest.raises(ConfigError, match=r"expected a file of text, got nothing at '.*gone\.txt'"):
            read(table, **{name: str(tmp_path / "gone.txt")})
    with pytest.raises(DataError, match="expected an ARPA file, got nothing at "):
        read(table, lm=str(tmp_path / "gone.arpa"))


@pytest.mark.parametrize("packed", [False, True])
def test_language_models_that_are_too_large(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    """What a file says of itself is enough to refuse it."""
    content = b"\\data\\\nngram 1=8\nngram 2=20000001\n\n\\1-grams:\n"
    path = tmp_path / f"a.arpa{'.gz' if packed else ''}"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(ConfigError) as error:
        read(table, lm=str(path))
    assert str(error.value) == (
        "expected a language model of at most 20,000,000 n-grams, which lie among the weights and in each "
        f"checkpoint, got 20,000,009 from {path.name}. Prune it, or give less text."
    )
    monkeypatch.setattr(counting, "MOST", 10)
    with pytest.raises(ConfigError, match=r"at most 10 n-grams, .* from the training texts\. Prune it"):
        read(table)


def test_numbers_below_the_first_are_no_words(table: Path, dictionary: Path) -> None:
    data = read(table, phones=str(dictionary))
    assert data.schema.language is not None
    assert data.schema.language.words[: len(FIRST)] == FIRST
    assert not {*FIRST, "\n"} & {*(data.schema.phones or {})}
