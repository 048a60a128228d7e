"""Units that follow something in a text are found, and those that do not are not taken for one."""

import numpy as np
import pytest
import torch
from language_models import letters, small

from recurra.tasks.language import hidden
from recurra.tasks.language.hidden import activations, correlations, followed
from recurra.tasks.language.traits import Trait, traits


def spoken(sentences, seed=0):
    """Text in which some sentences are quoted, character by character."""
    rng = np.random.default_rng(seed)
    words = ["the", "cat", "saw", "an", "old", "ship", "go", "home"]
    found = []
    for number in range(sentences):
        sentence = " ".join(rng.choice(words, rng.integers(3, 9)))
        found.append(f'"{sentence}," he said.' if rng.random() < 0.5 else sentence.capitalize() + ".")
        found.append("\n" if number % 4 == 3 else " ")
    return "".join(found)


@pytest.fixture(name="planted", scope="module")
def _planted():
    """Traits of a text, and layers of chance with two units among them that follow traits."""
    text = spoken(300)
    found = traits(list(text))
    tokens = np.array([ord(character) for character in text])
    rng = np.random.default_rng(1)
    layers = [rng.normal(size=(len(text), 30)), rng.normal(size=(len(text), 40))]
    by_name = {one.name: one.values for one in found}
    layers[0][:, 7] = -by_name["inside quotes"] + rng.normal(size=len(text)) * 0.2
    layers[1][:, 39] = by_name["place in the line"] + rng.normal(size=len(text)) * 20
    return found, layers, tokens


def test_the_planted_units_are_found_and_named(planted):
    rows = {row.trait.name: row for row in followed(*planted)}
    quotes, line = rows["inside quotes"], rows["place in the line"]
    assert (quotes.layer, quotes.unit) == (1, 8)
    assert quotes.correlation < -0.9
    assert quotes.close
    assert (line.layer, line.unit) == (2, 40)
    assert line.close
    assert line.correlation > 0
    for name in ("capital letter", "letters of the word so far"):
        assert not rows[name].close
    np.testing.assert_array_equal(quotes.values, planted[1][0][:, 7])


def test_what_needs_memory_comes_first_and_what_does_not_occur_is_left_out(planted):
    rows = followed(*planted)
    assert rows[0].trait.name in ("inside quotes", "place in the line")
    names = [row.trait.name for row in rows]
    assert "inside ( )" not in names
    assert "digit" not in names
    alone = {row.trait.name: row.alone for row in rows}
    assert alone["capital letter"] == pytest.approx(1)
    assert alone["inside quotes"] < 0.5


def test_a_unit_is_judged_where_it_was_not_chosen():
    """The best of many units of chance looks good on what it was chosen by, and is told to be none."""
    rng = np.random.default_rng(0)
    values = (np.arange(240) // 5 % 2).astype(float)
    units = rng.normal(size=(240, 2000))
    assert np.abs(correlations(values[:120, None], units[:120])).max() > 0.3
    (row,) = followed([Trait("even", values)], [units], rng.integers(0, 5, 240))
    assert abs(row.correlation) < 0.3
    half = np.append(values[:120], np.zeros(120))
    assert followed([Trait("in one half", half)], [units], np.zeros(240, dtype=int)) == []


def test_constants_follow_nothing():
    values = (np.arange(100) % 3).astype(float)
    (row,) = followed([Trait("of three", values)], [np.full((100, 4), 0.1)], np.arange(100) % 2)
    assert row.correlation == 0
    assert np.array_equal(row.far(), np.zeros(100))
    assert correlations(values[:, None], -2 * values[:, None])[0, 0] == pytest.approx(-1)


def test_the_passage_is_of_the_second_half_and_does_as_well_as_half_of_them(planted):
    row = next(row for row in followed(*planted) if row.trait.name == "inside quotes")
    many = len(row.values)
    begins = np.arange(0, many - 200, 200)
    begin, end = row.passage(begins, begins + 200)
    assert end - begin == 200
    assert begin >= many // 2
    assert 0 < row.trait.values[begin:end].sum() < 200

    def well(a):
        return np.corrcoef(row.trait.values[a : a + 200], -row.values[a : a + 200])[0, 1]

    others = [well(a) for a in begins if a >= many // 2]
    assert sum(other < well(begin) for other in others) == pytest.approx(len(others) / 2, abs=1)
    # Where the unit is on the trait's side, it is above zero.
    assert row.far()[row.trait.values == 1].mean() > 0.5


def test_activations_are_those_of_each_layer_whatever_the_pieces(monkeypatch):
    model = small("LSTM", dropout=1.0).train()
    tokens = letters(50, 1)[:, 0].numpy().astype(np.uint16)
    found = activations(model, tokens)
    assert [one.shape for one in found] == [(50, 12), (50, 8)]
    monkeypatch.setattr(hidden, "PIECE", 7)
    for one, other in zip(found, activations(model, tokens), strict=True):
        np.testing.assert_array_equal(one, other)
    assert model.training
    model.eval()
    with torch.no_grad():
        y, _ = model(torch.from_numpy(tokens.astype(np.int64))[:, None])
    np.testing.assert_array_equal(found[1], y[:, 0].numpy())
    assert not any(layer._forward_hooks for layer in model.layers)
