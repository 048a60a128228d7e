"""One table for embedding and output: chances sum to one, groups or none, and gradients are torch's."""

import pytest
import torch

from recurra.nn.tied import TiedTokens

SIZES = [(7, 4, ()), (30, 8, (5, 12, 30)), (30, 8, (5, 30)), (9, 1, (2, 5, 9))]


@pytest.mark.parametrize(("tokens", "width", "groups"), SIZES)
def test_chances_sum_to_one_and_agree_with_the_surprise(tokens, width, groups):
    torch.manual_seed(0)
    tied = TiedTokens(tokens, width, groups).double()
    for bias in tied.biases:
        torch.nn.init.normal_(bias)
    y = torch.randn(11, width, dtype=torch.float64)
    every = tied.log_probabilities(y)
    assert every.shape == (11, tokens)
    torch.testing.assert_close(every.exp().sum(1), torch.ones(11, dtype=torch.float64))
    told = torch.randint(0, tokens, (11,))
    torch.testing.assert_close(tied.surprise(y, told), -every[torch.arange(11), told])


@pytest.mark.parametrize(("tokens", "width", "groups"), SIZES)
def test_a_token_has_one_vector(tokens, width, groups):
    tied = TiedTokens(tokens, width, groups)
    x = torch.arange(tokens).view(tokens, 1)
    found = tied.embed(x)
    assert found.shape == (tokens, 1, width)
    again = tied.embed(torch.tensor([tokens - 1, 0, tokens - 1]))
    torch.testing.assert_close(again, found[[tokens - 1, 0, tokens - 1], 0])


def test_one_group_is_a_tied_linear_layer():
    torch.manual_seed(0)
    tied = TiedTokens(12, 6)
    y, told = torch.randn(5, 6, requires_grad=True), torch.tensor([0, 3, 3, 11, 7])
    tied.surprise(y, told).mean().backward()
    table = tied.tables[0].detach().clone().requires_grad_()
    other = y.detach().clone().requires_grad_()
    torch.nn.functional.cross_entropy(other @ table.T, told).backward()
    torch.testing.assert_close(y.grad, other.grad)
    torch.testing.assert_close(tied.tables[0].grad, table.grad)


def test_groups_have_gradients_only_for_what_was_there():
    tied = TiedTokens(20, 4, (5, 10, 20))
    y = torch.randn(3, 4)
    tied.surprise(y, torch.tensor([1, 12, 19])).sum().backward()
    assert tied.tables[1].grad is None
    assert tied.tables[2].grad.abs().sum() > 0


@pytest.mark.parametrize(("tokens", "width", "groups"), SIZES)
def test_a_fresh_one_may_start_from_frequencies(tokens, width, groups):
    tied = TiedTokens(tokens, width, groups)
    counts = torch.arange(tokens) ** 2
    tied.start_from(counts)
    found = tied.log_probabilities(torch.zeros(1, width))[0].exp()
    torch.testing.assert_close(found, (counts + 1.0) / (counts + 1.0).sum())
