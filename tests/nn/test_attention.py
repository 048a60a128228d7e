"""Attention beside its formulas in float64, and a memory alone beside the same among others."""

import pytest
import torch

from recurra.nn.attention import Attention


def formula(layer: Attention, query, values, scores):
    """Contexts and weights of queries (T, Q) and values (S, M), by the papers' equations."""
    keys = values @ layer.key.weight.T
    if scores == "luong":
        z = query @ keys.T * query.shape[1] ** -0.5
    else:
        sums = (query @ layer.query.weight.T)[:, None] + keys[None] + layer.key.bias
        z = torch.tanh(sums) @ layer.score.weight[0]
    weight = torch.exp(z - z.max(1, keepdim=True).values)
    weight = weight / weight.sum(1, keepdim=True)
    return weight @ values, weight


@pytest.mark.parametrize("scores", ["luong", "bahdanau"])
def test_attention_is_the_papers(scores):
    torch.manual_seed(0)
    layer = Attention(6, 10, scores).double()
    values, lengths = torch.randn(3, 7, 10, dtype=torch.float64), torch.tensor([7, 1, 4])
    query = torch.randn(3, 5, 6, dtype=torch.float64, requires_grad=True)
    memory = layer.remember(values, lengths)
    context, weight = layer(query, memory)
    for n, many in enumerate(lengths.tolist()):
        expected = formula(layer, query[n], values[n, :many], scores)
        torch.testing.assert_close(context[n], expected[0])
        torch.testing.assert_close(weight[n, :, :many], expected[1])
        assert not weight[n, :, many:].any()
    assert torch.autograd.gradcheck(lambda q: layer(q, layer.remember(values, lengths))[0], query)


@pytest.mark.parametrize("scores", ["luong", "bahdanau"])
def test_a_memory_alone_has_the_same_bits_whatever_its_queries_stand_beside(scores):
    torch.manual_seed(0)
    layer = Attention(16, 24, scores).eval()
    values, lengths = torch.randn(4, 9, 24), torch.tensor([9, 3, 6, 1])
    with torch.no_grad():
        memory = layer.remember(values, lengths)
        query = torch.randn(4, 5, 16)
        context, weight = layer(query, memory)
        for n, many in enumerate(lengths.tolist()):
            own = memory.values[n, :many].contiguous(), memory.keys[n, :many].contiguous()
            found = layer.alone(query[n], *own)
            torch.testing.assert_close(found[0], context[n])
            torch.testing.assert_close(found[1], weight[n, :, :many])
            for k in range(5):
                one = layer.alone(query[n, k : k + 1], *own)
                assert all(torch.equal(a[0], b[k]) for a, b in zip(one, found, strict=True))


def test_many_sums_are_worked_out_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    attention = Attention(6, 8, "bahdanau")
    values, query = torch.randn(3, 11, 8), torch.randn(3, 13, 6)
    lengths = torch.tensor([11, 4, 7])
    found = []
    for sums in (1 << 26, 3 * 11 * 6 * 4, 1):
        monkeypatch.setattr("recurra.nn.attention.SUMS", sums)
        attention.zero_grad()
        context, weight = attention(query, attention.remember(values, lengths))
        context.square().sum().backward()
        with torch.no_grad():
            again, _ = attention(query, attention.remember(values, lengths))
        torch.testing.assert_close(again, context.detach())
        found.append([context.detach(), weight.detach(), *(p.grad.clone() for p in attention.parameters())])
    for other in found[1:]:
        for one, of in zip(found[0], other, strict=True):
            torch.testing.assert_close(of, one)
