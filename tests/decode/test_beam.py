"""Beam search beside a search through every text that there is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from recurra.decode.beam import Beam, Hypothesis, search
from recurra.errors import ConfigError

BEGIN = END = 0
TOKENS, SOURCE = 4, 3


class Table:
    """A decoder whose chances depend on the input and the last two tokens."""

    def __init__(self, inputs: int, seed: int = 0) -> None:
        dice = torch.Generator().manual_seed(seed)
        self.scores = torch.randn(inputs, TOKENS, TOKENS, TOKENS, generator=dice).log_softmax(-1)
        self.attention = torch.rand(inputs, TOKENS, SOURCE, generator=dice)
        self.last: Tensor | None = None

    def step(self, parents: Tensor, inputs: Sequence[int], tokens: Tensor) -> tuple[Tensor, list[Tensor]]:
        before = torch.zeros(len(tokens), dtype=torch.int64) if self.last is None else self.last[parents]
        self.last = tokens
        of = torch.tensor(list(inputs))
        weights = self.attention[of, tokens]
        groups = [weights[of == n] for n in dict.fromkeys(inputs)]
        return self.scores[of, before, tokens].clone(), groups

    def logarithm(self, number: int, text: Sequence[int], *, ended: bool = True) -> float:
        path = [BEGIN, BEGIN, *text] + [END] * ended
        return sum(
            float(self.scores[number, a, b, c]) for a, b, c in zip(path, path[1:], path[2:], strict=False)
        )


def everything(table: Table, number: int, most: int, penalty: float) -> list[tuple[float, tuple[int, ...]]]:
    """All texts of up to most - 1 tokens and their end, the best first."""
    found = []
    for size in range(most):
        for text in itertools.product(range(1, TOKENS), repeat=size):
            score = table.logarithm(number, text) / ((5 + size + 1) / 6) ** penalty
            found.append((score, text))
    return sorted(found, reverse=True)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_a_beam_that_holds_everything_finds_the_best(penalty: float) -> None:
    inputs, most = 6, 4
    beam = Beam(width=200, length_penalty=penalty, best=3)
    found = search(Table(inputs), [most] * inputs, beam, begin=BEGIN, end=END)
    for number, texts in enumerate(found):
        best = everything(Table(inputs), number, most, penalty)[:3]
        assert [tuple(one.tokens) for one in texts] == [text for _, text in best]
        np.testing.assert_allclose([one.score for one in texts], [score for score, _ in best], rtol=1e-5)


def test_a_width_of_one_takes_the_likeliest_token_each_time() -> None:
    table = Table(8, seed=3)
    found = search(Table(8, seed=3), [6] * 8, Beam(width=1), begin=BEGIN, end=END)
    for number, (text,) in enumerate(found):
        tokens, before, last = [], BEGIN, BEGIN
        while len(tokens) < 6:
            token = int(table.scores[number, before, last].argmax())
            if token == END:
                break
            tokens.append(token)
            before, last = last, token
        assert text.tokens == tokens


def test_inputs_do_not_know_of_each_other() -> None:
    beam = Beam(width=3, best=2)
    whole = search(Table(5), [3, 5, 4, 1, 2], beam, begin=BEGIN, end=END)
    table = Table(5)
    for number, most in enumerate([3, 5, 4, 1, 2]):
        alone = Table(5)
        alone.scores, alone.attention = table.scores[number:][:1], table.attention[number:][:1]
        one = search(alone, [most], beam, begin=BEGIN, end=END)[0]
        assert [(a.tokens, a.score) for a in one] == [(a.tokens, a.score) for a in whole[number]]


def test_no_text_is_longer_than_it_may_be_and_some_text_there_is() -> None:
    table = Table(3)
    table.scores[..., END] = -math.inf  # it never ends of its own accord
    found = search(table, [4, 1, 0], Beam(width=2), begin=BEGIN, end=END)
    assert [len(texts[0].tokens) if texts else 0 for texts in found] == [4, 1, 0]


def test_texts_that_are_cut_have_the_scores_of_their_own() -> None:
    table = Table(4)
    table.scores[..., END] -= 2
    found = search(table, [3] * 4, Beam(width=4, best=4), begin=BEGIN, end=END)
    cut = [len(one.tokens) == 3 for texts in found for one in texts]
    assert 0 < sum(cut) < len(cut)
    for number, texts in enumerate(found):
        sizes = [len(one.tokens) for one in texts]
        assert sorted(sizes, key=lambda size: size == 3) == sizes  # those that have ended come first
        for one in texts:
            logarithm = table.logarithm(number, one.tokens, ended=len(one.tokens) < 3)
            assert one.score == pytest.approx(logarithm / ((5 + len(one.tokens) + 1) / 6), rel=1e-5)


def test_what_must_not_be_written_is_not() -> None:
    found = search(Table(6), [5] * 6, Beam(width=4, best=4), begin=BEGIN, end=END, never=(2,))
    assert not any(2 in one.tokens for texts in found for one in texts)


def test_attention_of_each_token_comes_with_it() -> None:
    table = Table(2)
    (first, *_), _ = search(Table(2), [5, 5], Beam(width=3), begin=BEGIN, end=END)
    path = [BEGIN, *first.tokens[:-1]]
    expected = (
        torch.stack([table.attention[0, token] for token in path]) if first.tokens else torch.zeros(0, 0)
    )
    np.testing.assert_array_equal(first.attention, expected.numpy())


def test_a_coverage_penalty_prefers_texts_that_attend_to_all() -> None:
    def uncovered(found: list[Hypothesis], table: Table) -> float:
        path = [BEGIN, *found[0].tokens]
        total = sum(table.attention[0, token] for token in path)
        return float(torch.as_tensor(total).clamp(max=1).log().sum())

    gains = []
    for seed in range(20):
        without, with_it = (
            search(Table(1, seed), [4], Beam(width=100, coverage_penalty=beta), begin=BEGIN, end=END)[0]
            for beta in (0.0, 5.0)
        )
        gains.append(uncovered(with_it, Table(1, seed)) - uncovered(without, Table(1, seed)))
    assert min(gains) >= -1e-6
    assert max(gains) > 0.1


def test_what_is_told_early_is_what_it_will_be() -> None:
    told: dict[int, list[int]] = {n: [] for n in range(8)}
    calls = []

    def progress(number: int, tokens: list[int]) -> None:
        told[number] += tokens
        calls.append(number)

    table = Table(8, seed=1)
    table.scores *= 3  # surer of each token
    table.scores[..., END] -= 4  # and longer texts
    found = search(table, [30] * 8, Beam(width=3), begin=BEGIN, end=END, progress=progress)
    assert all(texts[0].tokens == told[number] for number, texts in enumerate(found))
    assert len(calls) > len({*calls})  # not all at the end


@pytest.mark.parametrize(
    "options", [{"width": 0}, {"length_penalty": -1}, {"coverage_penalty": -1}, {"most": 0}, {"best": 6}]
)
def test_what_no_search_can_do_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="expected the"):
        Beam(**options)  # type: ignore[arg-type]
