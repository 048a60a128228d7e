"""Running states, step by step: for any number of series at any ages the bits of the whole series."""

import numpy as np
import pytest
from panels import panel

from recurra.tasks.forecast.history import History
from recurra.tasks.forecast.recent import Counts, Sums, last
from recurra.tasks.forecast.running import Running
from recurra.tasks.forecast.smoothing import FADED, Filters, Grid
from recurra.tasks.forecast.view import view
from recurra.tasks.forecast.windows import Windows

PARTS = ("past", "gone", "since", "members", "context", "spread", "level", "scale", "least")
HORIZON, LOOK_BACK = 5, 24
SEASONS = [(), (4,), (7, 30), (30, 7)]


def awkward(rng, count):
    """A series with some of: zeros first, gaps, missing values, negative ones."""
    y = 20 + 5 * np.sin(np.arange(count)) + rng.normal(size=count) * 1.5
    if rng.random() < 0.3:
        y -= 20
    if rng.random() < 0.3:
        y[: rng.integers(1, 20)] = 0
    y[rng.random(count) < rng.choice([0, 0.1, 0.5])] = np.nan
    if rng.random() < 0.5:
        first = rng.integers(1, count)
        y[first : first + rng.integers(1, count // 2)] = np.nan
    return y


class Pool:
    """Series in slots, each taken on by its known values."""

    def __init__(self, series, seasons):
        self.series, self.seasons = series, seasons
        self.running = Running(seasons, LOOK_BACK)
        fresh = self.running.fresh()
        self.parts = {name: np.repeat(part[None], len(series), 0) for name, part in fresh.items()}
        self.at = np.zeros(len(series), dtype=np.int64)
        self.start = np.full(len(series), -1)

    def advance(self, rows):
        """Each by a step; the slots of those whose value was known."""
        known = []
        for row in rows:
            at = self.at[row]
            self.at[row] += 1
            y = self.series[row][at]
            if not np.isnan(y):
                if self.start[row] < 0:
                    self.start[row] = at
                known.append((row, y, at - self.start[row] - self.parts["steps"][row]))
        if known:
            row, y, gap = (np.array(one) for one in zip(*known, strict=True))
            self.running.take(self.parts, row, y.astype(np.float64), gap)
        return np.array([one[0] for one in known], dtype=np.int64)

    def check(self, rows):
        """Against the whole series so far."""
        seen = view(self.running.states(self.parts, rows, HORIZON), np.full((len(rows), HORIZON), np.nan))
        for w, row in enumerate(rows):
            y = self.series[row][self.start[row] : self.at[row]]
            history = History.of(panel(y, seasons=self.seasons, horizon=HORIZON))
            whole = history.view(Windows(np.array([0]), np.array([len(y)])), LOOK_BACK, HORIZON)
            for part in PARTS:
                np.testing.assert_array_equal(getattr(seen, part)[w : w + 1], getattr(whole, part), part)


@pytest.mark.parametrize("seasons", SEASONS, ids=str)
@pytest.mark.parametrize("seed", range(2))
def test_series_of_all_ages_go_on_together(seasons, seed):
    rng = np.random.default_rng(seed)
    pool = Pool([awkward(rng, 160) for _ in range(7)], seasons)
    while (pool.at < 160).any():
        some = rng.permutation(np.flatnonzero((rng.random(7) < 0.7) & (pool.at < 160)))
        known = pool.advance(some)
        if len(known) and rng.random() < 0.04:
            pool.check(known)


@pytest.mark.parametrize("seasons", [(), (12, 40)], ids=str)
def test_long_series_and_gaps(seasons):
    rng = np.random.default_rng(5)
    series = [rng.normal(size=600) + 3 for _ in range(3)]
    series[0][100:400] = np.nan
    series[1][10:560] = np.nan
    pool = Pool(series, seasons)
    for t in range(600):
        known = pool.advance(np.arange(3))
        if t in (255, 256, 401, 512, 561, 599):
            pool.check(known)


AWKWARD = {
    "constant": np.full(60, 7.0),
    "zeros, then not": np.r_[np.zeros(50), 1e5, np.ones(9)],
    "huge": np.r_[np.ones(20), 1e308, np.ones(39)],
    "tiny": np.linspace(1e-300, 2e-300, 60),
    "negative": -np.arange(1.0, 61.0),
    "spikes": np.where(np.arange(60) % 9 == 0, 50.0, 0.0),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_series(name):
    pool = Pool([AWKWARD[name]], (4,))
    for t in range(60):
        known = pool.advance(np.array([0]))
        if t % 7 == 3:
            pool.check(known)


def test_other_series_are_not_touched():
    pool = Pool([np.arange(50.0), np.arange(50.0) ** 2, np.ones(50)], (4,))
    for _ in range(20):
        pool.advance(np.arange(3))
    before = {name: part.copy() for name, part in pool.parts.items()}
    pool.advance(np.array([2, 0]))
    for name, part in pool.parts.items():
        np.testing.assert_array_equal(part[1], before[name][1], name)


def test_states_keep_their_size():
    pool = Pool([np.arange(400.0)], (7, 30))
    shapes = {name: (part.shape, part.dtype) for name, part in pool.parts.items()}
    for _ in range(400):
        pool.advance(np.array([0]))
    assert {name: (part.shape, part.dtype) for name, part in pool.parts.items()} == shapes


@pytest.mark.parametrize("count", [1, 3, 7, 20, 64])
def test_sums_of_the_last_steps(count):
    rng = np.random.default_rng(count)
    x = rng.normal(size=(100, 2)) * 10.0 ** rng.integers(-8, 8, size=(100, 2))
    x[30:47] = 0.0
    whole = np.stack([last(x[:, k], count) for k in range(2)], 1)
    np.testing.assert_allclose(whole[50], x[max(51 - count, 0) : 51].sum(0), rtol=1e-6)
    sums = Sums(np.zeros((3, count, 2)), np.zeros((3, 2)))
    here, t = np.array([1]), 0
    while t < 100:
        if t == 30:
            sums.skip(here, np.array([t]), 17)
            t = 47
        np.testing.assert_array_equal(sums.add(here, np.array([t]), x[t : t + 1])[0], whole[t])
        t += 1


@pytest.mark.parametrize("count", [1, 3, 7, 20, 64])
def test_counts_of_the_last_steps(count):
    x = np.random.default_rng(count).random((100, 1)) < 0.5
    x[30:47] = False
    counts = Counts(np.zeros((1, count, 1), dtype=np.bool_), np.zeros((1, 1), dtype=np.int64))
    here, t = np.array([0]), 0
    while t < 100:
        if t == 30:
            counts.skip(here, np.array([t]), 17)
            t = 47
        assert counts.add(here, np.array([t]), x[t : t + 1])[0, 0] == x[max(t + 1 - count, 0) : t + 1].sum()
        t += 1


def test_missing_steps_fade_alike_at_once_and_one_by_one():
    grid = Grid(1)
    rng = np.random.default_rng(0)
    filters = Filters.start(grid, rng.normal(size=3))
    season = rng.normal(size=(3, 3, grid.plain))
    for t in range(30):
        filters.step(grid, rng.normal(size=3), np.full(3, t), season)
    other, kept = filters.take(np.arange(3)), season.copy()
    for t in range(30, 130):
        filters.step(grid, np.full(3, np.nan), np.full(3, t), season, np.zeros(3, dtype=np.bool_))
    other.fade(100)
    np.testing.assert_array_equal(season, kept)
    for name in ("level", "slope", "squares", "seen", "line", "drift"):
        np.testing.assert_array_equal(getattr(filters, name), getattr(other, name), name)


def test_nothing_fades_for_ever():
    filters = Filters.start(Grid(0), np.ones(1))
    filters.squares += 1e300
    filters.slope += 1e300
    filters.seen += 100
    filters.fade(FADED)
    before = filters.take(np.arange(1))
    filters.fade(1)
    for name in ("level", "slope", "squares", "seen"):
        np.testing.assert_array_equal(getattr(filters, name), getattr(before, name), name)
