"""N-grams step by step, beside the counted ones, and beside files of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.decode import ngrams
from recurra.decode.kneser_ney import KneserNey
from recurra.decode.ngrams import Backoff

SIZE, NEWLINE = 9, 2


def lines(many: int, seed: int = 0) -> np.ndarray:
    """Texts in which each token depends on the one before it: 0 begins, 2 ends them, 8 does not occur."""
    rng = np.random.default_rng(seed)
    likely = rng.dirichlet(np.full(SIZE - 4, 0.4), SIZE)
    found = []
    for _ in range(many):
        text = [0]
        for _ in range(rng.integers(0, 9)):
            text.append(3 + int(rng.choice(SIZE - 4, p=likely[text[-1]])))
        found += [*text, NEWLINE]
    return np.array(found, dtype=np.int32)


@pytest.mark.parametrize("order", [1, 2, 3, 6])
@pytest.mark.parametrize("many", [3, 80])
def test_steps_are_what_the_counted_model_says(order: int, many: int) -> None:
    counted = KneserNey.fit(lines(many), order, SIZE)
    model = Backoff.of(counted, end=NEWLINE)
    assert model.order == counted.order
    other = np.append(lines(60, seed=1), [0, 1, 8, 5, 1, 1, NEWLINE])
    texts = np.split(other, np.flatnonzero(other == 0))[1:]
    found = [one for text in texts for one in (0.0, *model.logarithms(text[1:-1]))]
    np.testing.assert_allclose(-np.array(found)[1:], counted.surprise(other), rtol=1e-5, atol=1e-6)


@given(st.lists(st.integers(1, SIZE - 1), max_size=12))
def test_chances_of_what_may_follow_add_up_to_one(text: list[int]) -> None:
    model = MODEL
    state = model.start()
    for token in text:
        state, _ = model.step(state, token)
    chances = np.exp([model.step(state, token)[1] for token in range(1, SIZE)])
    assert chances.sum() == pytest.approx(1, abs=1e-5)


MODEL = Backoff.of(KneserNey.fit(lines(80), 4, SIZE), end=NEWLINE)


def test_states_that_say_the_same_are_the_same() -> None:
    """All that is remembered is what some n-gram begins with."""
    model = Backoff.of(KneserNey.fit(np.array([0, 3, 4, 5, 0, 6, 4, 7]), 4, SIZE))
    states = set()
    for first in (1, 8):
        state, _ = model.step(model.start(), first)
        states.add(model.step(state, 5)[0])
    assert len(states) == 1


def test_arrays_are_all_there_is() -> None:
    arrays = MODEL.arrays()
    assert {name: one.dtype.name for name, one in arrays.items()} == {
        "keys": "int64",
        "log_p": "float32",
        "back_off": "float32",
        "shorter": "int32",
        "sizes": "int64",
    }
    again = Backoff.from_arrays(arrays)
    text = lines(20, seed=3)
    assert again.logarithms(text) == MODEL.logarithms(text)
    assert (again.end, again.begin, again.size, len(again)) == (NEWLINE, 0, SIZE, len(MODEL))
    assert Backoff.from_arrays(Backoff.of(KneserNey.fit(text, 2, SIZE)).arrays()).end is None


def test_nothing_counted_is_a_model_too() -> None:
    model = Backoff.of(KneserNey.fit(np.zeros(0, dtype=np.int32), 3, SIZE))
    np.testing.assert_allclose(model.logarithms([3, 1, 20]), -np.log(SIZE - 1), rtol=1e-6)


def test_a_model_without_a_chance_of_the_unknown_gives_it_none() -> None:
    one = (
        np.array([5], dtype=np.int64),
        np.zeros(1, np.float32),
        np.zeros(1, np.float32),
        np.zeros(1, np.int32),
    )
    model = Backoff(*one, size=SIZE)
    assert model.start() == 0
    assert model.logarithms([5, 4, 5]) == [0, -np.inf, 0]


def test_what_was_forgotten_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    text = lines(20, seed=4)
    expected = MODEL.logarithms(text)
    monkeypatch.setattr(ngrams, "REMEMBERED", 3)
    assert Backoff.from_arrays(MODEL.arrays()).logarithms(text) == expected
