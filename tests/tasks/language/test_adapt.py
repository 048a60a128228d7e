"""Learning on while reading: worth something where a text has a manner of its own, harmless to the model."""

import numpy as np
import pytest
import torch
from language_models import small

from recurra.tasks.language import adapt


@pytest.fixture
def model():
    torch.manual_seed(0)
    made = small("GRU").eval()
    rng = np.random.default_rng(0)
    train = rng.integers(2, 12, 4000).astype(np.int32)
    adapt.prepare(made, train, train[:1000], 0)
    return made


def test_without_a_step_it_is_the_model(model):
    tokens = np.arange(100, dtype=np.int32) % 10 + 2
    nats = adapt.adapted(model, tokens, 0.0, 0.0)
    plain, _ = model.surprise(torch.from_numpy(tokens.astype(np.int64))[:, None])
    torch.testing.assert_close(nats, plain[:, 0])


def test_a_text_with_a_manner_of_its_own_surprises_less_and_less(model):
    before = {name: w.clone() for name, w in model.state_dict().items()}
    text = np.random.default_rng(1).choice([3, 7, 9], size=2400, p=[0.8, 0.1, 0.1]).astype(np.int32)
    nats = adapt.adapted(model, text, 1e-2, 0.0)
    plain = adapt.adapted(model, text, 0.0, 0.0)
    assert float(nats[-300:].mean()) < 0.5 * float(plain[-300:].mean())
    torch.testing.assert_close(nats[: adapt.LETTERS_SEGMENT], plain[: adapt.LETTERS_SEGMENT])
    assert all(torch.equal(w, before[name]) for name, w in model.state_dict().items())


def test_a_segment_of_borders_alone_teaches_nothing(model):
    learner = adapt.Learner(model, 1e-2, 0.0)
    nats, _ = learner.read(torch.zeros(5, 1, dtype=torch.int64))
    assert float(nats.sum()) == 0
    assert all(torch.equal(w, first) for w, first in zip(learner.weights, learner.trained, strict=True))


def test_the_pull_brings_the_weights_back(model):
    tokens = torch.full((17, 1), 5)
    free, held = adapt.Learner(model, 1e-2, 0.0), adapt.Learner(model, 1e-2, 1e9)
    for _ in range(3):
        free.read(tokens)
        held.read(tokens)
    moved = [float((w - first).abs().max()) for w, first in zip(free.weights, free.trained, strict=True)]
    assert max(moved) > 0
    back = [float((w - first).abs().max()) for w, first in zip(held.weights, held.trained, strict=True)]
    assert max(back) < 1e-7


def test_mean_squares_are_those_of_the_gradients():
    made = small("RNN").eval()
    squares = adapt.Squares([torch.zeros(3, 4), torch.zeros(5)])
    first, second = torch.randn(3, 4), torch.randn(3, 4)
    squares.add([first, None])
    squares.add([second, torch.ones(5)])
    squares.divide(2)
    mean = (first**2 + second**2) / 2
    torch.testing.assert_close(squares.rows0, mean.mean(1))
    torch.testing.assert_close(squares.columns0, mean.mean(0))
    factored = mean.mean(1)[:, None] * mean.mean(0) / mean.mean()
    torch.testing.assert_close(squares.roots()[0], factored.sqrt())
    torch.testing.assert_close(squares.roots()[1], torch.full((5,), 0.5).sqrt())
    assert made.squares.many == len(list(made.parameters()))
