"""Times of rivals, taken in turns so that whatever else the machine does meets all of them alike."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from statistics import median
from time import perf_counter

import torch

Call = Callable[[], object]
Times = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: samples of each rival, the least time of a sample in seconds, shapes tried."""

    samples: int
    seconds: float
    quick: bool = False


FULL = Effort(samples=11, seconds=0.06)
QUICK = Effort(samples=3, seconds=0.002, quick=True)


def interleaved(rivals: Mapping[str, Call], effort: Effort) -> Times:
    """Seconds a call of each rival, `effort.samples` of them, forwards and backwards through the rivals.

    A sample is the mean of as many calls as fill `effort.seconds`, after calls that warm up.
    """
    with _collected():
        counts = {name: _count(call, effort.seconds) for name, call in rivals.items()}
        times: Times = {name: [] for name in rivals}
        order = list(rivals)
        for _ in range(effort.samples):
            for name in order:
                times[name].append(_sample(rivals[name], counts[name]))
            order.reverse()
    return times


def medians(times: Times) -> dict[str, float]:
    """The median of each rival's samples."""
    return {name: median(samples) for name, samples in times.items()}


def geometric_mean(values: list[float]) -> float:
    """The mean for ratios."""
    return math.exp(sum(map(math.log, values)) / len(values))


@contextmanager
def threads(count: int) -> Iterator[None]:
    """PyTorch, and the engine that obeys it, on that many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _sample(call: Call, count: int) -> float:
    start = perf_counter()
    for _ in repeat(None, count):
        call()
    return (perf_counter() - start) / count


def _count(call: Call, seconds: float) -> int:
    """Calls that fill a sample. Finding out warms up: caches, threads, the allocators' free lists."""
    call()
    count = 1
    while (taken := _sample(call, count) * count) < seconds / 4:
        count = max(2 * count, min(100 * count, round(count * seconds / 4 / max(taken, 1e-9))))
    return max(1, round(count * seconds / taken))


@contextmanager
def _collected() -> Iterator[None]:
    """No garbage collection inside."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
