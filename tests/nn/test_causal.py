"""Convolution that looks back only: torch's, and the same bits whatever stands beside a step."""

import pytest
import torch
import torch.nn.functional as F

from recurra.nn import causal as module
from recurra.nn.causal import causal, of_window, windows


@pytest.mark.parametrize("dilation", [1, 3])
@pytest.mark.parametrize("bias", [True, False])
def test_it_is_torchs(assert_close, dilation, bias):
    x, weight = torch.randn(2, 17, 3), torch.randn(5, 3, 4, requires_grad=True)
    b = torch.randn(5) if bias else None
    padded = F.pad(x.transpose(1, 2), (3 * dilation, 0))
    expected = F.conv1d(padded, weight, b, dilation=dilation).transpose(1, 2)
    assert torch.equal(causal(x, weight, b, dilation), expected)
    with torch.no_grad():
        assert_close(causal(x, weight, b, dilation), expected, summed=20.0)
    expected.sum().backward()
    gradient, weight.grad = weight.grad, None
    causal(x, weight, b, dilation).sum().backward()
    assert torch.equal(weight.grad, gradient)


@torch.no_grad()
def test_a_step_has_the_same_bits_alone(monkeypatch):
    x, weight, bias = torch.randn(5, 40, 3), torch.randn(7, 3, 4), torch.randn(7)
    whole = causal(x, weight, bias, 2)
    assert torch.equal(causal(x[2:3, :11], weight, bias, 2), whole[2:3, :11])
    assert torch.equal(of_window(x[:, 14:21:2], weight, bias), whole[:, 20])
    assert torch.equal(windows(x, 4, 2)[:, 20], x[:, 14:21:2])
    monkeypatch.setattr(module, "NUMBERS", 100)
    assert torch.equal(causal(x, weight, bias, 2), whole)
