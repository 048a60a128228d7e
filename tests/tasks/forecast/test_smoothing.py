"""The classical members against hand-worked recursions, and their states against the future."""

import numpy as np
import pytest

from recurra.tasks.forecast import smoothing
from recurra.tasks.forecast.smoothing import LEVEL_GAINS, Member, members
from recurra.tasks.forecast.tracks import smooth
from recurra.tasks.forecast.view import States, forecasts

EVERY = members((4, 6))


class Smoothed:
    """One member run over series."""

    def __init__(self, series, member):
        seasons = (member.period,) if member.period > 1 else ()
        self.tracks, self.column = smooth(series, seasons), members(seasons).index(member)

    def _all(self, row, step, horizon):
        tracks, at = self.tracks, self.tracks.offset[row] + step
        unused = dict.fromkeys(("past", "since", "unit", "scale", "flat", "nonnegative"))
        states = States(
            periods=tracks.periods,
            step=step,
            level=np.zeros(len(row)),
            positive=np.ones(len(row), dtype=np.bool_),
            members=tracks.level[at],
            slopes=tracks.slope[at],
            errors=tracks.error[at],
            seasons=tracks.seasons(row, step, horizon),
            **unused,
        )
        return [part[:, self.column] for part in forecasts(states, horizon)]

    def forecast(self, row, step, horizon):
        return self._all(row, step, horizon)[0]

    def error(self, row, step):
        return self._all(row, step, 1)[1]


def last(*steps):
    return np.arange(len(steps)), np.array(steps)


def seasonal(length, period=4, slope=0.5, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(length)
    return 20 + slope * t + 5 * np.sin(2 * np.pi * t / period) + rng.normal(size=length)


def test_two_kinds_of_season_and_none_with_three_trends():
    assert len(EVERY) == len(set(EVERY)) == 15
    assert {m.trend for m in EVERY} == {"level", "damped", "theta"}
    assert {m.period for m in members((7, 30, 365))} == {1, 7, 30}


def test_simple_smoothing_is_the_recursion(monkeypatch):
    monkeypatch.setattr(smoothing, "LEVEL_GAINS", (0.3,))
    y = seasonal(30)
    level = y[0]
    for value in y:
        level += 0.3 * (value - level)
    found = Smoothed([y], Member("level")).forecast(*last(29), 5)
    np.testing.assert_allclose(found, np.full((1, 5), level), rtol=1e-6)


def test_theta_adds_half_the_line_through_everything(monkeypatch):
    monkeypatch.setattr(smoothing, "LEVEL_GAINS", (0.3,))
    y = seasonal(30)
    found = Smoothed([y], Member("theta")).forecast(*last(29), 3)[0]
    half = np.polyfit(np.arange(30), y, 1)[0] / 2
    np.testing.assert_allclose(np.diff(found), half, rtol=1e-4)


def test_damped_trend_is_the_recursion(monkeypatch):
    monkeypatch.setattr(smoothing, "LEVEL_GAINS", (0.5,))
    y = seasonal(20)
    level, slope = y[0], 0.0
    for value in y:
        base = level + 0.9 * slope
        level = base + 0.5 * (value - base)
        slope = 0.9 * slope + smoothing.TREND_GAIN * 0.5 * (value - base)
    found = Smoothed([y], Member("damped")).forecast(*last(19), 3)[0]
    np.testing.assert_allclose(found, level + slope * np.cumsum(0.9 ** np.arange(1, 4)), rtol=1e-5)


@pytest.mark.parametrize("kind", ["additive", "multiplicative"])
def test_a_pure_season_is_forecast_exactly(kind):
    pattern = np.array([1.0, 3.0, 8.0, 4.0])
    y = np.tile(pattern, 8)
    for end in (20, 21, 22, 31):
        found = Smoothed([y], Member("level", kind, 4)).forecast(*last(end), 9)[0]
        expected = np.tile(pattern, 20)[end + 1 : end + 10]
        np.testing.assert_allclose(found, expected, rtol=0.02)


@pytest.mark.parametrize("member", EVERY, ids=str)
def test_nothing_later_changes_a_state(member):
    y = seasonal(60, 6)
    other = y.copy()
    other[40:] = 1e6
    a, b = (Smoothed([one], member) for one in (y, other))
    for step in (12, 25, 39):
        at = np.array([0]), np.array([step])
        assert a.error(*at) == b.error(*at)
        np.testing.assert_array_equal(a.forecast(*at, 8), b.forecast(*at, 8))


@pytest.mark.parametrize("member", EVERY, ids=str)
def test_neighbours_of_other_lengths_change_nothing(member):
    series = [seasonal(n, seed=n) for n in (70, 9, 40, 41, 13)]
    together = Smoothed(series, member)
    ends = np.array([len(y) - 1 for y in series])
    found = together.forecast(np.arange(5), ends, 7)
    for n, y in enumerate(series):
        alone = Smoothed([y], member).forecast(np.array([0]), ends[n : n + 1], 7)
        np.testing.assert_array_equal(found[n], alone[0])


@pytest.mark.parametrize("member", EVERY, ids=str)
def test_gaps_leave_a_season_in_its_place(member):
    y = seasonal(60, member.period if member.period > 1 else 4, slope=0.0)
    holed = y.copy()
    holed[[13, 27, 28, 44]] = np.nan
    found, whole = (Smoothed([one], member).forecast(*last(59), 6) for one in (holed, y))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, whole, atol=2.5)


def test_gains_follow_what_worked(monkeypatch):
    rng = np.random.default_rng(0)
    walk, noise = np.cumsum(rng.normal(size=400)), rng.normal(size=400)
    track = Smoothed([walk, noise], Member("level"))
    end = np.array([399, 399])
    found = track.forecast(np.arange(2), end, 1)[:, 0]
    assert abs(found[0] - walk[-1]) < 0.3, "a random walk's best forecast is its last value"
    assert abs(found[1]) < 0.4, "noise's best forecast is its mean"
    assert LEVEL_GAINS[-1] == 1.0
