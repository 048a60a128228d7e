"""Passages, odd lines, rare tokens, and what a short memory costs."""

import numpy as np
import pytest
import torch
from language_models import letters, small

from recurra.data.tokens import BORDER, BYTES, FIRST, Tokens
from recurra.tasks.language import insight
from recurra.tasks.language.insight import bands, count_tokens, memory, oddest, passages, spelled, typical

NEWLINE = 2


def lines(*lengths):
    """Tokens of lines that are so long, each with its end, after a BORDER."""
    return np.concatenate([[BORDER], *([3] * (length - 1) + [NEWLINE] for length in lengths)])


def test_the_passage_is_the_one_in_the_middle():
    tokens = lines(*[10] * 9)
    means = np.array([5, 1, 9, 2, 8, 3, 7, 4, 6]) / 10
    nats = np.repeat(means, 10)
    found = typical(tokens, nats, 10, NEWLINE)
    assert (found.begin, found.end) == (1, 11)
    assert found.nats == pytest.approx(0.5)


def test_passages_begin_with_lines_where_lines_are_short():
    tokens = lines(*[7] * 20)
    begins, ends = passages(tokens, 30, NEWLINE)
    assert all(tokens[begin - 1] in (NEWLINE, BORDER) for begin in begins[:-1])
    assert np.all(ends - begins == 30)
    begins, _ = passages(lines(500), 30, NEWLINE)
    assert np.array_equal(begins, np.arange(1, 501 - 29, 30))
    blank = np.array([BORDER, *[NEWLINE] * 5, 3, 3, NEWLINE, *[3] * 40])
    assert passages(blank, 20, NEWLINE)[0][0] == 6


def test_a_text_shorter_than_a_passage_is_the_passage():
    found = typical(np.array([BORDER, 3]), np.array([1.5]), 100, NEWLINE)
    assert (found.begin, found.end, found.nats) == (1, 2, 1.5)


def test_the_oddest_lines_are_found_and_short_ones_must_be_odder():
    tokens = lines(*[20] * 30, 1, *[20] * 9)
    nats = np.ones(len(tokens) - 1)
    nats[40:60] = 3.0
    nats[600] = 5.0  # the line of one token
    first, second = oddest(tokens, nats, NEWLINE, 2, 5.0)
    assert (first.begin, first.end, first.nats) == (41, 61, pytest.approx(3.0))
    assert (second.begin, second.end, second.nats) == (601, 602, pytest.approx(5.0))
    (alone,) = oddest(tokens, nats, NEWLINE, 1, 0.0)
    assert alone.begin == 601
    assert oddest(lines(5, 5), np.ones(10), NEWLINE, 2, 5.0) == []


def test_odd_lines_that_say_the_same_are_shown_once():
    tokens = lines(*[20] * 30, *[4] * 3, 5)
    nats = np.ones(len(tokens) - 1)
    nats[600:612] = 9.0
    found = oddest(tokens, nats, NEWLINE, 3, 0.0)
    assert [one.end - one.begin for one in found] == [4, 21, 5]  # with the BORDER


def test_documents_divide_lines():
    tokens = np.array([BORDER, 3, 3, BORDER, 4, 4, BORDER, 5, 5, NEWLINE])
    nats = np.array([1, 1, 0, 9, 9, 0, 1, 1, 1.0])
    (odd,) = oddest(tokens, nats, NEWLINE, 1, 1.0)
    assert (odd.begin, odd.end, odd.nats) == (3, 6, 9.0)


def test_tokens_that_add_nothing_belong_to_the_next():
    tokens = Tokens(unit="bytes", tokens=(*FIRST, *BYTES))
    numbers = tokens.encode("aé\n")
    pieces, ends = spelled(tokens, numbers)
    assert pieces == ["a", "é", "\n"]
    assert ends.tolist() == [0, 2, 3]
    assert spelled(tokens, np.array([BORDER]))[0] == []


