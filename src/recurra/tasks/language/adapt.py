"""A model that learns on while it reads: dynamic evaluation.

Krause, Kahembwe, Murray & Renals (2018), "Dynamic Evaluation of Neural Sequence Models", eq. 5 to 7: after
each segment a step along its gradient, small where gradients of training were large, and a pull back to the
trained weights. Here the mean squared gradients of a matrix are kept by row and column alone (as in
Adafactor: Shazeer & Stern 2018), so that a bundle is hardly larger for them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

# Tokens that are read before each step: words or pieces of them; characters or bytes.
SEGMENT, LETTERS_SEGMENT = 16, 64
# Training segments whose gradients are averaged.
SEGMENTS = 400
# Steps in units of an average gradient, 0 for none, that are tried on so many tokens of the validation part.
RATES = (0.0, 1e-5, 3e-5, 1e-4, 3e-4)
PULLS = (0.002, 0.02)
TRIED = 5_000
TINY = 1e-12


class Squares(nn.Module):
    """Mean squared gradients of parameters by row and column, and the step and pull that suit the text."""

    rate: Tensor
    pull: Tensor

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        super().__init__()
        self.many = 0
        for number, p in enumerate(parameters):
            self.register_buffer(f"rows{number}", torch.zeros(len(p)))
            if p.ndim > 1:
                self.register_buffer(f"columns{number}", torch.zeros(p.size(1)))
            self.many = number + 1
        self.register_buffer("rate", torch.zeros(()))
        self.register_buffer("pull", torch.zeros(()))

    def add(self, gradients: Sequence[Tensor | None]) -> None:
        """Count one more gradient of every parameter; `divide` makes means of the sums."""
        for number, g in enumerate(gradients):
            if g is not None:
                square = g.square()
                self._rows(number).add_(square.mean(1) if square.ndim > 1 else square)
                if square.ndim > 1:
                    self.get_buffer(f"columns{number}").add_(square.mean(0))

    def divide(self, by: int) -> None:
        """From sums over so many gradients to means."""
        for name, buffer in self.named_buffers():
            if name.startswith(("rows", "columns")):
                buffer.div_(by)

    def roots(self) -> list[Tensor]:
        """The root of the mean square for each number of each parameter."""
        found = []
        for number in range(self.many):
            rows = self._rows(number)
            if f"columns{number}" in self._buffers:
                columns = self.get_buffer(f"columns{number}")
                square = rows[:, None] * (columns / columns.mean().clamp(min=TINY))
            else:
                square = rows
            found.append(square.sqrt())
        return found

    def _rows(self, number: int) -> Tensor:
        return self.get_buffer(f"rows{number}")


class Learner:
    """A copy of a model that takes a step after each segment that it has read."""

    def __init__(self, model: Any, rate: float | None = None, pull: float | None = None) -> None:
        self.model = copy.deepcopy(model).eval()
        self.weights = [p for p in self.model.parameters() if p.requires_grad]
        self.trained = [p.detach().clone() for p in self.weights]
        squares = self.model.squares
        rate = float(squares.rate) if rate is None else rate
        pull = float(squares.pull) if pull is None else pull
        roots = squares.roots()
        average = float(sum(r.double().sum() for r in roots)) / sum(r.numel() for r in roots)
        self.rates = [rate / (root + root.mean() + TINY) for root in roots]
        self.pulls = [(pull * root / (average + TINY)).clamp(max=1) for root in roots]

    def read(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Nats of tokens[1:], tokens (T + 1, 1), before anything is learnt of them; the state after them."""
        with torch.enable_grad():
            nats, state = self.model.surprise(tokens, state)
            if not nats.requires_grad:  # borders alone
                return nats, _detached(state)
            gradients = torch.autograd.grad(nats.mean(), self.weights, allow_unused=True)
        for weight, first, g, rate, pull in zip(
            self.weights, self.trained, gradients, self.rates, self.pulls, strict=True
        ):
            with torch.no_grad():
                if g is not None:
                    weight.addcmul_(rate, g, value=-1)
                weight.addcmul_(pull, first - weight)
        return nats.detach(), _detached(state)


def adapted(
    model: nn.Module, tokens: np.ndarray[Any, Any], rate: float | None = None, pull: float | None = None
) -> Tensor:
    """(T - 1,) nats of tokens[1:] of one text (T,), by a model that learns on after each segment of it."""
    learner, state, found = Learner(model, rate, pull), None, []
    for segment in _segments(tokens, segment_of(model)):
        nats, state = learner.read(segment, state)
        found.append(nats[:, 0])
    return torch.cat(found) if found else torch.zeros(0)


def prepare(model: Any, train: np.ndarray[Any, Any], valid: np.ndarray[Any, Any], seed: int) -> None:
    """Find the mean squared gradients of training, and the step and pull that serve validation best."""
    rng = np.random.default_rng([seed, 5])
    weights = [p for p in model.parameters() if p.requires_grad]
    many, length = 0, segment_of(model)
    for begin in rng.integers(0, max(1, len(train) - length), SEGMENTS):
        tokens = _column(train[begin : begin + length + 1])
        if len(tokens) > 1:
            with torch.enable_grad():
                nats, _ = model.surprise(tokens)
                model.squares.add(torch.autograd.grad(nats.mean(), weights, allow_unused=True))
            many += 1
    model.squares.divide(max(1, many))
    part = valid if len(valid) > length else train
    part = part[:TRIED]
    rate = min(RATES, key=lambda rate: float(adapted(model, part, rate, PULLS[0]).mean()))
    pull = min(PULLS, key=lambda pull: float(adapted(model, part, rate, pull).mean()))
    model.squares.rate.fill_(rate)
    model.squares.pull.fill_(pull)


def segment_of(model: Any) -> int:
    """Tokens of a segment."""
    return LETTERS_SEGMENT if model.letters else SEGMENT


def _segments(tokens: np.ndarray[Any, Any], length: int) -> Iterator[Tensor]:
    """Pieces (length + 1, 1) of a text, each beginning with the last token of the one before."""
    for begin in range(0, len(tokens) - 1, length):
        yield _column(tokens[begin : begin + length + 1])


def _column(tokens: np.ndarray[Any, Any]) -> Tensor:
    return torch.from_numpy(tokens.astype(np.int64))[:, None]


def _detached(state: Any) -> Any:
    return [tuple(s.detach() for s in one) if isinstance(one, tuple) else one.detach() for one in state]
