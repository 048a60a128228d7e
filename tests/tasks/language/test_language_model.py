"""The language model: what it is told decides what it says, however the text is cut."""

import math

import pytest
import torch
from language_models import letters, small

from recurra.data.tokens import BORDER


@pytest.mark.parametrize("cell", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("groups", [(), (5, 12)])
def test_surprise_is_minus_the_logarithm_of_the_chance(cell, groups):
    model = small(cell, groups=groups).eval()
    tokens = letters(30, 3)
    nats, _ = model.surprise(tokens)
    chances, _ = model.log_probabilities(tokens[:-1])
    expected = -chances.gather(2, tokens[1:, :, None])[:, :, 0]
    torch.testing.assert_close(nats, expected)
    torch.testing.assert_close(chances.exp().sum(-1), torch.ones(29, 3))


@pytest.mark.parametrize("cell", ["RNN", "GRU", "LSTM"])
def test_a_text_in_pieces_is_the_text_at_once(cell):
    model = small(cell).eval()
    tokens = letters(1300, 2)  # longer than what is read at once
    whole, last = model.surprise(tokens)
    state, found = None, []
    for begin in range(0, 1299, 433):
        nats, state = model.surprise(tokens[begin : begin + 434], state)
        found.append(nats)
    torch.testing.assert_close(torch.cat(found), whole)
    torch.testing.assert_close(state, last)


@pytest.mark.parametrize("cell", ["RNN", "GRU", "LSTM"])
def test_nothing_is_remembered_over_a_border(cell):
    model = small(cell).eval()
    tokens = letters(20, 2)
    tokens[8, 0] = BORDER
    nats, _ = model.surprise(tokens)
    alone, _ = model.surprise(tokens[8:, :1])
    torch.testing.assert_close(nats[8:, :1], alone)
    assert float(nats[7, 0].detach()) == 0  # a border is not foretold
    _, state = model(tokens[:8])
    after, _ = model.surprise(tokens[8:, 1:], _row(state, 1))
    torch.testing.assert_close(nats[8:, 1:], after)


def test_borders_count_neither_in_the_loss_nor_in_its_mean():
    model = small("GRU").eval()
    tokens = letters(12, 2)
    tokens[5, 1] = BORDER
    nats, _ = model.surprise(tokens)
    loss, _ = model.loss(tokens, None)
    torch.testing.assert_close(loss, nats.sum() / 21)
    only = torch.zeros(4, 2, dtype=torch.int64)
    assert float(model.loss(only, None)[0]) == 0


def test_regularisers_are_for_training_alone():
    torch.manual_seed(0)
    model = small("LSTM", dropout=1.0)
    tokens = letters(12, 4)
    model.train()
    first, second = (float(model.loss(tokens, None)[0]) for _ in range(2))
    assert first != second
    model.eval()
    assert float(model.loss(tokens, None)[0]) == float(model.loss(tokens, None)[0])


def test_a_state_is_carried_from_chunk_to_chunk():
    model = small("LSTM").eval()
    tokens = letters(21, 2)
    whole, _ = model.loss(tokens, None)
    first, state = model.loss(tokens[:11], None)
    second, _ = model.loss(tokens[10:], state)
    torch.testing.assert_close((first + second) / 2, whole)


def test_a_fresh_model_knows_no_better_than_chance():
    model = small("LSTM").eval()
    nats, _ = model.surprise(letters(200, 2))
    assert float(nats.mean()) == pytest.approx(math.log(12), rel=0.05)


def _row(state, row):
    def one(s):
        return s[:, row : row + 1]

    return [tuple(map(one, s)) if isinstance(s, tuple) else one(s) for s in state]
