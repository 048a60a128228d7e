"""What is counted: n-grams and shapes, whole and while they are read."""

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from reading import VOWELS, read, reviews
from sklearn.feature_extraction.text import TfidfVectorizer

from recurra.data.vocabulary import split_text
from recurra.tasks.classify.grams import Grams
from recurra.tasks.classify.shapes import Shapes


@pytest.fixture(scope="module")
def texts():
    return read(reviews(60), test=0)


def dense(features):
    found = np.zeros(features.shape)
    found[features.row, features.column] = features.value
    return found


def test_weights_of_words_are_tf_idf(texts):
    """As scikit-learn's with the same counts, where no two n-grams share a place."""
    grams = Grams(texts.schema)
    x = texts.examples.x.take(texts.train)
    grams.inside = grams.inside[:, :0]  # words and pairs of words alone
    with torch.no_grad():
        ours = dense(grams.learn(x, 0)[0])
    words = [split_text(texts.examples.texts[n].lower(), "words") for n in texts.train]
    assert all(w in set(texts.schema.tokens) for one in words for w in one)
    counted = TfidfVectorizer(
        analyzer=lambda one: [*one, *map(" ".join, pairwise(["^", *one, "$"]))], min_df=2
    )
    theirs = counted.fit_transform(words).toarray()
    most = theirs.shape[1]
    np.testing.assert_allclose(np.sort(ours, 1)[:, -most:], np.sort(theirs, 1), atol=1e-6)


@pytest.mark.parametrize("unit", ["words", "characters"])
def test_after_the_last_step_a_stream_has_the_answer(unit):
    data = read(reviews(60), test=0, unit=unit)
    grams = Grams(data.schema)
    x = data.examples.x
    with torch.no_grad():
        features, kept = grams.learn(x, 0)
        torch.nn.init.normal_(grams.weight)
        torch.nn.init.normal_(grams.bias)
        inputs, lengths = x.padded(np.arange(len(x)))
        whole = grams(inputs, lengths)
        np.testing.assert_allclose(whole, features.times(grams.weight[kept]) + grams.bias, atol=2e-5)
        for n in (0, 7):
            alone = grams.running(inputs[n : n + 1, : int(lengths[n])])
            torch.testing.assert_close(alone[0, -1], whole[n])
            half = int(lengths[n]) // 2
            first = grams.running(inputs[n : n + 1, :half])
            torch.testing.assert_close(first[0], alone[0, :half])


def test_n_grams_of_letters_are_counted():
    data = read(reviews(60), test=0, unit="characters")
    grams = Grams(data.schema)
    (places,), closing = grams.grams(torch.from_numpy(data.examples.x[0]).long()[None])
    text = data.examples.texts[0]
    assert places.shape == (1, len(text), 5)
    assert closing.shape == (1, len(text), 4)
    for order in range(1, 6):
        of = [f"^{text}"[max(0, at - order + 2) : at + 2] for at in range(len(text))]
        same = Counter((piece, int(p)) for piece, p in zip(of, places[0, :, order - 1], strict=True))
        whole = {piece: p for piece, p in same if len(piece) == order}
        assert len(set(whole.values())) >= 0.98 * len(whole)  # a place for each, but for chance
        assert all(p == 0 for piece, p in same if len(piece) < order)


@pytest.fixture(scope="module")
def vowels():
    return read(VOWELS)


def test_shapes_are_the_papers(vowels):
    """The share of steps at which a kernel's output is above a threshold, by its definition."""
    shapes = Shapes(vowels.schema)
    x = vowels.examples.x
    with torch.no_grad():
        shapes.learn(x.take(vowels.train), 0)
        inputs, lengths = x.padded(vowels.test[:4])
        found = shapes.shares(inputs, lengths).unflatten(1, (-1, shapes.thresholds.shape[1]))
    for row, n in enumerate(vowels.test[:4]):
        series = x[int(n)]
        for k in (0, 50, 84 + 3):
            kernel = shapes.kernels[k].numpy()
            dilation = shapes.dilations[k // 84]
            output = [
                sum(
                    float(kernel[:, tap] @ series[t - (8 - tap) * dilation])
                    for tap in range(9)
                    if t >= (8 - tap) * dilation
                )
                for t in range(len(series))
            ]
            for level in range(4):
                share = np.mean([one > float(shapes.thresholds[k, level]) for one in output])
                assert math.isclose(share, float(found[row, k, level]), abs_tol=1.01 / len(series))


def test_shapes_while_they_are_read(vowels):
    shapes = Shapes(vowels.schema)
    x = vowels.examples.x
    with torch.no_grad():
        features, _ = shapes.learn(x.take(vowels.train), 0)
        torch.nn.init.normal_(shapes.weight)
        torch.nn.init.normal_(shapes.bias)
        inputs, lengths = x.padded(vowels.test[:5])
        whole, running = shapes(inputs, lengths), shapes.running(inputs)
        again = shapes(*x.padded(vowels.train[:5]))
        first = features.take(np.arange(5)).times(shapes.weight) + shapes.bias
        torch.testing.assert_close(first, again, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(running[torch.arange(5), lengths - 1], whole, atol=1e-4, rtol=1e-4)
        short = int(lengths[0]) // 2
        torch.testing.assert_close(
            shapes.running(inputs[:1, :short])[0], running[0, :short], atol=1e-4, rtol=1e-4
        )
