"""Influence on planted cases: one word that decides, a bump at a known place that decides."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from planted import Small, bumps_that_decide, trained, words_that_decide

from recurra.data.ragged import Ragged
from recurra.tasks.classify import influence
from recurra.tasks.classify.influence import PASSES, gradient, occlusion

WIDE = 6


@pytest.fixture(scope="module")
def reader():
    """A model that reads words."""
    x, y, _ = words_that_decide(800)
    torch.manual_seed(1)
    return trained(Small(24, output="mean"), x, y, 300)


@pytest.fixture(scope="module")
def watcher():
    """A model that looks for bumps."""
    x, y, _ = bumps_that_decide(wide=WIDE)
    torch.manual_seed(1)
    return trained(Small(output="mean"), x, y, 120)


def hits(method, model, x, place, wide=1):
    """Share of sequences whose most influential step is where it was planted."""
    found = method(model, x, np.arange(len(x)), several=False)
    return np.mean([at <= one.argmax() < at + wide for one, at in zip(found, place, strict=True)])


def test_the_word_that_decides_is_found(reader):
    x, y, place = words_that_decide(40, seed=5)
    with torch.no_grad():
        assert (reader(*x.padded(np.arange(40))).argmax(1).numpy() == y).all()
    assert hits(occlusion, reader, x, place) >= 0.9
    assert hits(gradient, reader, x, place) >= 0.7


class Weighing(torch.nn.Module):
    """Adds up what each token is worth: small numbers, and much for token 2."""

    def __init__(self):
        super().__init__()
        worth = torch.randn(24, generator=torch.Generator().manual_seed(0)) / 10
        worth[2] = 2.0
        self.register_buffer("worth", worth[:, None])

    def embed(self, x):
        return self.worth[x]

    def classify(self, embedded, lengths, x):
        total = embedded.sum(1)
        return torch.cat([total, 0 * total], 1)


@pytest.mark.parametrize("steps", [65, 500, 2000])
def test_the_word_that_decides_is_found_in_a_long_text(steps):
    rng = np.random.default_rng(0)
    x = [rng.integers(3, 24, steps).astype(np.int32) for _ in range(10)]
    place = rng.integers(0, steps, 10)
    for one, at in zip(x, place, strict=True):
        one[at] = 2
    wide = -(-steps // 44)  # a word stands in such a span, a fifth of which is left after the closer look
    for one, at in zip(occlusion(Weighing(), Ragged.of(x), np.arange(10), several=False), place, strict=True):
        assert abs(int(one.argmax()) - at) <= wide / 5 + 1


@pytest.mark.parametrize("length", [60, 300])
def test_occlusion_finds_the_bump_more_often_than_the_gradient(watcher, length):
    x, _, place = bumps_that_decide(30, length=length, wide=WIDE, seed=5)
    by_hiding, by_slope = (hits(way, watcher, x, place, WIDE) for way in (occlusion, gradient))
    assert by_hiding >= 0.8
    assert by_hiding >= by_slope


def test_influence_is_that_of_the_class_chosen(reader):
    x = Ragged.of([np.array([5, 2, 3, 3, 6], dtype=np.int32)])
    with torch.no_grad():
        chosen = int(reader(*x.padded(np.array([0])))[0].argmax())
    (found,) = occlusion(reader, x, [0], several=False)
    assert found[1] * (1 - 2 * chosen) > 0  # the word of class 0
    assert found[2:4].sum() * (2 * chosen - 1) > 0  # the words of class 1


def test_the_default_is_occlusion(reader):
    x, _, _ = words_that_decide(3)
    data = SimpleNamespace(examples=SimpleNamespace(x=x), schema=SimpleNamespace(several=False))
    for mine, expected in zip(
        influence.influence(reader, data, [2, 0]), occlusion(reader, x, [2, 0], several=False), strict=True
    ):
        np.testing.assert_array_equal(mine, expected)


def test_hiding_one_step_by_hand(reader):
    x, _, _ = words_that_decide(1)
    inputs, lengths = x.padded(np.array([0]))
    with torch.no_grad():
        embedded = reader.embed(inputs)
        whole = reader.classify(embedded, lengths, inputs)[0]
        embedded[0, 3] = 0
        hidden = reader.classify(embedded, lengths, inputs)[0]
    k = int(whole.argmax())
    (found,) = occlusion(reader, x, [0], several=False)
    expected = (whole[k] - whole[1 - k]) - (hidden[k] - hidden[1 - k])
    assert found[3] == pytest.approx(float(expected), rel=1e-4, abs=1e-5)
    (independent,) = occlusion(reader, x, [0], several=True)
    assert independent[3] == pytest.approx(float(whole[k] - hidden[k]), rel=1e-4, abs=1e-5)


class Counting(Small):
    """Counts the sequences that it was asked about, each a forward pass."""

    asked = 0

    def classify(self, embedded, lengths, x):
        self.asked += len(embedded)
        return super().classify(embedded, lengths, x)


@pytest.mark.parametrize("tokens", [24, None])
@pytest.mark.parametrize("steps", [1, 2, 3, 63, 64, 65, 127, 1000])
def test_every_step_gets_a_number_within_the_passes(tokens, steps):
    rng = np.random.default_rng(0)
    x = rng.integers(1, 24, steps).astype(np.int32) if tokens else rng.normal(size=(steps, 1)).astype("f4")
    model = Counting(tokens).train()
    for method in (occlusion, gradient):
        (found,) = method(model, Ragged.of([x]), [0], several=False)
        assert found.shape == (steps,)
        assert np.isfinite(found).all()
    assert model.asked <= 2 + PASSES
    assert model.training
    assert all(weight.grad is None for weight in model.parameters())


def test_an_empty_sequence_has_nothing_that_could_decide():
    x = Ragged.of([np.zeros(0, dtype=np.int32)])
    for method in (occlusion, gradient):
        (found,) = method(Small(24), x, [0], several=False)
        assert found.shape == (0,)


def test_a_hundred_thousand_steps_take_fewer_passes():
    x = Ragged.of([np.random.default_rng(0).integers(1, 24, 100_000).astype(np.int32)])
    model = Counting(24, hidden=2)
    (found,) = occlusion(model, x, [0], several=False)
    assert found.shape == (100_000,)
    assert model.asked <= 1 + 20


def test_gradients_are_taken_where_none_are_kept(reader):
    x, _, _ = words_that_decide(2)
    with torch.no_grad():
        assert len(gradient(reader, x, [0, 1], several=False)) == 2
