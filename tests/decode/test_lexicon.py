"""Words in the beam search, beside their scores added up by hand, and when they were said."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alignments import every_text
from recurra.data.pieces import BYTE_OF
from recurra.data.tokens import FIRST, UNKNOWN, Tokens
from recurra.decode.ctc import Beam, Hypothesis, Search
from recurra.decode.kneser_ney import KneserNey
from recurra.decode.lexicon import Span, Words, letters_of, spellings
from recurra.decode.ngrams import Backoff
from recurra.decode.wordtimes import Word, word_times
from recurra.decode.wordtree import Lexicon

EVERYTHING = Beam(width=100_000, prune=0, margin=0, best=100_000)
# Words by their numbers in the language model, of which number 6 ends a text; it does not know "baa".
VOCABULARY = ["", "", "a", "b", "ab", "aab", "", "baa"]
LAST = 6
CHARACTERS = Tokens(unit="characters", tokens=(*FIRST, "a", "b", " ", "\n"))


def language() -> Backoff:
    rng = np.random.default_rng(2)
    texts = [[0, *rng.integers(2, 6, rng.integers(0, 5)), LAST] for _ in range(40)]
    return Backoff.of(KneserNey.fit(np.concatenate(texts).astype(np.int32), 2, LAST + 1), end=LAST)


def words(**options: object) -> Words:
    spell = spellings(VOCABULARY, CHARACTERS)
    options = {"weight": 0.8, "bonus": 0.6, "unknown": -1.5, **options}
    return Words(language(), VOCABULARY, spell, letters_of(CHARACTERS), **options)  # type: ignore[arg-type]


def by_hand(text: str, *, closed: bool) -> float:
    """What a text's words add, as the docstring says."""
    if text.startswith(" ") or "  " in text:
        return -math.inf
    model, total = language(), 0.0
    state = model.start()
    for word in text.split():
        known = word in VOCABULARY
        number = VOCABULARY.index(word) if known else 1
        state, log_p = model.step(state, number if number < LAST else 1)
        total += 0.8 * log_p + 0.6 + (0 if known else -1.5 * len(word))
        if closed and not known:
            return -math.inf
    return total + 0.8 * model.step(state, LAST)[1]


def steps(many: int, tokens: int, seed: int) -> np.ndarray:
    z = np.random.default_rng(seed).normal(size=(many, tokens))
    return (z - np.log(np.exp(z).sum(1, keepdims=True))).astype(np.float32)


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_words_count_for_every_text(closed: bool, seed: int) -> None:
    log_p = steps(5, 5, seed)
    search = Search(EVERYTHING, words(closed=closed))
    search.feed(log_p)
    expected = {}
    for text, one in every_text(log_p, never=[1]).items():
        score = by_hand(CHARACTERS.decode(text), closed=closed)
        if score > -math.inf:
            expected[text] = math.log(one.chance) + score
    found = {tuple(one.tokens): one.score for one in search.best()}
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-6)
    assert len(found) > 10


def test_beginnings_of_no_word_are_dropped() -> None:
    search = Search(Beam(width=50, prune=0, margin=0, best=50), words(closed=True))
    search.feed(steps(2, 5, 0))
    assert {CHARACTERS.decode(one.tokens) for one in search.best()} == {"", "a", "b", "ab", "a ", "b "}


def test_what_ends_within_a_word_is_told_where_there_is_nothing_else() -> None:
    sure = np.full((2, 5), -30.0)
    sure[0, 2] = sure[1, 2] = 0
    sure[0, 0] = sure[1, 0] = -40
    fusion = Words(language(), VOCABULARY, {(97, 98): [4]}, letters_of(CHARACTERS), closed=True)
    search = Search(Beam(width=1), fusion)
    search.feed(sure)
    assert [one.tokens for one in search.best()] == [[2]]


