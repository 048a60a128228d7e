"""Long texts, which come in parts: joined again they are what they would be in one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from recurra.data.pieces import BYTE_OF
from recurra.data.tokens import FIRST, Tokens
from recurra.decode import ctc
from recurra.decode.ctc import Beam, Search
from recurra.decode.fusion import Fusion
from recurra.decode.gaps import Gaps
from recurra.decode.kneser_ney import KneserNey
from recurra.decode.lexicon import Words, letters_of, spellings
from recurra.decode.ngrams import Backoff
from recurra.tasks.base import Transcript
from recurra.tasks.transcribe.writing import Begun, joined, separator, utterance

SPACE = next(one for one, byte in BYTE_OF.items() if byte == 0x20)
TRAN, SLATE = (SPACE, "t", "r", "a", "n"), ("s", "l", "a", "t", "e")
NAMES = ["", "", "tran", "translate", "to", "</s>"]
SPOKEN = ("translate to tran to to translate " * 12).split()


def chain(parts: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """What is joined, one letter after the other."""
    return tuple(("".join(parts[:at]), parts[at]) for at in range(1, len(parts)))


def bpe() -> Tokens:
    merges = (*chain(TRAN), *chain(SLATE))
    return Tokens(unit="bpe", tokens=(*FIRST, *BYTE_OF, *(a + b for a, b in merges)), merges=merges)


def characters(text: str) -> Tokens:
    return Tokens(unit="characters", tokens=(*FIRST, *sorted({*text, "\n"})))


def language(tokens: Tokens) -> Words:
    texts = [[0, *(NAMES.index(word) for word in SPOKEN), 5]]
    model = Backoff.of(KneserNey.fit(np.concatenate(texts).astype(np.int32), 2, 6), end=5)
    return Words(model, NAMES, spellings(NAMES, tokens), letters_of(tokens), weight=0.7, bonus=0.5)


def told(numbers: list[int], size: int, noise: float = -14.0) -> np.ndarray:
    """A step for each token, of which it is nearly sure, and a blank after it."""
    log_p = np.random.default_rng(0).normal(noise, 1, (2 * len(numbers), size))
    log_p[1::2, 0] = 0
    log_p[np.arange(len(numbers)) * 2, numbers] = 0
    return (log_p - np.log(np.exp(log_p).sum(1, keepdims=True))).astype(np.float32)


def parts(numbers: list[int], tokens: Tokens, fusion: Fusion | None) -> list[Transcript]:
    """What a search says that is kept every few steps."""
    return searched(told(numbers, len(tokens)), tokens, fusion)[0]


def searched(log_p: np.ndarray, tokens: Tokens, fusion: Fusion | None) -> tuple[list[Transcript], list[int]]:
    """The same, and all tokens."""
    schema: Any = SimpleNamespace(tokens=tokens, rate=8000)
    gaps, beam, found = separator(tokens), Beam(width=8), []
    search = Search(beam, fusion, gaps)
    for rows in np.split(log_p, range(7, len(log_p), 7)):
        search.feed(rows)
        settled = search.settled()
        if settled is not None:
            found.append(settled)
        search = Search.from_bytes(search.to_bytes(), beam, fusion, gaps)
    found.append(search.best()[0])
    return [utterance(schema, one, fusion) for one in found], [n for one in found for n in one.tokens]


@pytest.mark.parametrize("spelt", ["characters", "bpe"])
@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("skipped", range(2))
def test_no_word_is_cut(spelt: str, words: bool, skipped: int) -> None:
    text = " ".join(SPOKEN[skipped:])
    tokens = characters(text) if spelt == "characters" else bpe()
    numbers = tokens.encode(text if spelt == "characters" else f" {text}").tolist()
    some = parts(numbers, tokens, language(tokens) if words else None)
    assert len(some) > 1 + (spelt == "characters")
    assert not any(isinstance(one, Begun) for one in some)
    whole = joined(some)
    assert whole.text == text
    assert [word.text for word in whole.words] == text.split()
    begins = [word.begin for word in whole.words]
    assert begins == sorted(set(begins))


@pytest.mark.parametrize("spelt", ["characters", "bpe"])
def test_what_has_no_spaces_gets_none(spelt: str) -> None:
    rng = np.random.default_rng(0)
    text = "".join(map(chr, rng.integers(0x4E00, 0x4E00 + 50, 120)))
    tokens = characters(text) if spelt == "characters" else bpe()
    numbers = tokens.encode(text).tolist()
    some = parts(numbers, tokens, None)
    assert [isinstance(one, Begun) for one in some] == [True] * (len(some) - 1) + [False]
    assert len(some) >= 2
    whole = joined(some)
    assert whole.text == text == "".join(one.text for one in some)
    assert [word.text for word in whole.words] == [text]
    assert whole.words[0].begin == some[0].words[0].begin
    assert whole.words[0].end == some[-1].words[0].end


def test_a_word_that_is_too_long_comes_in_parts() -> None:
    """A known one too: neither of its parts is the whole word."""
    long = "translate" * 20
    tokens = characters(f"to {long}")
    model = Backoff.of(KneserNey.fit(np.array([0, 2, 3, 2, 4], dtype=np.int32), 2, 5), end=4)
    names = ["", "", "to", long, "</s>"]
    fusion = Words(model, names, spellings(names, tokens), letters_of(tokens))
    text = f"to {long} to"
    some = parts(tokens.encode(text).tolist(), tokens, fusion)
    assert len(some) > 2
    assert joined(some).text == text


def test_words_that_are_tokens_are_cut_anywhere() -> None:
    tokens = Tokens(unit="words", tokens=(*FIRST, "left", "right", "\n"))
    some = parts([2, 3, 3] * 50, tokens, None)
    assert len(some) > 2
    assert joined(some).text == " ".join(["left", "right", "right"] * 50)


@pytest.mark.parametrize("spelt", ["characters", "bpe"])
@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("spaced", [False, True])
@pytest.mark.parametrize("noise", [-4.0, -1.5])
def test_whatever_is_said_is_said_in_parts(spelt: str, words: bool, spaced: bool, noise: float) -> None:
    """Where hardly anything is sure, others than the best take over all the time."""
    text = " ".join(SPOKEN) if spaced else "".join(SPOKEN)
    tokens = characters(" ".join(SPOKEN)) if spelt == "characters" else bpe()
    fusion = language(tokens) if words else None
    log_p = told(tokens.encode(text).tolist(), len(tokens), noise)
    real = [n for n in range(2, len(tokens)) if set(tokens.decode([n])) <= set("translateo ")]
    log_p[:, np.setdiff1d(np.arange(1, len(tokens)), real)] = -30
    some, numbers = searched(log_p, tokens, fusion)
    assert len(numbers) > 100
    assert len(some) > 1
    assert joined(some).text == " ".join(tokens.decode(numbers).split())


@pytest.mark.parametrize(("likelier", "whole"), [(5, True), (4, False)])
def test_others_that_go_on_with_the_word_are_dropped(
    likelier: int, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the end of a word would come after a word that was said to have ended; 5 begins one, 4 does not."""
    monkeypatch.setattr(ctc, "MOST", 4)
    log_p = np.full((10, 6), -12.0)
    log_p[np.arange(0, 10, 2), [2, 3, likelier, 2, 3]] = 0
    log_p[4, 9 - likelier] = -0.1
    log_p[1::2, 0] = 0
    search = Search(Beam(best=16), separator=Gaps(begins=frozenset({5})))
    search.feed(log_p)
    settled = search.settled()
    assert settled is not None
    assert (settled.tokens, settled.whole) == ([2, 3], whole)
    texts = [one.tokens for one in search.best()]
    assert texts[0] == [likelier, 2, 3]
    assert all(text and (text[0] == 5) == whole for text in texts)


