"""The learning rate over a run."""

from __future__ import annotations

import pytest

from recurra.tasks.base import Plan, TaskConfig
from recurra.train.schedule import averaging, learning_rate


def test_warm_up_then_cosine() -> None:
    plan = Plan(steps=110, learning_rate=0.4, validate_every=10, warmup=10)
    rates = [learning_rate(plan, step) for step in range(111)]
    assert rates[:10] == sorted(rates[:10])
    assert rates[0] == pytest.approx(0.4 / 11)
    assert rates[10] == 0.4
    assert rates[60] == pytest.approx(0.4 * (0.01 + 0.99 / 2))
    assert rates[110] == pytest.approx(0.004)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_averages_follow_closely_at_first() -> None:
    assert averaging(0.99, 0) == 0.1
    assert averaging(0.99, 10**6) == 0.99


@pytest.mark.parametrize(
    ("given", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400), (" .5 m ", 30), (7, 7)]
)
def test_time_budgets(given: object, seconds: float) -> None:
    assert TaskConfig(time_budget=given).time_budget == seconds
