"""Tokens are drawn as often as they should be, and the same ones for the same seed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from recurra.decode.sampling import Sampler, Sampling
from recurra.errors import ConfigError

DRAWS = 6_000
SCORES = np.random.default_rng(1).normal(size=12).astype(np.float32) * 2


def softmax(z: Any) -> Any:
    p = np.exp(np.asarray(z, dtype=np.float64) - np.max(z))
    return p / p.sum()


def drawn(scores: Any, seed: int = 0, forbidden: tuple[int, ...] = (), **options: Any) -> Any:
    """How often each token was drawn."""
    sampler = Sampler(Sampling(**options), seed, forbidden)
    return np.bincount([sampler(scores) for _ in range(DRAWS)], minlength=len(scores))


def assert_drawn_by(chances: Any, counts: Any) -> None:
    """Pearson's chi-square: below the value that one in a thousand exceeds (Wilson & Hilferty 1931)."""
    possible = chances > 0
    assert not counts[~possible].any()
    expected = chances[possible] * DRAWS
    freedom = possible.sum() - 1
    if not freedom:
        return
    limit = freedom * (1 - 2 / (9 * freedom) + 3.09 * math.sqrt(2 / (9 * freedom))) ** 3
    assert ((counts[possible] - expected) ** 2 / expected).sum() < limit


@pytest.mark.parametrize("temperature", [1.0, 0.6, 2.5])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_draws_follow_the_chances(temperature: float, kind: Any) -> None:
    scores = SCORES.astype(kind) + 30  # their zero point does not matter
    assert_drawn_by(softmax(SCORES / temperature), drawn(scores, temperature=temperature))


@pytest.mark.parametrize("temperature", [0, 1e-30])
def test_at_zero_the_likeliest_is_taken(temperature: float) -> None:
    sampler = Sampler(Sampling(temperature))
    assert {sampler(SCORES) for _ in range(5)} == {int(SCORES.argmax())}


def test_the_same_seed_the_same_tokens() -> None:
    first, again, other = (Sampler(Sampling(), seed) for seed in (3, 3, 4))
    rows = np.random.default_rng(0).normal(size=(50, 9))
    tokens = [[sampler(row) for row in rows] for sampler in (first, again, other)]
    assert tokens[0] == tokens[1] != tokens[2]


def test_scores_are_left_as_they_are() -> None:
    scores = SCORES.copy()
    sampler = Sampler(Sampling(0.8, top_k=5, top_p=0.9, penalty=1.3), forbidden=(0,))
    for _ in range(10):
        sampler(scores)
    assert (scores == SCORES).all()


@pytest.mark.parametrize("k", [1, 3, 11, 12, 500])
def test_only_the_k_likeliest(k: int) -> None:
    kept = np.argsort(np.argsort(-SCORES)) < k
    expected = softmax(np.where(kept, SCORES, -np.inf))
    assert_drawn_by(expected, drawn(SCORES, top_k=k))


def test_of_equal_scores_just_k_are_kept() -> None:
    assert (drawn(np.zeros(6, dtype=np.float32), top_k=2) > 0).sum() == 2


@pytest.mark.parametrize("share", [1e-9, 0.3, 0.75, 0.999])
def test_the_nucleus_is_the_fewest_tokens_with_that_chance(share: float) -> None:
    p = softmax(SCORES)
    order = np.argsort(-p)
    many = int((np.cumsum(p[order]) < share).sum()) + 1
    expected = np.zeros(12)
    expected[order[:many]] = p[order[:many]] / p[order[:many]].sum()
    assert_drawn_by(expected, drawn(SCORES, top_p=share))


def test_the_nucleus_is_of_the_k_likeliest_at_that_temperature() -> None:
    order = np.argsort(-SCORES)[:4]
    p = softmax(SCORES[order] / 2)
    many = int((np.cumsum(p) < 0.6).sum()) + 1
    expected = np.zeros(12)
    expected[order[:many]] = p[:many] / p[:many].sum()
    assert_drawn_by(expected, drawn(SCORES, temperature=2.0, top_k=4, top_p=0.6))


def test_what_was_seen_becomes_less_likely_whatever_the_zero_point() -> None:
    p = softmax(SCORES)
    expected = p.copy()
    expected[[2, 7]] **= 1.5
    expected /= expected.sum()
    for shift in (-40, 0, 40):
        counts = np.zeros(12)
        sampler = Sampler(Sampling(penalty=1.5, window=2), 1)
        for _ in range(DRAWS):
            sampler.see((9, 2, 7))  # 9 is further back than the window
            counts[sampler(SCORES + np.float32(shift))] += 1
        assert_drawn_by(expected, counts)


def test_what_was_drawn_is_seen() -> None:
    scores = np.log(np.array([0.4, 0.35, 0.25]))
    sampler = Sampler(Sampling(temperature=0, penalty=3, window=2))
    assert [sampler(scores) for _ in range(6)] == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize("options", [{}, {"temperature": 0}, {"top_k": 11}, {"top_p": 0.99}, {"penalty": 2}])
def test_the_forbidden_is_never_drawn(options: dict[str, Any]) -> None:
    likeliest = tuple(np.argsort(-SCORES)[:3])
    sampler = Sampler(Sampling(**options), forbidden=likeliest)
    assert not {sampler(SCORES) for _ in range(300)} & set(likeliest)


def test_a_rare_token_is_neither_lost_nor_favoured() -> None:
    """Of 50,000 tokens, each but the first as likely: sums of float32 would lose many."""
    scores = np.zeros(50_000, dtype=np.float32)
    scores[0] = np.log(50_000 - 1)
    sampler = Sampler(Sampling(), 2)
    tokens = np.array([sampler(scores) for _ in range(2000)])
    assert abs((tokens == 0).mean() - 0.5) < 0.05
    others = tokens[tokens > 0]
    assert abs(others.mean() / 25_000 - 1) < 0.05
    assert others.max() > 49_000


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"temperature": -0.1},
            "expected the temperature to be 0 or more, got -0.1. Give another temperature.",
        ),
        ({"temperature": math.nan}, "expected the temperature to be 0 or more, got nan."),
        ({"temperature": math.inf}, "expected the temperature to be 0 or more, got inf."),
        ({"top_k": 0}, "expected the top-k to be 1 or more, got 0. Give another top-k."),
        ({"top_p": 0}, "expected the top-p to be above 0, and at most 1, got 0. Give another top-p."),
        ({"top_p": 1.5}, "expected the top-p to be above 0, and at most 1, got 1.5."),
        (
            {"penalty": 0.9},
            "expected the repetition penalty to be 1 or more, got 0.9. Give another repetition penalty.",
        ),
        (
            {"window": 0},
            "expected the repetition window to be 1 or more, got 0. Give another repetition window.",
        ),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as error:
        Sampling(**options)
    assert str(error.value).startswith(words)


def test_scores_that_are_no_numbers() -> None:
    scores = SCORES.copy()
    scores[3] = np.nan
    with pytest.raises(ConfigError, match=r"expected finite scores of tokens, got a sum of nan\. Fit the"):
        Sampler(Sampling())(scores)
