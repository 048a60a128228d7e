"""The baselines beside scikit-learn, and what they make of odd data."""

import numpy as np
import pytest
from judging import reviews, waves

from recurra.data.ragged import Ragged
from recurra.tasks.classify import baselines
from recurra.tasks.classify.baselines import counted, majority, nearest

pytest.importorskip("sklearn", reason="needs the extra [text]")


def test_majority_gives_the_shares_of_the_classes():
    found = majority(np.array([0, 0, 0, 1, -1]), 3, 2).found
    np.testing.assert_allclose(found, [[3.5 / 5.5, 1.5 / 5.5, 0.5 / 5.5]] * 2)
    several = majority(np.array([[1.0, 0.0], [1.0, np.nan]]), 2, 1).found
    np.testing.assert_allclose(several, [[2.5 / 3, 0.25]])


def test_counted_words_find_a_word_that_decides():
    data = reviews()
    texts, y = data.examples.texts, data.examples.y
    for unit in ("words", "characters"):
        one = counted(texts[:100], y[:100], texts[100:], 2, unit=unit, seed=0)
        assert one.notes == ()
        np.testing.assert_allclose(one.found.sum(1), 1)
        assert 0.8 < (one.found.argmax(1) == y[100:]).mean() < 0.99


def test_counted_characters_tell_beginnings_from_ends():
    rng = np.random.default_rng(0)
    middle = ["".join(rng.choice(list("bcdfg"), 5)) for _ in range(120)]
    y = np.arange(120) % 2
    texts = [f"a{part}o" if label else f"o{part}a" for part, label in zip(middle, y, strict=True)]
    one = counted(texts[:60], y[:60], texts[60:], 2, unit="characters", seed=0)
    assert (one.found.argmax(1) == y[60:]).all()


def test_classes_without_an_example_and_one_class_alone_still_have_probabilities():
    one = counted(["a b", "c d", "a c"], np.array([0, 2, -1]), ["a", ""], 4, unit="words", seed=0)
    np.testing.assert_allclose(one.found.sum(1), 1)
    assert (one.found > 0).all()
    alone = counted(["a b", "c d"], np.array([1, 1]), ["a"], 2, unit="words", seed=0)
    np.testing.assert_allclose(alone.found, [[0.5 / 3, 2.5 / 3]])


def test_texts_without_a_word_are_told_apart_by_shares_alone():
    one = counted(["", " "], np.array([0, 1]), ["", "new"], 2, unit="words", seed=0)
    np.testing.assert_allclose(one.found, 0.5)


def test_several_labels_are_counted_one_by_one():
    data = reviews(right=1.0)
    texts, y = data.examples.texts, data.examples.y
    labels = np.stack([y, 1 - y, np.ones(len(y))], 1).astype(float)
    labels[0, 0] = np.nan
    found = counted(texts[:100], labels[:100], texts[100:], 3, unit="words", seed=0).found
    assert ((found >= 0.5) == labels[100:].astype(bool)).mean() > 0.95


def test_too_much_text_is_sampled_and_told(monkeypatch):
    monkeypatch.setattr(baselines, "MOST_WORK", 300)
    data = reviews()
    texts, y = data.examples.texts, data.examples.y
    one = counted(texts[:100], y[:100], texts[100:], 2, unit="words", seed=0)
    again = counted(texts[:100], y[:100], texts[100:], 2, unit="words", seed=0)
    assert "was fitted on" in one.notes[0]
    assert "of the 100 training examples, drawn with a fixed seed" in one.notes[0]
    np.testing.assert_array_equal(one.found, again.found)


def padded(sequences, length, mean, deviation):
    rows = np.zeros((len(sequences), length, 3))
    for row, n in zip(rows, range(len(sequences)), strict=True):
        one = np.nan_to_num((sequences[n] - mean) / deviation)[:length]
        row[: len(one)] = one
    return rows.reshape(len(sequences), -1)


@pytest.mark.parametrize("block", [7, 2000])
def test_the_nearest_neighbour_is_that_of_scikit_learn(monkeypatch, block):
    from sklearn.neighbors import KNeighborsClassifier  # noqa: PLC0415

    monkeypatch.setattr(baselines, "BLOCK", block)
    data = waves()
    x, y = data.examples.x, data.examples.y
    x.values[::17, 1] = np.nan
    train, test = x.take(np.arange(40)), x.take(np.arange(40, 60))
    mean, deviation = np.nanmean(train.values, 0), np.nanstd(train.values, 0)
    length = int(train.lengths.max())
    knn = KNeighborsClassifier(1).fit(padded(train, length, mean, deviation), y[:40])
    one = nearest(train, y[:40], test, 3, seed=0)
    assert (one.found.argmax(1) == knn.predict(padded(test, length, mean, deviation))).all()
    np.testing.assert_allclose(one.found.sum(1), 1)


def test_a_neighbour_is_believed_as_far_as_neighbours_agree():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    noise = Ragged.of(list(rng.normal(size=(200, 5, 1)).astype(np.float32)))
    assert nearest(noise, y, noise, 2, seed=0).found.max() < 0.85
    apart = Ragged.of(list((y[:, None, None] * 9 + rng.normal(size=(200, 5, 1))).astype(np.float32)))
    assert nearest(apart, y, apart, 2, seed=0).found.max() > 0.98


def test_odd_series_have_a_neighbour_too():
    y = np.array([0, 1, -1])
    x = [np.zeros((0, 2)), np.full((3, 2), np.nan), np.ones((2, 2))]
    some = Ragged.of([one.astype(np.float32) for one in x])
    found = nearest(some, y, some, 2, seed=0).found
    np.testing.assert_allclose(found.sum(1), 1)
    none = nearest(some, np.full(3, -1), some, 2, seed=0).found
    np.testing.assert_allclose(none, 0.5)
    single = nearest(some.take(np.array([0])), np.array([1]), some, 2, seed=0).found
    assert (single.argmax(1) == 1).all()


def test_several_labels_are_a_neighbours():
    rng = np.random.default_rng(0)
    y = (rng.random((60, 2)) < 0.5).astype(float)
    x = Ragged.of([(9 * one + rng.normal(size=(4, 2))).astype(np.float32) for one in y])
    found = nearest(x.take(np.arange(30)), y[:30], x.take(np.arange(30, 60)), 2, seed=0).found
    assert ((found >= 0.5) == (y[30:] == 1)).all()


def test_too_many_series_are_sampled_and_told(monkeypatch):
    monkeypatch.setattr(baselines, "MOST_PRODUCTS", 500_000)
    data = waves()
    x, y = data.examples.x, data.examples.y
    one = nearest(x.take(np.arange(40)), y[:40], x.take(np.arange(40, 60)), 3, seed=0)
    assert one.notes == (
        "Nearest neighbour was fitted on 10 of the 40 training examples, drawn with a fixed seed, "
        "to keep the time it takes within bounds.",
    )
