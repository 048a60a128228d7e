"""The `memory` option of the layers: what it accepts, where it stays, and that it changes no bit."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor

from recurra import nn
from recurra.engines import MEMORY

RAGGED: dict[str, Any] = {
    "lengths": torch.tensor([17, 0, 9]),
    "reset": torch.arange(51).reshape(3, 17) % 7 == 3,
}


@pytest.mark.parametrize("given", [{}, RAGGED], ids=["whole", "ragged"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "both_ways"])
def test_every_mode_gives_the_same_bits(
    case: Any, dtype: torch.dtype, bidirectional: bool, given: dict[str, Any], random_state: Any
) -> None:
    layer = case(5, 20, num_layers=2, bidirectional=bidirectional, dtype=dtype)
    x, state = torch.randn(17, 3, 5, dtype=dtype, requires_grad=True), random_state(layer, 3)
    states = (state,) if isinstance(state, Tensor) else state
    leaves = [x, *(s.requires_grad_() for s in states), *layer.parameters()]
    found = []
    for memory in MEMORY:
        layer.memory = memory
        y, new = layer(x, state, **given)
        outputs = [y, *((new,) if isinstance(new, Tensor) else new)]
        total = torch.stack([out.sin().sum() for out in outputs]).sum()
        found.append([*outputs, *torch.autograd.grad(total, leaves)])
    for other in found[1:]:
        assert all(a.equal(b) for a, b in zip(other, found[0], strict=True))


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_where_the_option_stays(kind: Any) -> None:
    plain, layer = kind(3, 4), kind(3, 4, 2, memory="checkpointed")
    assert (plain.memory, layer.memory) == ("stored", "checkpointed")
    assert "memory" not in repr(plain)
    assert repr(layer).endswith("num_layers=2, memory='checkpointed')")
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert other.memory == "checkpointed"
        assert repr(other) == repr(layer)
    assert repr(nn.LSTM(3, 4, peephole=True, memory="recomputed")).endswith("peephole=True)")


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_an_unknown_mode_is_refused(kind: Any) -> None:
    with pytest.raises(ValueError, match="memory") as error:
        kind(3, 4, memory="none")
    assert str(error.value) == (
        "Expected memory to be one of 'stored', 'recomputed', 'checkpointed', got 'none'. Name one of these."
    )
    layer = kind(3, 4)
    layer.memory = "none"
    with pytest.raises(ValueError, match="Expected memory to be one of"):
        layer(torch.ones(2, 1, 3))
