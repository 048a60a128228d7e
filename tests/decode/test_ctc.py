"""CTC's greedy and beam search, beside a search through every alignment that there is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import tensor
from torch.nn.functional import ctc_loss as torchs

from alignments import collapsed, ctc_loss, every_text
from recurra.decode import ctc, prefixes
from recurra.decode.ctc import Beam, Hypothesis, Search, greedy
from recurra.decode.fusion import Characters, Fusion
from recurra.decode.kneser_ney import KneserNey
from recurra.decode.ngrams import Backoff
from recurra.errors import ConfigError, DataError

UNKNOWN, END = 1, 5
EVERYTHING = Beam(width=100_000, prune=0, margin=0, best=100_000)


def steps(many: int, tokens: int = 5, seed: int = 0, sure: float = 1.0) -> np.ndarray:
    """Log chances (T, V) float32."""
    z = np.random.default_rng(seed).normal(size=(many, tokens)) * sure
    return (z - np.log(np.exp(z).sum(1, keepdims=True))).astype(np.float32)


def spoken(many: int, tokens: int = 30, seed: int = 0, rivals: int = 2) -> np.ndarray:
    """Steps as of a trained network: blanks, and here and there a token or one of so many."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(many, tokens))
    z[:, 0] += 9
    for at in np.flatnonzero(rng.random(many) < 0.4):
        z[at, rng.integers(2, tokens, rivals)] += rng.uniform(8, 14, rivals)
    return (z - np.log(np.exp(z).sum(1, keepdims=True))).astype(np.float32)


def model() -> Characters:
    """Trigrams of tokens 2 to 4, with 5 at each end."""
    rng = np.random.default_rng(1)
    texts = [[0, *rng.integers(2, 5, rng.integers(0, 5)), END] for _ in range(30)]
    counted = KneserNey.fit(np.concatenate(texts).astype(np.int32), 3, END + 1)
    return Characters(Backoff.of(counted, end=END), weight=0.7, bonus=0.9)


def added(fusion: Fusion, text: tuple[int, ...]) -> float:
    """What a language model adds to a text's score."""
    state, total = fusion.start(), 0.0
    for token in text:
        state, gain = fusion.extend(state, token)
        total += gain
    return total + fusion.end(state)


def found(log_p: np.ndarray, beam: Beam, fusion: Fusion | None = None) -> list[Hypothesis]:
    search = Search(beam, fusion)
    search.feed(log_p)
    return search.best()


@given(st.integers(0, 10_000), st.integers(1, 5), st.floats(0.2, 3.0))
@settings(max_examples=25, deadline=None)
def test_a_beam_that_holds_everything_is_every_alignment(seed: int, many: int, sure: float) -> None:
    log_p = steps(many, seed=seed, sure=sure)
    expected = every_text(log_p, never=[UNKNOWN])
    texts = found(log_p, EVERYTHING)
    assert {tuple(one.tokens) for one in texts} == expected.keys()
    logs = [one.logarithm for one in texts]
    assert logs == sorted(logs, reverse=True) == [one.score for one in texts]
    for one in texts:
        truth = expected[tuple(one.tokens)]
        assert one.logarithm == pytest.approx(math.log(truth.chance), rel=1e-9, abs=1e-9)
        assert tuple(one.frames) == truth.frames
        # The most that any step of the token's own gave it: the first, or one of those that repeat it.
        for frame, chance, token in zip(one.frames, one.chances, one.tokens, strict=True):
            assert any(chance == pytest.approx(math.exp(row[token])) for row in log_p[frame:])
            assert chance >= math.exp(log_p[frame, token]) - 1e-12


