"""Everything random starts from one number, and the caller's own generators are left as they were."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch

from recurra.train.checkpoint import random_state, set_random_state

LARGEST = 2**32  # of numpy's seeds


@contextmanager
def seeded(seed: int, rank: int = 0) -> Iterator[Callable[[], None]]:
    """Seed torch, numpy and Python for a process, and put their generators back at the end.

    Yields a function that seeds them once more.
    """
    before = random_state()

    def start() -> None:
        number = (seed + rank) % LARGEST
        random.seed(number)
        np.random.seed(number)  # noqa: NPY002, for tasks and libraries that use the global generator
        torch.manual_seed(number)

    try:
        start()
        yield start
    finally:
        set_random_state(*before)
