"""Dropout as recurrent networks need it: one mask for all steps, whole tokens, and weights.

Gal & Ghahramani (2016), "A Theoretically Grounded Application of Dropout in Recurrent Neural Networks";
Merity, Keskar & Socher (2018), "Regularizing and Optimizing LSTM Language Models".
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call


def variational_dropout(x: Tensor, p: float, training: bool = True) -> Tensor:
    """x (T, B, C) with channels of a row left out at all steps alike, the others scaled up by 1 / (1 - p)."""
    if not training or p == 0:
        return x
    return x * F.dropout(x.new_ones(1, *x.shape[1:]), p)


def token_dropout(x: Tensor, tokens: Tensor, many: int, p: float, training: bool = True) -> Tensor:
    """Embeddings x (…, E) of tokens (…) out of `many`, with a token left out wherever it stands."""
    if not training or p == 0:
        return x
    return x * F.dropout(x.new_ones(many, 1), p)[tokens]


class WeightDrop(nn.Module):
    """A recurrent layer of one direction whose weights from state to state are dropped, anew at each call.

    layer: of torch.nn or recurra.nn, called as `layer(x, state, **more)`; its parameters keep their names.
    """

    def __init__(self, layer: nn.RNNBase, p: float) -> None:
        super().__init__()
        self.layer, self.p = layer, p
        self.names = [name for name, _ in layer.named_parameters() if name.startswith("weight_hh")]

    def forward(self, x: Tensor, state: Any = None, **more: Any) -> Any:
        """What the layer returns."""
        if not self.training or self.p == 0:
            return self.layer(x, state, **more)
        dropped = {name: F.dropout(getattr(self.layer, name), self.p) for name in self.names}
        return functional_call(self.layer, dropped, (x, state), more)

    def extra_repr(self) -> str:
        return f"p={self.p}"


def activation_penalty(y: Tensor, dropped: Tensor, alpha: float, beta: float) -> Tensor:
    """alpha · mean(dropped²) + beta · mean((y_t - y_{t-1})²) of the last layer's outputs, (T, B, H) both."""
    loss = alpha * dropped.square().mean()
    if len(y) > 1:
        loss = loss + beta * (y[1:] - y[:-1]).square().mean()
    return torch.as_tensor(loss)
