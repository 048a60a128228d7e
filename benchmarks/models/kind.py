"""What the benchmark asks of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from torch import Tensor, nn

Batch = tuple[Tensor, ...]


class Kind(NamedTuple):
    """A model that turns a batch into its loss, its batches, and how its paper trains it."""

    name: str
    paper: str
    sizes: str
    build: Callable[[], nn.Module]
    batches: Callable[[], tuple[Iterator[Batch], str]]  # with the text that they are from
    learning_rate: float  # of plain gradient descent
    clip: float  # the largest norm of the gradient
