"""Values of a graph beside what they are for the example, which knows ranks, sizes and types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from recurra.onnxgraph.graph import Value


@dataclass(frozen=True, slots=True)
class Traced:
    """A tensor, or a size (1,) int64 of one, whose `like` is a number."""

    value: Value
    like: Any

    @property
    def rank(self) -> int:
        """Number of axes."""
        return self.like.dim() if isinstance(self.like, Tensor) else 0

    def axis(self, number: int) -> int:
        """An axis, counted from the front."""
        return number % self.rank if self.rank else 0


@dataclass(frozen=True, slots=True)
class Packed:
    """What a PackedSequence holds: x (T, B, I), and lengths (B,) int64."""

    x: Value
    lengths: Value
    like: PackedSequence


def likes(of: Any) -> Any:
    """The example's own values, in the same tuples, lists and dicts."""
    if isinstance(of, Traced | Packed):
        return of.like
    if isinstance(of, dict):
        return {name: likes(one) for name, one in of.items()}
    if isinstance(of, slice):
        return slice(likes(of.start), likes(of.stop), likes(of.step))
    return type(of)(likes(one) for one in of) if isinstance(of, tuple | list) else of


def paired(values: Any, like: Any) -> Any:
    """Values of the graph with the example's own."""
    if isinstance(values, Value):
        return Traced(values, like)
    if isinstance(values, tuple | list) and not isinstance(like, PackedSequence):
        return tuple(paired(one, its) for one, its in zip(values, like, strict=True))
    return values
