"""Kneser-Ney n-grams, beside the formula written out with dictionaries, and what any such model must do."""

from collections import Counter
from math import log

import numpy as np
import pytest

from recurra.decode import kneser_ney
from recurra.decode.kneser_ney import KneserNey, discounts

SIZE = 14


class Written:
    """Chen & Goodman's formula, token by token. tokens: a list in which 0 begins documents."""

    def __init__(self, tokens, order, size):
        self.size, self.order = size, order
        raw = Counter()
        for n in range(1, order + 1):
            for end in range(n, len(tokens) + 1):
                gram = tuple(tokens[end - n : end])
                if 0 not in gram[1:] and gram != (0,):
                    raw[gram] += 1
        self.counts = {}
        for gram, many in raw.items():
            before = sum((v, *gram) in raw for v in range(size)) if len(gram) < order else 0
            self.counts[gram] = before or many
        self.taken = {}
        for n in range(1, order + 1):
            n1, n2, n3, n4 = (
                sum(len(gram) == n and many == k for gram, many in self.counts.items()) for k in (1, 2, 3, 4)
            )
            self.taken[n] = {0: 0.0, 1: 0.5, 2: 1.0, 3: 1.5}
            if n1 and n2 and n3:
                y = n1 / (n1 + 2 * n2)
                found = {0: 0.0, 1: 1 - 2 * y * n2 / n1, 2: 2 - 3 * y * n3 / n2, 3: 3 - 4 * y * n4 / n3}
                if min(found[1], found[2], found[3]) > 0:
                    self.taken[n] = found

    def chance(self, token, context):
        shorter = self.chance(token, context[1:]) if context else 1 / (self.size - 1)
        after = {v: self.counts[(*context, v)] for v in range(1, self.size) if (*context, v) in self.counts}
        if not after:
            return shorter
        taken = {v: self.taken[len(context) + 1][min(many, 3)] for v, many in after.items()}
        share = after.get(token, 0) - taken.get(token, 0)
        return (share + sum(taken.values()) * shorter) / sum(after.values())

    def surprise(self, tokens):
        found = []
        for at in range(1, len(tokens)):
            first = max(n for n in range(at) if n == 0 or tokens[n] == 0)
            context = tuple(tokens[max(first, at - self.order + 1) : at])
            found.append(-log(self.chance(tokens[at], context)) if tokens[at] else 0.0)
        return found


def sentences(many, seed=0, size=SIZE):
    """Documents in which each token depends on the one before it; the last two numbers are rare."""
    rng = np.random.default_rng(seed)
    likely = rng.dirichlet(np.full(size - 3, 0.4), size)
    found = []
    for _ in range(many):
        found.append(0)
        for _ in range(rng.integers(0, 9)):
            rare = rng.random() < 0.02
            found.append(size - 1 if rare else 2 + int(rng.choice(size - 3, p=likely[found[-1]])))
    return np.array(found, dtype=np.int32)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("many", [8, 150])
