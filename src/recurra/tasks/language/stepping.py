"""A language model a token a call: its layers as compiled steps, its table of tokens in numpy."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from recurra.data.tokens import BORDER, UNKNOWN
from recurra.decode.sampling import Sampler
from recurra.errors import EngineError
from recurra.nn.recurrent import Recurrent
from recurra.nn.tied import TiedTokens
from recurra.tasks.language.model import LanguageModel, State

Array = np.ndarray[Any, np.dtype[Any]]


class Steppers:
    """The recurrent layers by their compiled steps; no torch call between two tokens.

    Raises EngineError where the compiled core cannot run them.
    """

    def __init__(self, model: LanguageModel, state: State) -> None:
        self._steppers = [cast(Recurrent, layer).stepper() for layer in model.recurrent()]
        for stepper, s in zip(self._steppers, state, strict=True):
            stepper.load(s)
        first, *others = self._steppers
        self._x = first.x.numpy()
        self._links = [
            (a.run, a.y.numpy(), b.x.numpy()) for a, b in zip(self._steppers, others, strict=False)
        ]
        self._last, self._y = self._steppers[-1].run, self._steppers[-1].y.numpy()

    def __call__(self, x: Array) -> Array:
        """The last layer's output (E,) after one more token's vector x (E,); the next call writes it anew."""
        self._x[:] = x
        for run, y, onward in self._links:
            run()
            onward[:] = y
        self._last()
        return self._y

    def reset(self) -> None:
        """Begin anew: all states zero."""
        for stepper in self._steppers:
            stepper.reset()


class Layers:
    """The same by the layers themselves, called for one step at a time."""

    def __init__(self, model: LanguageModel, state: State) -> None:
        self._layers = list(model.recurrent())
        self._state: list[Any] = list(state)
        self._like = next(model.parameters())

    def __call__(self, x: Array) -> Array:
        """The last layer's output (E,) after one more token's vector x (E,)."""
        y = torch.from_numpy(x).to(self._like)[None, None]
        with torch.no_grad():
            for number, layer in enumerate(self._layers):
                y, self._state[number] = layer(y, self._state[number])
        return array(y[0, 0])

    def reset(self) -> None:
        """Begin anew: all states zero."""
        self._state = [None] * len(self._layers)


def stepping(model: LanguageModel, state: State) -> Steppers | Layers:
    """The layers, a step a call, going on from a state of one stream."""
    try:
        return Steppers(model, state)
    except EngineError:
        return Layers(model, state)


class Table:
    """Tokens as vectors and vectors as tokens, of a vocabulary that is foretold at once."""

    def __init__(self, words: TiedTokens, sampler: Sampler) -> None:
        self._table, self._bias = array(words.tables[0]), array(words.biases[0]).copy()
        self._bias[[BORDER, UNKNOWN]] = -math.inf  # never written
        self._scores, self._sampler = np.empty_like(self._bias), sampler

    def vector(self, token: int) -> Array:
        """(E,) of a token."""
        found: Array = self._table[token]
        return found

    def draw(self, y: Array) -> int:
        """A token that may stand after what y (E,) came from."""
        self._table.dot(y, self._scores)
        self._scores += self._bias
        return self._sampler(self._scores)


class GroupedTable:
    """The same of a vocabulary in groups. By plain sampling first a group is drawn, and then its token."""

    def __init__(self, words: TiedTokens, sampler: Sampler) -> None:
        self._ends, self._tables = words.ends, [array(table) for table in words.tables]
        self._biases = [array(bias) for bias in words.biases]
        self._widen = [array(widen) for widen in words.widen]
        self._head = np.concatenate([self._tables[0], array(words.others)])
        self._head_bias = np.concatenate([self._biases[0], array(words.others_bias)])
        self._head_bias[[BORDER, UNKNOWN]] = -math.inf  # never written
        self._sampler = sampler

    def vector(self, token: int) -> Array:
        """(E,) of a token."""
        group = bisect_right(self._ends, token)
        if not group:
            return cast(Array, self._tables[0][token])
        found: Array = np.dot(self._widen[group - 1], self._tables[group][token - self._ends[group - 1]])
        return found

    def draw(self, y: Array) -> int:
        """A token that may stand after what y (E,) came from."""
        head = np.dot(self._head, y) + self._head_bias
        if not self._sampler.options.plain:
            return self._sampler(self._all(y, head))
        first = self._sampler(head)
        group = first - self._ends[0] + 1
        return first if group <= 0 else self._ends[group - 1] + self._sampler(self._inside(y, group))

    def _inside(self, y: Array, group: int) -> Array:
        """Scores of a group's tokens."""
        found: Array = np.dot(self._tables[group], np.dot(y, self._widen[group - 1])) + self._biases[group]
        return found

    def _all(self, y: Array, head: Array) -> Array:
        """(V,) scores of all tokens."""
        first = self._ends[0]
        parts = [head[:first]]
        for group in range(1, len(self._ends)):
            inside = self._inside(y, group)
            parts.append(inside + (head[first + group - 1] - _log_sum(inside)))
        return np.concatenate(parts)


def table(words: TiedTokens, sampler: Sampler) -> Table | GroupedTable:
    """A model's tokens, drawn by a sampler."""
    return GroupedTable(words, sampler) if words.widen else Table(words, sampler)


def array(of: Tensor) -> Array:
    """A tensor's numbers, in its own memory where numpy can compute with them there."""
    of = of.detach()
    found: Array = (of if of.dtype in (torch.float32, torch.float64) else of.float()).cpu().numpy()
    return found


@contextmanager
def at_rest(model: LanguageModel) -> Iterator[None]:
    """The model as it is used, without dropout and gradients; afterwards in the mode that it was in."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def _log_sum(scores: Array) -> Any:
    top = scores.max()
    return top + np.log(np.exp(scores - top).sum())
