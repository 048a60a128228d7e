"""What a task says of a network that can leave as ONNX: the graph, and how to try it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from onnx import ModelProto

Feeds = Mapping[str, np.ndarray[Any, np.dtype[Any]]]
Run = Callable[[Feeds], Feeds]  # the graph: inputs by name to outputs by name
# Trials of a graph: what PyTorch gives and what the graph gives, by the same names.
Trials = Callable[[Run, np.random.Generator], Iterator[tuple[Feeds, Feeds]]]


@dataclass(frozen=True, slots=True)
class Network:
    """One graph.

    name: of its file, without the ending.  about: what it is for, in a sentence.
    trials: inputs that are random and inputs at the edge of what there can be, run both ways.
    """

    name: str
    about: str
    model: ModelProto
    trials: Trials


@dataclass(frozen=True, slots=True)
class Exported:
    """All graphs of a model, and what their reader must know: JSON-able, of names, words and figures."""

    networks: tuple[Network, ...]
    reader: dict[str, Any]
    outside: str = ""  # what of a prediction is in no graph and not in the reader, in a sentence
    files: Mapping[str, bytes] = field(default_factory=dict)  # others that belong to it
