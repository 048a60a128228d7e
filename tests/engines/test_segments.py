"""Cutting ragged rows into stretches that stand alone."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence

from recurra.engines.segments import cut


@st.composite
def ragged(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor]:
    rows, steps = draw(st.integers(1, 6)), draw(st.integers(1, 8))
    lengths = draw(st.lists(st.integers(0, steps), min_size=rows, max_size=rows))
    reset = draw(st.lists(st.booleans(), min_size=rows * steps, max_size=rows * steps))
    return torch.tensor(lengths), torch.tensor(reset).view(steps, rows)


@given(ragged())
def test_every_live_step_is_in_one_segment_and_in_order(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    lengths, reset = batch
    steps, rows = reset.shape
    parts = cut(lengths, reset, directions=2)
    sizes = [int((parts.batch_sizes > s).sum()) for s in range(len(parts.row))]
    assert sizes == sorted(sizes, reverse=True)

    walked, offsets = [], torch.cat([torch.zeros(1, dtype=torch.int64), parts.batch_sizes.cumsum(0)])
    for s, size in enumerate(sizes):
        places = [int(parts.steps[offsets[t] + s]) for t in range(size)]
        t, b = [p // rows for p in places], {p % rows for p in places}
        assert b == {int(parts.row[s])}
        assert t == list(range(t[0], t[0] + size))
        assert t[0] == 0 or reset[t[0], min(b)]
        assert not any(reset[u, min(b)] for u in t[1:])
        walked += places
    live = [t * rows + b for t in range(steps) for b in range(rows) if t < lengths[b]]
    assert sorted(walked) == live


@given(st.lists(st.integers(1, 8), min_size=1, max_size=6))
def test_without_resets_it_packs_as_pytorch_does(lengths: list[int]) -> None:
    steps, rows = max(lengths), len(lengths)
    places = torch.arange(steps * rows).view(steps, rows)
    ordered = sorted(range(rows), key=lambda b: -lengths[b])  # ties in the rows' order
    packed = pack_padded_sequence(places[:, ordered], torch.tensor(lengths)[ordered])
    parts = cut(torch.tensor(lengths), None, directions=1)
    assert parts.steps.tolist() == packed.data.tolist()
    assert parts.batch_sizes.tolist() == packed.batch_sizes.tolist()
