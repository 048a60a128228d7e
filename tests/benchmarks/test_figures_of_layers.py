from dataclasses import replace

import pytest
import torch

from layers import accuracy, one_step, speed
from layers.pairs import Pair
from layers.shapes import ALL, CELLS, SEVEN, TWENTY, Shape
from layers.targets import Target, number, targets_table
from layers.timing import QUICK

SMALL = Shape(3, 5, 2, 4)


def test_there_are_as_many_shapes_as_the_page_says():
    assert (len(SEVEN), len(TWENTY)) == (7, 20)
    assert len({shape.name for shape in ALL}) == 27
    assert all(shape.why for shape in ALL)


def test_operations_are_those_of_the_products():
    assert SMALL.operations("GRU") == 2 * 15 * 3 * 4 * (2 + 4)
    deep = replace(SMALL, layers=2, bidirectional=True)
    assert deep.operations("RNN") == 2 * 15 * 2 * 4 * ((2 + 4) + (8 + 4))
    projected = replace(SMALL, projection=3)
    assert projected.operations("LSTM") == 2 * 15 * (4 * 4 * (2 + 3) + 3 * 4)
    assert projected.operations("GRU") == SMALL.operations("GRU")
    ragged = replace(SMALL, ragged=True)
    assert ragged.operations("GRU") == SMALL.operations("GRU") / 15 * int(ragged.lengths().sum())


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("options", [{}, {"ragged": True, "batch_first": True}, {"projection": 3}])
def test_both_sides_do_the_same(cell, options):
    assert Pair.of(cell, replace(SMALL, **options)).difference() is None


@pytest.mark.parametrize("wrong", ["weight_hh_l0", "bias_ih_l0"])
def test_nothing_is_reported_of_wrong_results(wrong, monkeypatch):
    pair = Pair.of("GRU", SMALL)
    with torch.no_grad():
        getattr(pair.ours, wrong).add_(0.01)
    assert "y of GRU(3, 5, 2, 4) differs" in pair.difference()
    monkeypatch.setattr(Pair, "of", lambda cell, shape: pair)
    with pytest.raises(SystemExit, match="no figures are reported"):
        speed.measure(QUICK, [SMALL])


def test_a_nan_is_a_difference():
    pair = Pair.of("LSTM", SMALL)
    with torch.no_grad():
        pair.ours.bias_ih_l0.fill_(torch.nan)
    assert pair.difference() is not None


def test_ratios_and_shares(monkeypatch):
    shape = Shape(1, 1000, 128, 256)
    monkeypatch.setitem(speed.NAMES, shape.name, shape)
    row = {"cell": "RNN", "shape": shape.name, "mode": "training", "seconds": {"torch": [4.0], "ours": [2.0]}}
    assert speed.ratio(row) == 2.0
    flops = 3 * 2 * 1000 * 256 * (128 + 256)
    assert speed.share(row, [flops / 2e9, flops / 1e9]) == pytest.approx(0.5)
    assert speed.share(row, []) is None


def test_errors_are_found_in_float32_alone():
    found = accuracy._errors("LSTM", Shape(2, 20, 3, 8))
    assert 0 < found["torch"] < 10
    assert 0 < found["ours"] < 10


@pytest.mark.parametrize(
    ("target", "verdict"),
    [
        (Target("speed", 9.0, 9.0), "reached"),
        (Target("speed", 10.0, 9.0), "not reached: 10% below"),
        (Target("memory", 0.3, 0.29, most=True), "reached"),
        (Target("memory", 0.3, 0.6, most=True), "not reached: 100% above"),
    ],
)
def test_verdicts(target, verdict):
    assert target.verdict == verdict
    assert targets_table([target]).endswith(f"| {verdict} |")


@pytest.mark.parametrize(
    ("value", "text"),
    [(12345.6, "12,346"), (12.34, "12.3"), (1.234, "1.23"), (0.1234, "0.123"), (1e-5, "1.0e-05"), (0, "0")],
)
def test_numbers_have_three_digits(value, text):
    assert number(value) == text


def test_one_step_names_the_width_that_is_furthest_behind():
    seconds = {"torch": [60.0], "onnx": [20.0], "ours": [1.0], "bfloat16": [0.5]}
    slow = seconds | {"torch": [2.0]}
    rows = [
        {"cell": cell, "units": units, "bfloat16_error": {}, "seconds": slow if units == 256 else seconds}
        for cell in ("GRU", "LSTM")
        for units in one_step.UNITS
    ]
    first, second, third = list(one_step.targets({"rows": rows}))[:3]
    assert first.what.endswith("256")
    assert (first.wanted, first.measured, first.reached) == (2.4, 2.0, False)
    assert second.reached
    assert third.measured == 2.0
    assert "**2.00** (≥ 2.4)" in one_step.tables({"rows": rows})
