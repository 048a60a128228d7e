"""Which steps of a sequence decided: how far each one moved the model towards the class that it chose.

What is explained is the log-odds of that class: its logit less the logarithm of the summed exponentials of
the others (of several labels, the surest one's own logit). Two ways, both of one value a step:

- `occlusion` (Zeiler & Fergus 2014): a span of steps is hidden, its embedding set to zero, which is what
  padding is for tokens and the average for scaled numbers; the influence is what the log-odds lose, shared
  among the span's steps. Tokens are hidden one by one where there are few, else in spans, and those that
  matter most then in shorter ones; numbers, of which one alone rarely decides, in overlapping windows of two
  widths, and what matters most closer.
- `gradient` × input (Shrikumar et al. 2016): the gradient of the log-odds to each embedding, times that
  embedding; one pass back whatever the length.

`influence` is occlusion. Where one word among a dozen decides, both find it, and occlusion gives the other
words less. Where a bump in noise decides, a network that pools its states is led to it by occlusion in 85 to
100 of 100 series and by the gradient in 0 to 98: a unit that is saturated, as a sure network's are, no longer
moves with its input. In a network that answers from its last state both are weaker, and the gradient is the
weaker one. tests/tasks/classify/test_influence.py holds the comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from recurra.data.ragged import Ragged
    from recurra.tasks.classify.data import ClassifyData

Array = np.ndarray[Any, np.dtype[Any]]
Span = tuple[int, int]  # from a step up to another, which is no longer in it

# Forward passes for one sequence, and how many of them are kept for looking closer.
PASSES, CLOSER = 64, 20
# Windows that a sequence of numbers is cut into, before they overlap by half: 11 and 31 spans.
WIDE, NARROW = 6, 16
# Steps that all passes of one sequence may read together, unless that leaves fewer passes than FEWEST.
MOST_STEPS, FEWEST = 2_000_000, 8
# Shorter spans that a span which matters is cut into.
PIECES = 5
# Numbers in the embeddings of one batch.
CHUNK = 4_000_000


class Explainable(Protocol):
    """What a model must offer; see recurra.tasks.classify.model."""

    training: bool

    def embed(self, x: Tensor) -> Tensor:
        """(B, T) tokens or (B, T, C) numbers as (B, T, E)."""

    def classify(self, embedded: Tensor, lengths: Tensor, x: Tensor) -> Tensor:
        """Logits (B, K) of embedded sequences."""

    def train(self, mode: bool = True) -> Any:
        """As nn.Module.train."""


def influence(model: Any, data: ClassifyData, which: Sequence[int] | Array) -> list[Array]:
    """For each of these examples (T,) float64: what each step adds to the log-odds of the class chosen."""
    return occlusion(model, data.examples.x, which, several=bool(data.schema.several))


def occlusion(model: Any, x: Ragged, which: Sequence[int] | Array, *, several: bool) -> list[Array]:
    """What the log-odds of the chosen class lose where a step, or the span it is in, is hidden."""
    with _judging(model), torch.no_grad():
        return [_occluded(model, x, int(n), several) for n in which]


def _occluded(model: Explainable, x: Ragged, n: int, several: bool) -> Array:
    inputs, lengths = x.padded(np.array([n]))
    steps = int(lengths[0])
    if steps == 0:
        return np.zeros(0)
    embedded = model.embed(inputs)
    logits = model.classify(embedded, lengths, inputs)
    winner = int(logits[0].argmax())
    whole = float(_log_odds(logits, winner, several)[0])

    def lost(spans: list[tuple[int, int]]) -> Array:
        size = max(1, CHUNK // embedded[0].numel())
        parts = []
        for start in range(0, len(spans), size):
            some = spans[start : start + size]
            hidden = embedded.repeat(len(some), 1, 1)
            for row, (begin, end) in zip(hidden, some, strict=True):
                row[begin:end] = 0.0
            rows = len(some)
            found = model.classify(hidden, lengths.repeat(rows), inputs.expand(rows, *inputs.shape[1:]))
            parts.append(whole - _log_odds(found, winner, several).double().numpy())
        return np.concatenate(parts)

    return _searched(lost, steps, tokens=not inputs.is_floating_point())


def _searched(lost: Callable[[list[Span]], Array], steps: int, *, tokens: bool) -> Array:
    """Hide spans that cover every step, then the parts of those that matter most; (T,) a step's share."""
    passes = int(np.clip(MOST_STEPS // steps, FEWEST, PASSES))
    closer = passes * CLOSER // PASSES
    if tokens and steps <= passes:
        return lost([(step, step + 1) for step in range(steps)])
    if tokens:
        spans = _cut(0, steps, passes - closer)
    else:
        spans = sorted(
            {*_windows(steps, NARROW * passes // PASSES), *_windows(steps, WIDE * passes // PASSES)}
        )
    total, times = np.zeros(steps), np.zeros(steps)
    losses = lost(spans)
    _share_out(spans, losses, total, times)
    if tokens:
        total[:], times[:] = total / times, 1
        worth = [spans[place] for place in np.argsort(-np.abs(losses), kind="stable")]
    else:
        density = np.abs(total / times)
        blocks = _cut(0, steps, passes // PIECES)
        worth = sorted(blocks, key=lambda span: -float(density[span[0] : span[1]].mean()))
    parts: list[Span] = []
    for begin, end in worth:
        pieces = _cut(begin, end, PIECES)
        if len(parts) + len(pieces) > closer:
            break
        parts += pieces if end - begin > 1 else []
    if parts:
        found = lost(parts)
        if tokens:  # a word's own influence stands in the place of its span's
            for begin, end in parts:
                total[begin:end] = times[begin:end] = 0
        _share_out(parts, found, total, times)
    return np.asarray(total / times)


def _share_out(spans: list[Span], losses: Array, total: Array, times: Array) -> None:
    for (begin, end), loss in zip(spans, losses, strict=True):
        total[begin:end] += loss / (end - begin)
        times[begin:end] += 1


def _cut(begin: int, end: int, parts: int) -> list[Span]:
    """So many spans end to end, or as many as there are steps."""
    edges = np.linspace(begin, end, max(1, min(parts, end - begin)) + 1).round().astype(int).tolist()
    return list(pairwise(edges))


def _windows(steps: int, parts: int) -> list[Span]:
    """Spans of one width that overlap by half and reach both ends."""
    wide = max(1, round(steps / max(1, parts)))
    starts = [*range(0, steps - wide, max(1, wide // 2)), steps - wide]
    return [(start, start + wide) for start in starts]


def gradient(model: Any, x: Ragged, which: Sequence[int] | Array, *, several: bool) -> list[Array]:
    """The gradient of the chosen class's log-odds to each step's embedding, times that embedding."""
    found = []
    with _judging(model), torch.enable_grad():
        for n in which:
            inputs, lengths = x.padded(np.array([int(n)]))
            embedded = model.embed(inputs).detach().requires_grad_()
            logits = model.classify(embedded, lengths, inputs)
            score = _log_odds(logits, int(logits[0].argmax()), several).sum()
            (slope,) = torch.autograd.grad(score, embedded)
            each = (slope * embedded).sum(-1)[0, : int(lengths[0])]
            found.append(each.detach().double().numpy())
    return found


def _log_odds(logits: Tensor, winner: int, several: bool) -> Tensor:
    """(B,) of one class."""
    own = logits[:, winner]
    if several or logits.shape[1] == 1:
        return own
    others = torch.cat([logits[:, :winner], logits[:, winner + 1 :]], 1)
    return own - others.logsumexp(1)


@contextmanager
def _judging(model: Explainable) -> Iterator[None]:
    """Without dropout, for a while."""
    before = model.training
    model.train(False)
    try:
        yield
    finally:
        model.train(before)
