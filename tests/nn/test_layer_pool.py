"""A pool of one layer's streams: each has the layer's bits, from opening to closing."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from recurra import nn
from recurra.errors import ConfigError, PoolFull, StreamError
from recurra.stream import LayerPool

LAYERS = [nn.RNN(5, 12), nn.GRU(5, 12, 2), nn.LSTM(5, 12, 2), nn.LSTM(5, 12, peephole=True, proj_size=4)]


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_streams_that_come_and_go(layer: Any) -> None:
    pool, dice = LayerPool(layer, 4), torch.Generator().manual_seed(2)
    running: dict[int, list[Any]] = {}
    finished = 0
    while finished < 20:
        while len(pool) < 4 and torch.rand((), generator=dice) < 0.8:
            running[pool.open()] = []
        some = [slot for slot in running if torch.rand((), generator=dice) < 0.6]
        x = torch.randn(len(some), 5, generator=dice)
        for slot, inputs, y in zip(some, x, pool.step(some, x), strict=True):
            running[slot].append((inputs, y))
        for slot in [slot for slot, steps in running.items() if len(steps) > 6]:
            inputs, ys = (torch.stack(each) for each in zip(*running.pop(slot), strict=True))
            with torch.no_grad():
                y, state = layer(inputs)
            assert ys.equal(y)
            last = pool.state(slot)
            pairs = zip(last, state, strict=True) if isinstance(state, tuple) else [(last, state)]
            assert all(a.equal(b) for a, b in pairs)
            pool.close(slot)
            finished += 1


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_a_state_goes_elsewhere(layer: Any) -> None:
    x, one, other = torch.randn(6, 5), LayerPool(layer, 1), LayerPool(layer, 3)
    here, there = one.open(), [other.open(), other.open()][1]
    y = torch.stack([one.step([here], step[None])[0] for step in x[:3]])
    other.load(there, one.state(here))
    y = torch.cat([y, torch.stack([other.step([there], step[None])[0] for step in x[3:]])])
    assert y.equal(layer(x)[0].detach())


def test_its_memory() -> None:
    assert LayerPool(nn.LSTM(5, 12, 2, proj_size=4), 7).bytes_per_stream == 2 * (4 + 12) * 4
    assert LayerPool(nn.GRU(5, 12, dtype=torch.float64), 1).bytes_per_stream == 12 * 8


def test_mistakes() -> None:
    with pytest.raises(ConfigError, match=r"expected 1 slot or more, got 0\. Name how many"):
        LayerPool(nn.GRU(3, 4), 0)
    with pytest.raises(ValueError, match="Expected a layer of one direction"):
        LayerPool(nn.GRU(3, 4, bidirectional=True), 2)
    pool = LayerPool(nn.LSTM(3, 4, 2), 2)
    slot, x = pool.open(), torch.randn(1, 3)
    for wrong in (1, 2, -1):
        words = f"expected open streams, got slot {wrong}. Open it first, with open()."
        calls = (
            pool.close,
            pool.state,
            lambda s: pool.step([s], x),
            lambda s: pool.load(s, pool.state(slot)),
        )
        for call in calls:
            with pytest.raises(StreamError, match=re.escape(words)):
                call(wrong)
    with pytest.raises(ValueError, match=r"all different, got 0 again in row 1"):
        pool.step([slot, slot], torch.randn(2, 3))
    h, c = pool.state(slot)
    with pytest.raises(StreamError, match=r"expected c of size \(2, 4\), got \(1, 4\)\. Give the state"):
        pool.load(slot, (h, c[:1]))
    assert pool.open() == 1
    with pytest.raises(PoolFull, match=r"expected a free slot, got 2 open streams\. Close one, or make a"):
        pool.open()
    pool.close(slot)
    assert pool.open() == slot
    assert len(pool) == 2
