import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panels import archive, competition, panel, real

from recurra.tasks.forecast import classical
from recurra.tasks.forecast.baselines import drift, naive, seasonal_naive
from recurra.tasks.forecast.metrics import WindowScores, insample_scale
from recurra.tasks.forecast.windows import Windows, truths

models = pytest.importorskip("statsforecast.models", reason="needs the extra [forecast]")

LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)
NAN = np.nan
KINDS = {"naive": naive, "drift": drift, "seasonal": seasonal_naive(4)}


def at(*origins, series=0):
    return Windows(np.full(len(origins), series), np.array(origins))


def points(method, y, *origins, horizon=3):
    return method(panel(y, horizon=horizon), at(*origins), horizon, (0.5,))[..., 0]


def test_naive_repeats_the_last_known_value():
    y = [NAN, 3.0, 5.0, NAN, 7.0]
    np.testing.assert_array_equal(points(naive, y, 1, 2, 4, 5)[:, 0], [NAN, 3, 5, 7])


def test_drift_draws_a_line_from_the_first_to_the_last_known_value():
    y = [NAN, 1.0, NAN, 5.0, NAN, 100.0]
    np.testing.assert_allclose(points(drift, y, 5), [[9.0, 11.0, 13.0]])
    np.testing.assert_allclose(points(drift, y, 2), [[1.0, 1.0, 1.0]])


def test_seasonal_naive_takes_the_last_known_value_of_the_season():
    y = [1.0, 2.0, 3.0, 4.0, 10.0, NAN, 30.0, 40.0]
    found = points(seasonal_naive(4), y, 8, horizon=6)
    np.testing.assert_array_equal(found, [[10, 2, 30, 40, 10, 2]])
    # Of the first season only two steps are known: for the rest the last value stands in.
    np.testing.assert_array_equal(points(seasonal_naive(4), y, 2, horizon=4), [[2, 2, 1, 2]])


@pytest.mark.parametrize("period", [1, 4, 7])
def test_points_and_intervals_are_those_of_statsforecast(period):
    rng = np.random.default_rng(period)
    y = 50 + rng.normal(size=60).cumsum()
    pairs = [
        (naive, models.Naive()),
        (drift, models.RandomWalkWithDrift()),
        (seasonal_naive(period), models.SeasonalNaive(season_length=period)),
    ]
    for ours, theirs in pairs:
        given_ = theirs.forecast(y=y[:53], h=9, level=[80, 95])
        wanted = np.stack([given_[key] for key in ("lo-95", "lo-80", "mean", "hi-80", "hi-95")], -1)
        np.testing.assert_allclose(ours(panel(y, horizon=9), at(53), 9, LEVELS)[0], wanted, rtol=1e-6)


@settings(max_examples=50)
@given(
    st.lists(st.one_of(st.just(NAN), st.floats(-1e6, 1e6)), min_size=2, max_size=30),
    st.sampled_from(sorted(KINDS)),
    st.data(),
)
def test_nothing_from_the_origin_on_is_looked_at(y, kind, data):
    origin = data.draw(st.integers(1, len(y) - 1))
    other = np.array(y)
    other[origin:] = data.draw(st.floats(-1e6, 1e6))
    found, again = (KINDS[kind](panel(one), at(origin), 5, LEVELS) for one in (np.array(y), other))
    # A sum may differ in its last bits by what would be added later, but not by more.
    np.testing.assert_array_equal(found, again)
    assert np.isfinite(found).all() == np.isfinite(y[:origin]).any()
    if np.isfinite(found).all():
        assert (np.diff(found, axis=-1) >= 0).all()


def test_ets_and_theta_are_those_of_statsforecast():
    season = np.sin(np.arange(72) * np.pi / 6)
    y = 100 + 10 * season + np.random.default_rng(5).normal(size=72)
    for name, model in (("ETS", models.AutoETS(season_length=12)), ("Theta", models.Theta(season_length=12))):
        theirs = model.forecast(y=y[:66], h=6, level=[80, 95])
        found, failed = classical.forecast(name, panel(y, horizon=6), at(66), 6, LEVELS, period=12)
        wanted = np.stack([theirs[key] for key in ("lo-95", "lo-80", "mean", "hi-80", "hi-95")], -1)
        np.testing.assert_allclose(found[0], wanted)
        assert failed == 0


def test_ets_and_theta_live_with_gaps_short_and_constant_series():
    gaps = np.sin(np.arange(40.0)) + np.where(np.arange(40) % 7 == 3, NAN, 0)
    some = panel(gaps, [1.0, 2.0, 3.0, 4.0], np.full(30, 5.0), np.full(9, NAN))
    which = Windows(np.arange(4), np.array([40, 2, 30, 9]))
    for name in classical.NAMES:
        found, _ = classical.forecast(name, some, which, 3, LEVELS, period=7)
        assert np.isfinite(found[:3]).all()
        assert np.isnan(found[3]).all()


def test_time_for_the_slow_ones_is_bounded_by_lengths_alone():
    short, long = at(*[50] * 1000), at(*[5000] * 1000)
    assert classical.affordable(short, 12, 10.0) > classical.affordable(long, 12, 10.0)
    assert classical.affordable(long, 365, 10.0) < classical.affordable(long, 12, 10.0)
    assert classical.affordable(long, 12, 1e9) == 1000
    assert classical.affordable(long, 12, 1e-9) == 1


def published(series, horizon, period, forecast):
    """MASE and sMAPE over the last horizon of each series."""
    many = panel(*series, horizon=horizon)
    origin = np.array([len(y) - horizon for y in series])
    which = Windows(np.arange(len(series)), origin)
    scale = np.array([insample_scale(y[:end], period) for y, end in zip(series, origin, strict=True)])
    truth = truths(many, which, horizon)
    found = forecast(many, which, horizon, (0.5,))
    return WindowScores.of(truth, found, (0.5,), scale, np.isfinite(truth)).metrics()


@pytest.mark.needs_data
@pytest.mark.parametrize(
    ("name", "horizon", "period", "mase", "smape"),
    [("yearly", 6, 1, 3.172, 17.88), ("quarterly", 8, 4, 1.425, 11.07), ("monthly", 18, 12, 1.146, 17.24)],
)
def test_seasonal_naive_on_m3_scores_as_published(name, horizon, period, mase, smape):
    series = archive(real("m3", f"m3_{name}_dataset.tsf"))
    found = published(series, horizon, period, seasonal_naive(period))
    assert found["MASE"] == pytest.approx(mase, abs=5e-4)
    assert found["sMAPE"] == pytest.approx(smape, abs=5e-3)


@pytest.mark.needs_data
@pytest.mark.parametrize(
    ("name", "period", "smape", "mase"), [("Hourly", 24, 13.912, 1.193), ("Weekly", 1, 9.161, 2.777)]
)
def test_seasonal_naive_on_m4_scores_as_published(name, period, smape, mase):
    folder = "m4_hourly_weekly"
    series, horizon = competition(real(folder, f"{name}-train.csv"), real(folder, f"{name}-test.csv"))
    found = published(series, horizon, period, seasonal_naive(period))
    assert found["sMAPE"] == pytest.approx(smape, abs=5e-4)
    assert found["MASE"] == pytest.approx(mase, abs=5e-4)


@pytest.mark.needs_data
def test_theta_on_m3_yearly_scores_as_published():
    series = archive(real("m3", "m3_yearly_dataset.tsf"))

    def theta(*arguments):
        return classical.forecast("Theta", *arguments, period=1)[0]

    assert published(series, 6, 1, theta)["MASE"] == pytest.approx(2.774, abs=0.01)
