import gc

import pytest
import torch

from layers.timing import Effort, geometric_mean, interleaved, medians, threads


def test_rivals_take_turns_in_alternating_order():
    calls = []
    rivals = {name: lambda name=name: calls.append(name) for name in "abc"}
    times = interleaved(rivals, Effort(samples=4, seconds=1e-4))
    assert {name: len(samples) for name, samples in times.items()} == dict.fromkeys("abc", 4)
    turns = [name for name, before in zip(calls, [None, *calls], strict=False) if name != before]
    # Each warms up alone; then forwards and backwards, where the last of one round begins the next.
    assert "".join(turns) == "abcabcbabcba"


def test_a_sample_lasts_as_long_as_it_should():
    counted = []
    interleaved({"one": lambda: counted.append(1)}, Effort(samples=5, seconds=0.01))
    assert len(counted) > 5 * 1000


def test_nothing_is_collected_meanwhile():
    states = []
    interleaved({"one": lambda: states.append(gc.isenabled())}, Effort(samples=1, seconds=1e-5))
    assert not any(states)
    assert gc.isenabled()


def test_threads_are_given_back():
    before = torch.get_num_threads()
    with threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_middles():
    assert medians({"a": [3.0, 1.0, 20.0]}) == {"a": 3.0}
    assert geometric_mean([2.0, 8.0]) == pytest.approx(4.0)