def test_it_is_the_formula(order, many):
    text, other = sentences(many), np.append(sentences(60, seed=1), [1, 5, 1, 1]).astype(np.int32)
    found = KneserNey.fit(text, order, SIZE)
    written = Written(text.tolist(), order, SIZE)
    for n, taken in enumerate(found.discounts, 1):
        assert taken == pytest.approx([written.taken[n][k] for k in (1, 2, 3)])
    np.testing.assert_allclose(found.surprise(other), written.surprise(other.tolist()), rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_chances_add_up_to_one(order):
    text = sentences(150)
    found = KneserNey.fit(text, order, SIZE)
    contexts = [0], [5], [1], [0, 3, 4], [0, SIZE - 1], [1, 2, 1, 5], text[:7].tolist(), text[-3:].tolist()
    for context in contexts:
        tried = np.array([[*context, token] for token in range(1, SIZE)])
        chances = [np.exp(-found.surprise(row)[-1]) for row in tried]
        assert min(chances) > 0
        assert sum(chances) == pytest.approx(1, abs=1e-6)


def test_what_follows_one_token_alone_is_no_likelier_elsewhere():
    """The idea of Kneser and Ney: half a name is frequent, and yet stands after the other half only."""
    half, other, everywhere = 2, 3, 4
    text = [0]
    for before in (5, 6, 7, 8, 9, 10) * 5:
        text += [before, everywhere, other, half]
    found = KneserNey.fit(np.array(text), 2, SIZE)
    after_new = {token: found.surprise(np.array([11, token]))[0] for token in (half, everywhere)}
    assert after_new[everywhere] < after_new[half] - 0.5
    assert found.surprise(np.array([other, half]))[0] < 0.2


def test_no_gram_reaches_over_a_border():
    found = KneserNey.fit(sentences(150), 4, SIZE)
    one = found.surprise(np.array([0, 3, 4, 5, 0, 6, 7]))
    other = found.surprise(np.array([0, 8, 2, 9, 0, 6, 7]))
    assert one[3] == other[3] == 0
    np.testing.assert_array_equal(one[4:], other[4:])
    np.testing.assert_array_equal(one[4:], found.surprise(np.array([0, 6, 7])))


def test_unknown_tokens_get_what_is_left_over():
    found = KneserNey.fit(sentences(150), 3, SIZE)
    never = [token for token in range(1, SIZE) if token not in sentences(150)]
    assert 1 in never
    nats = [found.surprise(np.array([0, 4, token]))[-1] for token in never]
    assert np.isfinite(nats).all()
    assert len(set(nats)) == 1


def test_pieces_are_seamless(monkeypatch):
    found, text = KneserNey.fit(sentences(150), 4, SIZE), sentences(60, seed=1)
    whole = found.surprise(text)
    for length in (1, 2, 7):
        monkeypatch.setattr(kneser_ney, "PIECE", length)
        np.testing.assert_array_equal(found.surprise(text), whole)


def test_only_the_end_of_a_long_text_is_counted(monkeypatch):
    monkeypatch.setattr(kneser_ney, "MOST_TOKENS", 200)
    text, other = sentences(150), sentences(60, seed=1)
    found = KneserNey.fit(text, 3, SIZE)
    assert found.tokens == 200
    np.testing.assert_array_equal(found.surprise(other), KneserNey.fit(text[-200:], 3, SIZE).surprise(other))


def test_tokens_on_disk_are_the_same(tmp_path):
    text, other = sentences(150), sentences(60, seed=1)
    text.astype(np.uint16).tofile(tmp_path / "tokens")
    found = KneserNey.fit(np.memmap(tmp_path / "tokens", dtype=np.uint16, mode="r"), 3, SIZE)
    expected = KneserNey.fit(text, 3, SIZE).surprise(other)
    np.testing.assert_array_equal(found.surprise(other.astype(np.uint16)), expected)


def test_short_texts_have_short_grams():
    assert KneserNey.fit(np.array([0, 5, 6, 7]), 8, SIZE).order == 4
    assert KneserNey.fit(np.array([0, 5, 0, 6, 0]), 8, SIZE).order == 2
    for nothing in ([], [0], [0, 0]):
        found = KneserNey.fit(np.array(nothing, dtype=np.int32), 5, SIZE)
        assert found.order == 1
        np.testing.assert_allclose(found.surprise(np.array([0, 3, 1])), np.log(SIZE - 1), rtol=1e-6)
    assert len(found.surprise(np.array([0]))) == 0
    assert len(found.surprise(np.array([], dtype=np.int32))) == 0


def test_discounts_by_hand():
    counts = np.repeat([1, 2, 3, 4, 9], [12, 6, 3, 2, 5])
    y = 12 / 24
    assert discounts(counts) == pytest.approx((1 - 2 * y * 6 / 12, 2 - 3 * y * 3 / 6, 3 - 4 * y * 2 / 3))


@pytest.mark.parametrize("counts", [[], [1, 1, 2, 2], [2, 3, 4], [40, 50], [1, 2, 3, 4, 4, 4, 4, 4]])
def test_discounts_where_counts_of_counts_give_none(counts):
    assert discounts(counts) == (0.5, 1.0, 1.5)