def test_tokens_are_counted_up_to_a_limit(monkeypatch):
    train = np.array([0, 2, 3, 3, 2, 3, 4], dtype=np.uint16)
    assert count_tokens(train, 6).tolist() == [1, 0, 2, 3, 1, 0]
    monkeypatch.setattr(insight, "PIECE", 2)
    assert count_tokens(train, 6).tolist() == [1, 0, 2, 3, 1, 0]
    monkeypatch.setattr(insight, "COUNTED", 3)
    assert count_tokens(train, 6).sum() >= 3


def test_bands_are_by_frequency_and_none_is_small():
    counts = np.array([50, 0, 2000, 1500, 120, 30, 5, 0, 0])
    rng = np.random.default_rng(0)
    tokens = np.append(BORDER, rng.permutation(np.repeat([2, 3, 4, 5, 6, 7], [900, 600, 250, 90, 150, 30])))
    ours = np.log(np.arange(1, 10))[tokens[1:]]
    found = bands(counts, tokens, [ours, 2 * ours])
    assert [(band.least, band.most) for band in found] == [(1000, None), (100, 999), (0, 99)]
    assert [band.kinds for band in found] == [2, 1, 5]
    assert sum(band.share for band in found) == pytest.approx(1)
    assert found[1].nats == (pytest.approx(np.log(5)), pytest.approx(2 * np.log(5)))
    mean = sum(band.share * band.nats[0] for band in found)
    assert mean == pytest.approx(ours.mean())


def test_frequent_tokens_alone_are_one_band():
    tokens = np.append(BORDER, np.full(500, 2))
    (band,) = bands(np.array([1, 0, 10_000]), tokens, [np.ones(500)])
    assert (band.share, band.nats) == (1.0, (1.0,))
    (unseen,) = bands(np.zeros(4, dtype=int), tokens, [np.ones(500)])
    assert (unseen.least, unseen.share) == (0, 1.0)


def whole(model, tokens):
    """Nats of all tokens but the first, given all before."""
    with torch.no_grad():
        nats, _ = model.surprise(torch.from_numpy(tokens.astype(np.int64))[:, None])
    return nats[:, 0].numpy()


def test_a_short_memory_costs_nothing_where_nothing_is_remembered():
    """Weights from state to state of zero, and a forget gate that is shut."""
    model = small("RNN").eval()
    for layer in model.recurrent():
        torch.nn.init.zeros_(layer.weight_hh_l0)
    tokens = letters(1200, 1)[:, 0].numpy()
    found = memory(model, tokens, whole(model, tokens))
    assert found.read.tolist() == [1, 2, 4, 8, 16, 32, 64]
    np.testing.assert_allclose(found.excess, 0, atol=1e-5)


def test_what_a_short_memory_costs_is_measured_in_pieces_too(monkeypatch):
    model = small("GRU").eval()
    for weight in model.parameters():
        weight.data.mul_(4)
    tokens = letters(1200, 1)[:, 0].numpy()
    nats = whole(model, tokens)
    found = memory(model, tokens, nats)
    begins = np.linspace(0, 1199 - 64, 1199 // 64).astype(int)
    first = [whole(model, tokens[at : at + 2])[0] - nats[at] for at in begins]
    assert found.excess[0] == pytest.approx(np.mean(first), abs=1e-5)
    assert abs(found.excess[0]) > 10 * abs(found.excess[-1])
    monkeypatch.setattr(insight, "CHANCES", 1)
    np.testing.assert_allclose(memory(model, tokens, nats).excess, found.excess, atol=1e-5)


def test_behind_a_border_nobody_knows_more_and_short_texts_tell_nothing():
    model = small("GRU").eval()
    tokens = letters(1200, 1)[:, 0].numpy().copy()
    tokens[::3] = BORDER
    assert memory(model, tokens, whole(model, tokens)) is None
    assert memory(model, tokens[:500], whole(model, tokens[:500])) is None