def test_the_likeliest_of_words_that_sound_alike() -> None:
    """Which of them it is depends on the word before."""
    phones = Tokens(unit="words", tokens=(*FIRST, "ay", "s", "iy", "k", "ae", "n", "|", "\n"))
    ay, s, iy, k, ae, n, gap = range(2, 9)
    names = ["", "", "I", "eye", "see", "sea", "can", "</s>"]
    texts = [[0, 2, 6, 4, 7], [0, 2, 4, 7], [0, 3, 5, 7], [0, 3, 5, 7], [0, 6, 2, 4, 7]] * 3
    model = Backoff.of(KneserNey.fit(np.concatenate(texts).astype(np.int32), 2, 8), end=7)
    spell = {(ay,): [2, 3], (s, iy): [5, 4], (k, ae, n): [6]}
    fusion = Words(model, names, spell, letters_of(phones), closed=True)
    for text, said in (
        ([ay, gap, k, ae, n, gap, s, iy], "I can see"),
        ([k, ae, n, gap, ay, gap, s, iy], "can I see"),
    ):
        spans = fusion.spans(text)
        assert " ".join(names[one.word] for one in spans) == said
        assert [text[one.first] for one in spans] == [text[0], *(text[at + 1] for at in gaps(text, gap))]
    assert fusion.spans([ay, gap, s, iy])[1].word == 4
    # What goes on from another part has the words that have a token of their own; a part of a word is none.
    state = fusion.start()
    for token in (k, ae):
        state, _ = fusion.extend(state, token)
    assert fusion.spans([k, ae], whole=False) == [Span(UNKNOWN, 0, 1)]
    assert fusion.spans([n, gap, ay], state) == [Span(UNKNOWN, 0, 0), Span(2, 2, 2)]
    state, _ = fusion.extend(state, n)
    assert fusion.spans([gap, ay, gap, s, iy], state) == [Span(2, 1, 1), Span(4, 3, 4)]
    # In a closed dictionary no text has a word that has only begun.
    assert fusion.spans([ay, gap, k, ae]) == [Span(2, 0, 0)]


def gaps(text: list[int], gap: int) -> list[int]:
    return [at for at, token in enumerate(text) if token == gap]


def pieces() -> Tokens:
    """Bytes, and pieces that begin with a space."""
    space = next(one for one, byte in BYTE_OF.items() if byte == 0x20)
    return Tokens(
        unit="bpe",
        tokens=(*FIRST, *BYTE_OF, f"{space}a", f"{space}ab", "ab"),
        merges=((space, "a"), (f"{space}a", "b"), ("a", "b")),
    )


def test_pieces_that_begin_with_a_space() -> None:
    """However a word is cut into pieces, it is the same word."""
    tokens = pieces()
    fusion = Words(
        language(),
        VOCABULARY,
        spellings(VOCABULARY, tokens),
        letters_of(tokens),
        weight=0.8,
        bonus=0.6,
        unknown=-1.5,
    )
    a, b = (tokens.tokens.index(one) for one in "ab")
    space = int(tokens.encode(" ")[0])
    _a, _ab, ab = range(len(tokens) - 3, len(tokens))
    for text in ([_ab, _a, b], [ab, _ab], [ab, space, a, b], [a, b, space, ab]):
        state, total = fusion.start(), 0.0
        for token in text:
            state, gain = fusion.extend(state, token)
            total += gain
            assert gain <= fusion.most(token)
        assert total + fusion.end(state) == pytest.approx(by_hand("ab ab", closed=False))
        assert [one.word for one in fusion.spans(text)] == [4, 4]
    assert fusion.extend(fusion.start(), space)[1] == -math.inf
    found = word_times(Hypothesis([_a, b, _ab], [1, 2, 5], [0.9, 0.8, 0.7], 0, 0), tokens, 0.1)
    assert found == [
        Word("ab", 0.1, pytest.approx(0.3), 0.8),
        Word("ab", 0.5, pytest.approx(0.6), 0.7),
    ]


@given(st.integers(0, 10_000), st.floats(-3, 1), st.floats(0, 3), st.booleans())
@settings(max_examples=30, deadline=None)
def test_no_token_adds_more_than_is_said(seed: int, unknown: float, weight: float, closed: bool) -> None:
    rng, tokens = np.random.default_rng(seed), pieces()
    fusion = Words(
        language(),
        VOCABULARY,
        spellings(VOCABULARY, tokens),
        letters_of(tokens),
        weight=weight,
        unknown=unknown,
        closed=closed,
    )
    some = [tokens.tokens.index(one) for one in "abc"] + [*range(len(tokens) - 3, len(tokens))]
    state = fusion.start()
    for token in rng.choice(some, 8):
        after, gain = fusion.extend(state, int(token))
        assert gain <= fusion.most(int(token)) + 1e-9
        if gain == -math.inf:
            return
        state = after