@given(st.integers(0, 10_000), st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_a_language_model_counts_for_every_text(seed: int, many: int) -> None:
    log_p, fusion = steps(many, seed=seed), model()
    expected = {
        text: math.log(one.chance) + added(fusion, text)
        for text, one in every_text(log_p, never=[UNKNOWN]).items()
    }
    texts = found(log_p, EVERYTHING, fusion)
    assert {tuple(one.tokens): one.score for one in texts} == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert [one.score for one in texts] == sorted(expected.values(), reverse=True) or np.allclose(
        [one.score for one in texts], sorted(expected.values(), reverse=True)
    )


@pytest.mark.parametrize("with_model", [False, True])
def test_a_narrow_beam_is_nearly_as_good(with_model: bool) -> None:
    fusion = model() if with_model else None
    same = 0
    for seed in range(20):
        log_p = steps(10, seed=seed, sure=4.0)
        wide, narrow = (found(log_p, Beam(width=w, prune=0, margin=0), fusion)[0] for w in (300, 8))
        assert narrow.score <= wide.score + 1e-9
        same += narrow.tokens == wide.tokens
    assert same >= 19


def test_what_is_not_tried_would_have_lost() -> None:
    """Pruning at its defaults leaves the best text as it is where the network is nearly sure."""
    for seed in range(10):
        log_p = spoken(60, seed=seed)
        pruned, whole = found(log_p, Beam())[0], found(log_p, Beam(width=16, prune=0, margin=0))[0]
        assert pruned.tokens == whole.tokens
        assert pruned.logarithm == pytest.approx(whole.logarithm, abs=0.05)


def test_pruned_tokens_are_not_written() -> None:
    log_p = np.log(np.array([[0.60, 0.0, 0.39, 0.01]]) + 1e-30)
    texts = {tuple(one.tokens) for one in found(log_p, Beam(prune=0.1, best=16))}
    assert texts == {(), (2,)}
    texts = {tuple(one.tokens) for one in found(log_p, Beam(margin=0.1, best=16))}
    assert texts == {(), (2,)}


def test_the_likeliest_way_is_taken_greedily() -> None:
    for seed in range(20):
        log_p = steps(9, seed=seed)
        likely = np.delete(log_p, UNKNOWN, 1).argmax(1)
        way = np.where(likely == 0, 0, likely + 1)
        one = greedy(log_p)
        text, frames = collapsed(way.tolist())
        assert (tuple(one.tokens), tuple(one.frames)) == (text, frames)
        assert one.logarithm == pytest.approx(log_p[np.arange(9), way].sum(dtype=np.float64))
    log_p = np.log([[0.2, 0.1, 0.7], [0.1, 0.0001, 0.8999], [0.9, 0.05, 0.05]])
    assert greedy(log_p).chances == pytest.approx([0.8999], rel=1e-6)
    assert greedy(np.zeros((0, 3))) == Hypothesis([], [], [], 0.0, 0.0)


def test_a_token_comes_twice_only_with_a_blank_between() -> None:
    sure = np.log(np.array([[0.01, 0, 0.99], [0.01, 0, 0.99], [0.99, 0, 0.01], [0.01, 0, 0.99]]) + 1e-30)
    (one,) = found(sure, Beam())
    assert (one.tokens, one.frames) == ([2, 2], [0, 3])
    (one,) = found(sure[:2], Beam())
    assert (one.tokens, one.frames) == ([2], [0])


def cut(log_p: np.ndarray, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    places = np.sort(rng.integers(0, len(log_p) + 1, rng.integers(0, 12)))
    return np.split(log_p, places)


@given(st.integers(0, 10_000), st.booleans(), st.booleans())
@settings(max_examples=25, deadline=None)
def test_chunks_and_kept_searches_are_the_whole(seed: int, with_model: bool, sure: bool) -> None:
    log_p = spoken(70, tokens=6, seed=seed) if sure else steps(40, tokens=6, seed=seed)
    fusion, beam = model() if with_model else None, Beam(width=7, best=7)
    whole, pieces, kept = (Search(beam, fusion) for _ in range(3))
    whole.feed(log_p)
    for piece in cut(log_p, seed):
        pieces.feed(piece)
        kept.feed(piece)
        raw = kept.to_bytes()
        assert len(raw) <= beam.room
        kept = Search.from_bytes(raw + b"\xff" * 9, beam, fusion)
        assert kept.best() == pieces.best()
        assert kept.to_bytes() == raw
    alone = Search(beam, fusion)
    for row in log_p:
        alone.feed(row)
    assert whole.best() == pieces.best() == kept.best() == alone.best()
    assert (whole.steps, whole.silent) == (kept.steps, kept.silent) == (len(log_p), alone.silent)


def test_zeros_are_a_search_that_has_seen_nothing() -> None:
    fresh = Search.from_bytes(bytes(Beam().room), Beam(), model())
    assert fresh.best() == Search(Beam(), model()).best()
    assert (fresh.steps, fresh.written) == (0, False)
    assert fresh.best()[0].tokens == []


def test_a_long_text_is_settled_from_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefixes, "MOST", 12)
    monkeypatch.setattr(ctc, "MOST", 12)
    log_p, fusion, beam = spoken(400, tokens=5, seed=3), model(), Beam(width=6)
    whole, kept = Search(beam, fusion), Search(beam, fusion)
    whole.feed(log_p)
    tokens, frames, befores = [], [], []
    for piece in np.array_split(log_p, 50):
        kept.feed(piece)
        part = kept.settled()
        if part:
            tokens += part.tokens
            frames += part.frames
            befores.append((part.before, len(tokens) - len(part.tokens)))
        assert kept.settled() is None
        assert len(kept.best()[0].tokens) <= 12
        raw = kept.to_bytes()
        assert len(raw) <= beam.room
        kept = Search.from_bytes(raw, beam, fusion)
    (one,), (rest,) = whole.best(), kept.best()
    assert len(befores) > 5
    assert one.tokens == tokens + rest.tokens
    assert one.frames == frames + rest.frames
    assert (one.score, one.logarithm) == (rest.score, rest.logarithm)
    for before, many in befores:
        state = fusion.start()
        for token in one.tokens[:many]:
            state, _ = fusion.extend(state, token)
        assert state == before
    # Settling late would have found hardly another text.
    monkeypatch.setattr(ctc, "MOST", 10_000)
    assert found(log_p, beam, fusion)[0].score == pytest.approx(one.score, abs=1)


def test_a_long_text_is_settled_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctc, "MOST", 12)
    log_p, search = spoken(400, tokens=6, seed=5), Search(Beam(width=6), separator=4)
    parts = []
    for row in log_p:
        search.feed(row)
        if part := search.settled():
            parts.append(part.tokens)
    assert len(parts) > 5
    assert sum(part[-1] == 4 for part in parts) > len(parts) / 2
    assert all(part[-1] == 4 for part in parts if 4 in part)


