"""What the network is shown at an origin: units, masks, and nothing from after it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panels import panel

from recurra.tasks.forecast.history import History, member_names
from recurra.tasks.forecast.windows import Windows

AWKWARD = {
    "constant": np.full(40, 7.0),
    "zeros": np.zeros(40),
    "huge": np.r_[np.ones(20), 1e308, np.ones(19)],
    "tiny": np.linspace(1e-300, 2e-300, 40),
    "one value": np.array([5.0]),
    "a gap": np.r_[1.0, np.full(30, np.nan), 2.0],
    "negative": -np.arange(1.0, 41.0),
    "spikes": np.where(np.arange(40) % 9 == 0, 50.0, 0.0),
}


def view(series, origin, *, look_back=8, horizon=4, seasons=(4,), hidden=None):
    history = History.of(panel(*series, seasons=seasons, horizon=horizon))
    which = Windows(np.arange(len(series)), np.array(origin))
    return history.view(which, look_back, horizon, hidden)


@pytest.mark.parametrize("name", AWKWARD)
def test_every_series_gives_finite_inputs(name):
    y = AWKWARD[name]
    for origin in {1, len(y) // 2 + 1, len(y)}:
        seen = view([y], [origin])
        for part in ("past", "gone", "since", "members", "context", "spread", "level", "scale"):
            assert np.isfinite(getattr(seen, part)).all(), part
        assert (seen.scale > 0).all() == (np.nanmin(y[:origin]) < np.nanmax(y[:origin]))


def test_units_bring_the_values_back():
    y = np.array([3.0, 9.0, 4.0, 7.0, 5.0, 8.0, 3.0, 9.0, 6.0, 2.0])
    seen = view([y], [6], look_back=4, horizon=3, seasons=())
    np.testing.assert_allclose(seen.past[0] * seen.scale[0] + seen.level[0], y[2:6])
    np.testing.assert_allclose(seen.target[0] * seen.scale[0] + seen.level[0], y[6:9])
    assert seen.level[0, 0] == 8.0
    assert seen.scale[0, 0] == pytest.approx(np.abs(np.diff(y[:6])).mean())


def test_what_is_unknown_is_marked():
    y = np.array([1.0, 2.0, np.nan, np.nan, 5.0, np.nan])
    seen = view([y], [6], look_back=8, horizon=2, seasons=())
    assert seen.gone[0].tolist() == [1, 1, 0, 0, 1, 1, 0, 1]
    np.testing.assert_allclose(np.expm1(seen.since[0]), [1, 2, 0, 0, 1, 2, 0, 1], atol=1e-12)
    assert np.isnan(seen.target).all()


def test_hidden_targets_are_left_out():
    y = np.arange(20.0)
    seen = view([y], [10], horizon=4, hidden=np.array([12]))
    assert np.isnan(seen.target[0]).tolist() == [False, False, True, True]


def test_names_go_with_the_members():
    y = np.tile([1.0, 2, 3, 4], 10)
    assert view([y], [20]).members.shape[1] == len(member_names((4,)))


def test_a_series_never_below_zero_stays_there():
    seen = view([np.arange(20.0), np.arange(20.0) - 5], [20, 20])
    assert seen.least.tolist() == [0.0, -np.inf]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 59))
def test_the_future_cannot_be_seen(seed, origin):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=60) + 10
    y[rng.random(60) < 0.2] = np.nan
    y[0] = 1.0
    other = y.copy()
    other[origin:] = rng.normal(size=60 - origin) * 1e12
    a, b = (view([one], [origin]) for one in (y, other))
    for part in ("past", "gone", "since", "members", "context", "spread", "level", "scale", "least"):
        np.testing.assert_array_equal(getattr(a, part), getattr(b, part), part)


LATE = {
    "it begins with zeros": (np.zeros(60), 30),
    "a gap goes on": (np.r_[np.arange(12.0) % 5, np.full(48, np.nan)], 28),
    "it never changed": (np.full(60, 3.0), 20),
    "one value": (np.r_[2.0, np.full(59, np.nan)], 1),
}


@pytest.mark.parametrize("name", LATE)
def test_the_future_cannot_be_seen_where_the_past_says_little(name):
    y, origin = LATE[name]
    seen = []
    for later in (3.0, 5000.0, -1e-9, np.nan):
        other = y.copy()
        other[origin:] = later
        seen.append(view([other], [origin], seasons=(7, 14)))
    for part in ("past", "gone", "since", "members", "context", "spread", "level", "scale", "least"):
        for one in seen[1:]:
            np.testing.assert_array_equal(getattr(seen[0], part), getattr(one, part), part)


@pytest.mark.parametrize("place", [0, 100, 250])
@pytest.mark.parametrize("wrong", [1e4, 1e9])
def test_a_slip_of_the_pen_does_not_blind(place, wrong):
    y = 10 + np.sin(2 * np.pi * np.arange(600) / 7) + 0.1 * np.random.default_rng(0).normal(size=600)
    slipped = y.copy()
    slipped[place] = wrong
    clean, seen = (view([one], [600], seasons=(7,)) for one in (y, slipped))
    assert seen.scale[0, 0] < 3 * clean.scale[0, 0]
    assert seen.spread[0] < (5 * clean.spread[0] if place else 11)


def test_a_shift_of_the_level_does_not_blind():
    y = 10 + np.sin(2 * np.pi * np.arange(400) / 7) + 0.1 * np.random.default_rng(0).normal(size=400)
    clean, seen = (view([one], [400], seasons=(7,)) for one in (y, y + 1000 * (np.arange(400) >= 200)))
    assert seen.scale[0, 0] < 3 * clean.scale[0, 0]
    best = np.abs(
        seen.members[0] * seen.scale[0] + seen.level[0] - 1010 - np.sin(2 * np.pi * np.arange(400, 404) / 7)
    )
    assert best.mean(1).min() < 0.2


@settings(max_examples=10, deadline=None)
@given(st.integers(-40, 40))
def test_a_change_of_unit_changes_nothing_but_the_unit(power):
    y = np.random.default_rng(0).gamma(2.0, size=60)
    a, b = view([y], [50]), view([y * 2.0**power], [50])
    np.testing.assert_array_equal(a.members, b.members)
    np.testing.assert_array_equal(a.past, b.past)
    np.testing.assert_array_equal(a.scale * 2.0**power, b.scale)