def test_a_rare_beginning_is_left_in_a_narrow_beam_as_in_a_wide_one() -> None:
    """To leave it gives back what stood in advance, which may be more than its letters take."""
    names = ["", "", "b", "ab", "</s>"]
    texts = [[0, *[2] * 40, 4], [0, 3, 4]]
    model = Backoff.of(KneserNey.fit(np.concatenate(texts).astype(np.int32), 1, 5), end=4)
    letters = letters_of(CHARACTERS)
    fusion = Words(model, names, spellings(names, CHARACTERS), letters, weight=2.0, unknown=-0.1)
    a = int(CHARACTERS.encode("a")[0])
    state, _ = fusion.extend(fusion.start(), a)
    assert 0 < fusion.extend(state, a)[1] <= fusion.most(a)
    # An "a", and a blank; then rather nothing than another "a", says the sound.
    log_p = np.log(np.array([[0, 0, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0], [0.6, 0, 0.3, 0.1, 0, 0]]) + 1e-9)
    wide, narrow = (Search(Beam(width=width, prune=0, margin=0), fusion) for width in (EVERYTHING.width, 1))
    for search in (wide, narrow):
        search.feed(log_p)
    assert wide.best(1, ended=False)[0].tokens == narrow.best(1, ended=False)[0].tokens == [a, a]


def test_a_lexicon_serves_every_weight() -> None:
    model, spell = language(), spellings(VOCABULARY, CHARACTERS)
    lexicon = Lexicon(model, spell)
    log_p = steps(30, 5, 1)
    for options in ({"weight": 0.3}, {"weight": 1.2, "bonus": 2.0}, {"closed": True}):
        found = []
        for words in (spell, lexicon):
            fusion = Words(model, VOCABULARY, words, letters_of(CHARACTERS), **options)  # type: ignore[arg-type]
            search = Search(Beam(width=5, best=5), fusion)
            search.feed(log_p)
            found.append(search.best())
        assert found[0] == found[1]


def test_what_goes_on_is_not_ended() -> None:
    """A text within a word is the best beginning, though a closed dictionary has no such word."""
    log_p = np.log(np.array([[0.01, 0, 0.99, 0, 0, 0], [0.01, 0, 0, 0.99, 0, 0]]) + 1e-6)
    fusion = Words(
        language(), VOCABULARY, {(97, 98, 98): [4], (97,): [2]}, letters_of(CHARACTERS), closed=True
    )
    search = Search(Beam(), fusion)
    search.feed(log_p)
    assert [CHARACTERS.decode(search.best(1, ended=ended)[0].tokens) for ended in (True, False)] == [
        "a",
        "ab",
    ]
    assert word_times(search.best(1, ended=False)[0], CHARACTERS, 1.0, fusion) == []


def test_times_of_words() -> None:
    numbers = CHARACTERS.encode("ab baa aa").tolist()
    frames = [3, 5, 6, 9, 10, 12, 20, 22, 23]
    chances = [0.9, 0.8, 0.1, 1, 1, 0.7, 0.2, 0.6, 0.5]
    one = Hypothesis(numbers, frames, chances, 0, 0)
    expected = [("ab", 3, 6, 0.8), ("baa", 9, 13, 0.7), ("aa", 22, 24, 0.5)]
    for fusion in (None, words()):
        found = word_times(one, CHARACTERS, 0.03, fusion)
        assert [(word.text, word.confidence) for word in found] == [(text, p) for text, *_, p in expected]
        assert [word.begin for word in found] == pytest.approx([0.03 * begin for _, begin, *_ in expected])
        assert [word.end for word in found] == pytest.approx([0.03 * end for *_, end, _ in expected])
    spaced = Hypothesis(CHARACTERS.encode(" a ").tolist(), [0, 1, 2], [1, 1, 1], 0, 0)
    assert [word.text for word in word_times(spaced, CHARACTERS, 1.0)] == ["a"]
    assert word_times(Hypothesis([], [], [], 0, 0), CHARACTERS, 0.03) == []


def test_words_of_phones_and_words_that_are_tokens() -> None:
    phones = Tokens(unit="words", tokens=(*FIRST, "hh", "ay", "|", "\n"))
    one = Hypothesis([2, 3, 4, 3], [0, 1, 2, 3], [1, 0.5, 1, 1], 0, 0)
    assert word_times(one, phones, 1.0) == [Word("hh ay", 0, 2, 0.5), Word("ay", 3, 4, 1)]
    commands = Tokens(unit="words", tokens=(*FIRST, "left", "right", "stop", "\n"))
    assert [word.text for word in word_times(one, commands, 1.0)] == ["left", "right", "stop", "right"]


def test_a_kept_search_knows_its_words() -> None:
    fusion, beam = words(), Beam(width=6)
    log_p = steps(60, 5, 3)
    whole, kept = Search(beam, fusion, separator=4), Search(beam, fusion, separator=4)
    whole.feed(log_p)
    for row in log_p:
        kept.feed(row)
        kept = Search.from_bytes(kept.to_bytes(), beam, fusion, separator=4)
    assert whole.best() == kept.best()
    assert word_times(whole.best()[0], CHARACTERS, 0.03, fusion)
