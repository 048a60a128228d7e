"""Beam search: the likeliest of the texts that a decoder can write, for many inputs side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from recurra.errors import ConfigError

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Beam:
    """How texts are looked for.

    width             texts that are followed side by side; 1 is greedy
    length_penalty    α of Wu et al. (2016), eq. 14: a text's logarithm is divided by ((5 + length) / 6)^α
    coverage_penalty  β of the same: β·Σ log(min(attention that an input's position got, 1)) is added
    most              tokens of a text at most, None for what the task allows
    best              texts of each input that are wanted, the best first; no more than the width
    Raises ConfigError.
    """

    width: int = 5
    length_penalty: float = 1.0
    coverage_penalty: float = 0.0
    most: int | None = None
    best: int = 1

    def __post_init__(self) -> None:
        for name, value, sound, wanted in (
            ("beam width", self.width, self.width >= 1, "to be 1 or more"),
            ("length penalty", self.length_penalty, 0 <= self.length_penalty < math.inf, "to be 0 or more"),
            (
                "coverage penalty",
                self.coverage_penalty,
                0 <= self.coverage_penalty < math.inf,
                "to be 0 or more",
            ),
            ("most tokens", self.most, self.most is None or self.most >= 1, "to be 1 or more"),
            (
                "number of best texts",
                self.best,
                1 <= self.best <= self.width,
                f"from 1 to the beam's {self.width}",
            ),
        ):
            if not sound:
                raise ConfigError(f"expected the {name} {wanted}, got {value}. Give another number.")


class Decoder(Protocol):
    """What writes: states for some rows, each the beginning of a text of one of the inputs."""

    def step(self, parents: Tensor, inputs: Sequence[int], tokens: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Go on from rows of the last call, each with a token more.

        parents  (R,) rows of the last call that these go on from; of the first call, the inputs themselves
        inputs   R numbers of the inputs that they belong to, in order
        tokens   (R,) the last token of each
        Returns the logarithms of the chances of the next one, (R, V), and what each row attends to: for each
        input in order, its rows' weights (K, S).
        """


class Hypothesis(NamedTuple):
    """A text: its tokens without the end, its score, the logarithm of its chance, what each attends to."""

    tokens: list[int]
    score: float
    logarithm: float
    attention: Array  # (T, S)


class Node(NamedTuple):
    """The last token of a beginning of a text, and the beginning before it."""

    token: int
    logarithm: float
    before: Node | None
    attention: Array
    length: int


Progress = Callable[[int, list[int]], None]


@torch.no_grad()
def search(
    decoder: Decoder,
    most: Sequence[int],
    beam: Beam,
    *,
    begin: int,
    end: int,
    never: Sequence[int] = (),
    progress: Progress | None = None,
) -> list[list[Hypothesis]]:
    """The best texts of each input, the best first: same input, same bits, whatever is searched beside it.

    most: tokens of a text at most, by input.  never: tokens that are not written.
    progress: is told of tokens of an input's text as soon as no other can come in their place.
    """
    inputs = [_Input(number, limit, beam) for number, limit in enumerate(most)]
    going = [one for one in inputs if one.limit > 0]
    parents = torch.arange(len(inputs))[[one.number for one in going]]
    while going:
        rows = [(one, node) for one in going for node in one.live]
        tokens = torch.tensor([begin if node is None else node.token for _, node in rows])
        scores, attention = decoder.step(parents, [one.number for one, _ in rows], tokens)
        if len(never):
            scores[:, list(never)] = -math.inf
        best, which = scores.topk(min(beam.width + 1, scores.shape[1]), 1)
        best_of, which_of = best.double().numpy(), which.numpy()
        at, kept = 0, []
        for one, weights in zip(going, attention, strict=True):
            many = len(one.live)
            found = one.extend(best_of[at : at + many], which_of[at : at + many], weights.numpy(), end)
            if found is not None:
                kept += [at + row for row in found]
            if progress is not None:
                one.tell(progress)
            at += many
        going = [one for one in going if not one.done]
        parents = torch.tensor(kept, dtype=torch.int64)
    return [one.best() for one in inputs]


class _Input:
    """The search for one input: beginnings that go on, texts that have ended, and those cut at the limit.

    ended, cut: score, last token, logarithm.
    """

    def __init__(self, number: int, limit: int, beam: Beam) -> None:
        self.number, self.limit, self.beam = number, limit, beam
        self.live: list[Node | None] = [None]
        self.ended: list[tuple[float, Node | None, float]] = []
        self.cut: list[tuple[float, Node | None, float]] = []
        self.done = limit <= 0
        self._told = 0

    def extend(self, best: Array, which: Array, weights: Array, end: int) -> list[int] | None:
        """Take the likeliest tokens (K, W + 1) after each beginning; the rows that go on, None for none."""
        before = np.array([0.0 if node is None else node.logarithm for node in self.live])
        total = before[:, None] + best
        order = np.argsort(-total, axis=None, kind="stable")
        live: list[Node | None] = []
        rows: list[int] = []
        for place in order:
            row, column = divmod(int(place), total.shape[1])
            logarithm, token, node = float(total[row, column]), int(which[row, column]), self.live[row]
            if logarithm == -math.inf:
                break
            length = 1 if node is None else node.length + 1
            if token == end:
                # Only from among the best, as if each were a beam's beginning.
                self.ended.append((self._score(logarithm, length, node, weights[row]), node, logarithm))
                continue
            live.append(Node(token, logarithm, node, weights[row], length))
            rows.append(row)
            if len(live) == self.beam.width:
                break
        self.live = live
        self.done = self._is_done()
        return None if self.done else rows

    def _is_done(self) -> bool:
        first = self.live[0] if self.live else None
        if first is None:
            return True
        if first.length >= self.limit:
            # What could not be ended is taken as it is, after what could.
            for node in self.live:
                assert node is not None
                score = self._score(node.logarithm, node.length + 1, node.before, node.attention)
                self.cut.append((score, node, node.logarithm))
            return True
        if len(self.ended) < self.beam.best:
            return False
        # A beginning only gets less likely; at best it ends now, or as late as it may.
        worst = sorted(score for score, *_ in self.ended)[-self.beam.best]
        return len(self.ended) >= self.beam.width or first.logarithm / self._penalty(self.limit) <= worst

    def _score(self, logarithm: float, length: int, node: Node | None, last: Array) -> float:
        score = logarithm / self._penalty(length)
        if self.beam.coverage_penalty:
            covered = last.astype(np.float64)
            while node is not None:
                covered, node = covered + node.attention, node.before
            score += self.beam.coverage_penalty * float(np.log(np.clip(covered, 1e-9, 1.0)).sum())
        return score

    def _penalty(self, length: int) -> float:
        return float(((5 + length) / 6) ** self.beam.length_penalty)

    def best(self) -> list[Hypothesis]:
        """The best texts: those that have ended, then those that were cut."""
        ended, cut = (sorted(some, key=lambda one: -one[0]) for some in (self.ended, self.cut))
        return [_hypothesis(*one) for one in (ended + cut)[: self.beam.best]]

    def tell(self, progress: Progress) -> None:
        """Say the tokens that all beginnings, and the best ended text, have in common by now."""
        if self.done:
            found = self.best()
            tokens = found[0].tokens if found else []
        else:
            texts = [_tokens(node) for node in self.live]
            texts += [_tokens(node) for _, node, *_ in self.ended]
            tokens = _common(texts)
        if len(tokens) > self._told:
            progress(self.number, tokens[self._told :])
            self._told = len(tokens)


def _hypothesis(score: float, node: Node | None, logarithm: float) -> Hypothesis:
    attention = []
    last = node
    while last is not None:
        attention.append(last.attention)
        last = last.before
    weights = np.stack(attention[::-1]) if attention else np.zeros((0, 0), dtype=np.float32)
    return Hypothesis(_tokens(node), score, logarithm, weights)


def _tokens(node: Node | None) -> list[int]:
    tokens = []
    while node is not None:
        tokens.append(node.token)
        node = node.before
    return tokens[::-1]


def _common(texts: list[list[int]]) -> list[int]:
    """The tokens that all texts begin with."""
    first, *others = texts
    size = min(map(len, texts))
    at = next((n for n in range(size) if any(one[n] != first[n] for one in others)), size)
    return first[:at]
