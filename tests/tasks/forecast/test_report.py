import re
from types import SimpleNamespace

import numpy as np
import pytest
from panels import panel

from recurra.report import figures
from recurra.report.page import Page
from recurra.tasks.forecast import report
from recurra.tasks.forecast.baselines import naive
from recurra.tasks.forecast.config import QUANTILES, ForecastConfig
from recurra.tasks.forecast.evaluate import evaluate, windows

pytest.importorskip("matplotlib", reason="needs the extra [forecast]")


def written(count=3, length=80, *, unit="day", gap=False, stride=2, **options):
    rng = np.random.default_rng(0)
    series = [10 + np.sin(np.arange(length)) + rng.normal(0, 0.2, length) for _ in range(count)]
    if gap:
        for y in series:
            y[-9:-5] = np.nan
    many = panel(*series, horizon=6, seasons=(6,), unit=unit)
    first = np.full(count, length - 24)
    which = windows(many, first, np.full(count, length), 6, stride)
    found = evaluate(
        lambda given, which: naive(given, which, 6, QUANTILES),
        many,
        which,
        insample=first,
        levels=QUANTILES,
        **{"classical_seconds": 0.02, **options},
    )
    page = Page("Forecast", bundle="runs/x")
    data = SimpleNamespace(found=("time: day", "season: 6 steps"))
    report.write(page, ForecastConfig(horizon=6), data, found)
    return page.html(), found


def test_a_report_has_every_section_and_stays_small():
    html, found = written()
    for title in (
        "The verdict", "Forecasts and what happened", "How the error grows, and how the intervals hold",
        "What was found in the data", "How to use it",
    ):  # fmt: skip
        assert f">{title}</h2>" in html
    assert html.count("<svg") >= 6
    assert len(html) < 2_000_000
    assert found.words[0].split(":")[0] in html
    assert "recurra predict runs/x recent.csv --out forecast.csv" in html
    assert "season: 6 steps" in html
    assert found.signature in html
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', html)) <= set(ids)


def test_the_same_evaluation_is_the_same_page():
    assert written()[0] == written()[0]


@pytest.mark.parametrize("unit", ["step", "minute", "week", "month", "year"])
def test_any_unit_of_time_can_be_drawn(unit):
    assert "<svg" in written(1, unit=unit)[0]


def test_missing_truths_are_drawn_as_gaps():
    html, _ = written(gap=True)
    assert not re.search(r"\bnan\b", html, re.IGNORECASE)


def test_one_window_is_enough():
    html, _ = written(1, stride=100)
    assert "too few windows for an interval" in html
    assert "A typical window" in html


def test_a_run_without_a_test_part_says_so():
    many = panel([1.0, 2.0], horizon=6)
    nothing = windows(many, np.array([2]), np.array([2]), 6, 1)
    found = evaluate(
        lambda given, which: naive(given, which, 6, QUANTILES),
        many,
        nothing,
        insample=np.array([2]),
        levels=QUANTILES,
    )
    page = Page("Forecast")
    report.write(page, ForecastConfig(), SimpleNamespace(found=()), found)
    assert "Nothing could be evaluated" in page.html()


def test_without_matplotlib_the_report_is_written_and_says_why_nothing_is_drawn(monkeypatch):
    monkeypatch.setattr(figures, "missing", lambda: "The report will have no figures.")
    html, _ = written()
    assert "<svg" not in html
    assert "The report will have no figures." in html
