"""Sequences of different lengths, and batches of them."""

import numpy as np
import torch

from recurra.data.ragged import Ragged, buckets

TOKENS = Ragged.of([np.array(one, dtype=np.int32) for one in ([4, 5, 6], [], [7], [8, 9])])


def test_what_goes_in_comes_out():
    assert len(TOKENS) == 4
    assert TOKENS.lengths.tolist() == [3, 0, 1, 2]
    assert [TOKENS[n].tolist() for n in range(4)] == [[4, 5, 6], [], [7], [8, 9]]
    some = TOKENS.take(np.array([3, 1, 0, 3]))
    assert [some[n].tolist() for n in range(4)] == [[8, 9], [], [4, 5, 6], [8, 9]]
    none = TOKENS.take(np.zeros(0, dtype=np.int64))
    assert (len(none), len(none.values)) == (0, 0)
    assert Ragged.of([], like=np.zeros((4, 3), dtype=np.float32)).values.shape == (0, 3)
    assert Ragged.of([]).values.dtype == np.int32


def test_only_the_first_steps():
    cut = TOKENS.cut(2)
    assert [cut[n].tolist() for n in range(4)] == [[4, 5], [], [7], [8, 9]]
    assert TOKENS.cut(3) is TOKENS


def test_a_batch_is_zero_beyond_the_end():
    x, lengths = TOKENS.padded(np.array([2, 0, 1]))
    assert (x.dtype, lengths.dtype) == (torch.int64, torch.int64)
    assert x.tolist() == [[7, 0, 0], [4, 5, 6], [0, 0, 0]]
    assert lengths.tolist() == [1, 3, 0]
    assert TOKENS.padded(np.array([1]))[0].tolist() == [[0]]
    numbers = Ragged.of([np.ones((2, 3), np.float32), np.full((1, 3), 2, np.float32)])
    x, lengths = numbers.padded([1, 0])
    assert (x.shape, x.dtype) == ((2, 2, 3), torch.float32)
    assert x[0].tolist() == [[2, 2, 2], [0, 0, 0]]


def test_batches_hold_every_example_once_and_pad_little():
    lengths = np.random.default_rng(0).integers(1, 200, 1000)
    found = buckets(lengths, 16, np.random.default_rng(1))
    assert sorted(np.concatenate(found).tolist()) == list(range(1000))
    assert max(map(len, found)) == 16
    steps = sum(int(lengths[one].max()) * len(one) for one in found)
    assert steps < 1.1 * lengths.sum()
    again = buckets(lengths, 16, np.random.default_rng(1))
    assert all((a == b).all() for a, b in zip(found, again, strict=True))
    other = buckets(lengths, 16, np.random.default_rng(2))
    assert not all(len(a) == len(b) and (a == b).all() for a, b in zip(found, other, strict=True))
    assert buckets(np.zeros(0, dtype=np.int64), 16, np.random.default_rng(1)) == []