def test_where_long_texts_are_cut() -> None:
    gaps = Gaps(begins=frozenset({5, 9}), ends=frozenset({9}), inside=frozenset({7}))
    assert gaps.place([5, 2, 5, 3, 4, 4]) == (2, True)
    assert gaps.place([5, 2, 3, 9, 4, 4]) == (4, True)
    assert gaps.place([5, 2, 2, 3, 4, 4]) == (3, False)
    assert gaps.place([5, 2, 2, 7, 4, 4]) == (2, False)
    assert gaps.place([]) == (0, False)
    for after, agrees in ((5, True), (9, True), (3, False), (None, False)):
        assert gaps.agree(2, after, whole=True) == agrees
    for after, agrees in ((5, False), (7, False), (3, True), (None, False)):
        assert gaps.agree(2, after, whole=False) == agrees
    assert gaps.agree(9, 3, whole=True)
    assert gaps.agree(9, None, whole=True)


def test_where_words_end() -> None:
    tokens = bpe()
    space, tran = int(tokens.encode(" ")[0]), int(tokens.encode(" tran")[0])
    gaps = Gaps.of(tokens)
    assert {space, tran} < gaps.begins
    assert gaps.ends == {space}
    assert len(gaps.inside) == 64
    phones = Tokens(unit="words", tokens=(*FIRST, "hh", "ay", "|", "\n"))
    assert Gaps.of(phones) == Gaps(frozenset({4}), frozenset({4}), frozenset())


def test_parts_without_words_change_nothing() -> None:
    one, more = Transcript("a", (), -1.0), Begun("b", (), -2.0)
    assert joined([Transcript("", (), 0.0), more, Transcript("", (), 0.0), one, one]).text == "ba a"
    assert joined([]) == Transcript("", (), 0)