def test_what_was_not_taken_is_not_kept_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctc, "MOST", 4)
    search = Search()
    search.feed(spoken(100))
    with pytest.raises(AssertionError, match="settled"):
        search.to_bytes()
    assert search.best()[0].tokens[:2] == search.settled().tokens[:2]  # type: ignore[union-attr]


def test_silence_and_what_comes_after_it() -> None:
    fusion = model()
    word = np.log(np.array([[0.04, 0.01, 0.05, 0.9, 0.0, 0.0]]) + 1e-6)
    rest = np.log(np.array([[0.95, 0.01, 0.01, 0.01, 0.01, 0.01]]))
    search = Search(fusion=fusion)
    search.feed(np.repeat(rest, 20, 0))
    assert (search.silent, search.written) == (20, False)
    search.feed(np.concatenate([word, np.repeat(rest, 9, 0)]))
    assert (search.silent, search.written) == (9, True)
    search.feed(rest[0])
    assert search.silent == 10
    first = search.best()[0]
    assert (first.tokens, first.frames) == ([3], [20])
    search.restart()
    assert (search.silent, search.written, search.best()[0].tokens) == (0, False, [])
    search.feed(np.concatenate([word, rest]))
    again = search.best()[0]
    assert (again.tokens, again.frames) == ([3], [31])
    alone = found(np.concatenate([word, rest]), Beam(), fusion)[0]
    assert (again.score, again.chances) == (alone.score, alone.chances)


