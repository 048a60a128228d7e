from types import SimpleNamespace

import numpy as np

from recurra.report.methods import Column, Gain, table
from recurra.report.numbers import number, percent, signed
from recurra.report.page import Page


def ends(low, high, **more):
    return SimpleNamespace(low=low, high=high, **more)


def test_methods_stand_side_by_side_with_intervals_and_gains():
    ours = SimpleNamespace(
        name="Ours",
        metrics={"loss": 1.5, "right": 0.9},
        intervals={"loss": ends(1.25, 1.75), "right": ends(0.85, 0.95)},
        differences={},
    )
    theirs = SimpleNamespace(
        name="Theirs",
        metrics={"loss": 1.5, "right": float("nan")},
        intervals={"loss": ends(float("nan"), float("nan"))},
        differences={"loss": ends(-0.5, 0.5, estimate=0.25)},
    )
    page = Page("A page")
    columns = [Column("loss", "Loss", number, np.nanmin), Column("right", "Right", percent)]
    table(page, [ours, theirs], columns, Gain("loss", "Gain", signed), "Some")
    html = page.html()
    assert '<td class="best">1.500\n1.250–1.750</td><td class="best">90.0 %\n85.0–95.0</td><td></td>' in html
    assert '<td class="best">1.500</td><td>–</td><td>+0.250\n−0.500 to +0.500</td>' in html
    page = Page("A page")
    columns = [Column("loss", "Loss", number, None)]
    theirs.differences["loss"] = ends(float("nan"), float("nan"), estimate=0.0)
    table(page, [ours, theirs], columns, Gain("loss", "Gain", signed))
    assert "best" not in page.html().split("<main>")[1]
    assert "<td>+0</td>" in page.html()
    assert signed(float("nan")) == "–"
