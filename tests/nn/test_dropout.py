"""Dropout of recurrent networks: what is left out, for how long, and that the mean stays."""

import pytest
import torch

import recurra.nn
from recurra.nn.dropout import WeightDrop, activation_penalty, token_dropout, variational_dropout


def test_variational_dropout_keeps_one_mask_for_all_steps():
    torch.manual_seed(0)
    dropped = variational_dropout(torch.ones(50, 4, 300), 0.3)
    assert torch.equal(dropped, dropped[:1].expand_as(dropped))
    assert not torch.equal(dropped[:, 0], dropped[:, 1])
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert float((dropped[0] == 0).float().mean()) == pytest.approx(0.3, abs=0.05)


def test_token_dropout_leaves_a_token_out_wherever_it_stands():
    torch.manual_seed(0)
    tokens = torch.randint(0, 40, (30, 5))
    dropped = token_dropout(torch.ones(30, 5, 8), tokens, 40, 0.5)
    assert torch.equal(dropped, dropped[..., :1].expand_as(dropped))
    for token in tokens.unique():
        assert len(dropped[tokens == token].unique()) == 1
    assert 0 < float((dropped == 0).float().mean()) < 1


@pytest.mark.parametrize(("p", "training"), [(0.5, False), (0.0, True)])
def test_nothing_is_dropped_outside_training_or_at_zero(p, training):
    x = torch.ones(4, 2, 3)
    assert variational_dropout(x, p, training) is x
    assert token_dropout(x, x[..., 0].long(), 3, p, training) is x


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_weight_drop_runs_the_layer_with_weights_left_out(kind):
    torch.manual_seed(0)
    layer = getattr(recurra.nn, kind)(5, 6, num_layers=2)
    whole = {name: p.detach().clone() for name, p in layer.named_parameters()}
    x = torch.randn(7, 3, 5)
    dropped = WeightDrop(layer, 0.5)
    torch.manual_seed(1)
    y, _ = dropped(x)
    torch.manual_seed(1)
    other = getattr(recurra.nn, kind)(5, 6, num_layers=2)
    torch.manual_seed(1)
    weights = {n: torch.nn.functional.dropout(p, 0.5) if "weight_hh" in n else p for n, p in whole.items()}
    other.load_state_dict(weights)
    torch.testing.assert_close(y, other(x)[0])
    y.sum().backward()
    hidden = layer.weight_hh_l0
    assert torch.equal(hidden.grad == 0, weights["weight_hh_l0"] == 0)
    assert all(torch.equal(p, whole[name]) for name, p in layer.named_parameters())
    torch.testing.assert_close(dropped.eval()(x)[0], layer(x)[0])


def test_weight_drop_hands_on_state_and_resets():
    torch.manual_seed(0)
    layer = recurra.nn.GRU(4, 5)
    x, h = torch.randn(6, 2, 4), torch.randn(1, 2, 5)
    reset = torch.zeros(2, 6, dtype=torch.bool)
    reset[1, 3] = True
    given = WeightDrop(layer, 0.5).eval()(x, h, reset=reset)
    torch.testing.assert_close(given[0], layer(x, h, reset=reset)[0])


def test_the_penalty_is_that_of_the_paper():
    y, dropped = torch.randn(9, 2, 3), torch.randn(9, 2, 3)
    expected = 2 * (dropped**2).mean() + 3 * ((y[1:] - y[:-1]) ** 2).mean()
    torch.testing.assert_close(activation_penalty(y, dropped, 2, 3), expected)
    torch.testing.assert_close(activation_penalty(y[:1], dropped[:1], 2, 3), 2 * (dropped[:1] ** 2).mean())