def test_chances_too_small_for_a_number_are_chances() -> None:
    log_p = np.repeat(steps(1, seed=2), 4000, 0) - 2.0  # as of a network that is never sure
    search = Search(Beam(width=4))
    search.feed(log_p)
    best = search.best()[0]
    assert np.isfinite(best.score)
    assert -20_000 < best.score < -8000
    nothing = np.full((3, 4), -100.0)
    nothing[:, 3] = -99
    assert found(nothing, Beam())[0].score < -290


def test_steps_at_which_no_chance_is_above_zero_are_ranked_all_the_same() -> None:
    likely = np.array([[-2.0, -9, -1], [-1, -9, -2], [-2, -9, -1]])
    for lower in (-1024.0, -65536.0):  # of which nothing is lost in float32
        # Either is likely, or the blank alone is, or the token.
        rare = np.concatenate([likely, [[-1, -9, -60]], likely, [[-60, -9, -1]]]) + lower
        texts, expected = found(rare, Beam(best=4)), found(rare - lower, Beam(best=4))
        assert [one.tokens for one in texts] == [one.tokens for one in expected]
        assert [one.frames for one in texts] == [one.frames for one in expected]
        assert [one.score for one in texts] == pytest.approx([one.score + 8 * lower for one in expected])
    assert found(np.array([[-900.0, -900, -1000]]), Beam())[0].logarithm == pytest.approx(-900)


def test_a_step_at_which_nothing_can_be_written_is_left_out() -> None:
    class Mute(Characters):
        def extend(self, state: tuple[int, ...], token: int) -> tuple[tuple[int, ...], float]:
            return state, -math.inf

    log_p = np.full((2, 4), -np.inf)
    log_p[0, 2], log_p[1, 0] = 0, 0
    (one,) = found(log_p, Beam(), Mute(model().model))
    assert (one.tokens, one.logarithm) == ([], 0)


def test_equal_texts_come_in_the_order_of_their_tokens() -> None:
    log_p = np.full((3, 6), -math.log(6), dtype=np.float32)
    for beam in (Beam(width=3, best=3), EVERYTHING):
        texts = [one.tokens for one in found(log_p, beam)]
        assert texts == [one.tokens for one in found(log_p, beam)]
    assert [one.tokens for one in found(log_p[:1], Beam(best=5))] == [[], [2], [3], [4], [5]]


def test_torch_has_the_loss_of_every_alignment() -> None:
    """The truth of tests of models, itself beside torch's."""
    for seed, target in enumerate([[2], [2, 2], [3, 2, 4], [], [4, 4, 4]]):
        log_p = steps(5, seed=seed)
        theirs = torchs(
            tensor(log_p).double()[:, None],
            tensor([target]),
            tensor([5]),
            tensor([len(target)]),
            reduction="sum",
        )
        assert ctc_loss(log_p, target) == pytest.approx(float(theirs), rel=1e-9)
    assert ctc_loss(steps(2), [2, 2]) == math.inf


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_steps_that_are_no_numbers_are_refused(wrong: float) -> None:
    log_p = steps(4)
    log_p[2, 3] = wrong
    for what in (greedy, Search().feed):
        with pytest.raises(DataError, match=r"of each step finite, got (nan|inf) at step 2\. Look"):
            what(log_p)
    log_p[2] = -np.inf
    with pytest.raises(DataError, match="got -inf at step 2"):
        greedy(log_p)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"width": 0}, "expected the beam width to be 1 or more, got 0. Give another number."),
        ({"prune": 1}, "expected the share of pruned tokens to be 0 or more, and below 1, got 1."),
        ({"margin": -0.1}, "expected the share of dropped texts to be 0 or more, and below 1, got -0.1."),
        ({"best": 17}, "expected the number of best texts from 1 to 16, got 17."),
    ],
)
def test_what_no_search_can_do_is_refused(options: dict[str, float], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Beam(**options)  # type: ignore[arg-type]
