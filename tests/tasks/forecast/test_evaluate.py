import numpy as np
import pytest
from panels import panel

from recurra.tasks.forecast import classical
from recurra.tasks.forecast.baselines import drift, naive, seasonal_naive
from recurra.tasks.forecast.evaluate import evaluate, windows

LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)
HORIZON = 6
QUICK = {"classical_seconds": 1e-9}  # one window for the slow methods
LONG = {"classical_seconds": 1e9}


def waves(count=12, length=90, seed=0):
    """Seasonal series with a little noise, on levels far apart."""
    rng = np.random.default_rng(seed)
    wave = np.sin(np.arange(length) * 2 * np.pi / 6)
    return [10.0 ** (n % 4) * (10 + wave + rng.normal(0, 0.1, length)) for n in range(count)]


def bench(forecaster, series, *, stride=3, seasons=(6,), **options):
    many = panel(*series, horizon=HORIZON, seasons=seasons)
    ends = np.array([len(y) for y in series])
    first = np.maximum(ends - 24, 1)
    which = windows(many, first, ends, HORIZON, stride)
    options = {"insample": first, "levels": LEVELS, "sha256": "0123456789abcdef", **QUICK, **options}
    return evaluate(forecaster, many, which, **options)


def as_forecaster(method, change=0.0):
    return lambda given, which: method(given, which, HORIZON, LEVELS) + change


def metrics(evaluation):
    return {score.method: score.metrics for score in evaluation.scores}


def test_the_model_stands_first_beside_every_baseline():
    found = bench(as_forecaster(naive), waves(4), **LONG)
    assert [score.method for score in found.scores] == [
        "Recurra", "Naive", "Seasonal naive", "Drift", "ETS", "Theta",
    ]  # fmt: skip
    assert metrics(found)["Recurra"] == metrics(found)["Naive"]
    assert found.signature.startswith("forecast|horizon:6|windows:28|quantiles:5|mase:m4,6|smape:m4|")
    assert "|data:0123456789ab|seed:0|dtype:float32|version:" in found.signature


def test_a_baseline_that_wins_is_said_to():
    found = bench(as_forecaster(naive), waves())
    line = next(line for line in found.words if line.startswith("Seasonal naive"))
    ours, theirs = (metrics(found)[name]["MASE"] for name in ("Recurra", "Seasonal naive"))
    assert line.startswith(
        f"Seasonal naive is better than the model here: MASE {theirs:.3f} against {ours:.3f} (difference "
    )
    assert "95 % interval" in line


def test_a_model_that_wins_is_said_to():
    def oracle(given, which):
        y = np.stack(
            [given.target[n][o : o + HORIZON] for n, o in zip(which.series, which.origin, strict=True)]
        )
        return y[..., None] * (1 + np.array([-0.01, -0.005, 0.001, 0.005, 0.01]))

    found = bench(oracle, waves())
    assert found.words[0].startswith("The model is better than every baseline here: MASE ")


def test_a_difference_that_may_be_chance_is_not_called_a_win():
    rng = np.random.default_rng(1)

    def shaken(given, which):
        found = seasonal_naive(6)(given, which, HORIZON, LEVELS)
        return found * (1 + 1e-3 * rng.normal(size=(len(found), 1, 1)))

    found = bench(shaken, waves())
    line = next(line for line in found.words if "Seasonal naive" in line)
    assert "but the difference may be chance" in line
    assert "better" not in line


def test_one_series_is_judged_by_mae_in_its_own_unit():
    found = bench(as_forecaster(naive), waves(1, 200), stride=1)
    assert "is better than the model here: MAE " in found.words[0]
    assert found.detail.metric == "MAE"


def test_one_window_gives_no_interval_and_says_so():
    found = bench(as_forecaster(naive), waves(1), stride=100)
    assert any("too few windows for an interval" in line for line in found.words)


def test_slow_methods_see_a_part_of_the_windows_and_all_others_the_same_part():
    found = bench(as_forecaster(naive), waves(), classical_seconds=0.5)
    whole, part = found.detail.tables
    many = len(part.where)
    assert whole.whole
    assert not part.whole
    assert 1 <= many < len(whole.where)
    assert [m.name for m in part.methods] == ["Recurra", "Naive", "Seasonal naive", "Drift", "ETS", "Theta"]
    assert {f"ETS, {many} windows", f"Recurra, {many} windows"} <= metrics(found).keys()
    assert any(
        line.startswith(f"ETS and Theta are slow, so they were compared on {many} of the 84 windows")
        for line in found.words
    )


def test_without_statsforecast_the_words_say_how_to_get_it(monkeypatch):
    monkeypatch.setattr(classical.importlib.util, "find_spec", lambda name: None)
    found = bench(as_forecaster(naive), waves())
    assert "ETS" not in metrics(found)
    assert (
        "ETS and Theta are not in the comparison because statsforecast is not installed. "
        "Install it with: pip install 'recurra[forecast]'."
    ) in found.words


def test_missing_truths_and_histories_are_left_out_and_counted():
    series = waves()
    series[0][-4:-2] = np.nan
    series[1][30:50] = np.nan
    series[2][:-10] = np.nan
    series[3][:] = 7.0
    found = bench(as_forecaster(seasonal_naive(6)), series, classical_seconds=0.3)
    assert all(np.isfinite(list(score.metrics.values())).all() for score in found.scores)
    words = " ".join(found.words)
    assert "missing values of 504 to be forecast could not be counted." in words
    assert "had nothing to compare" in words
    assert "MASE leaves out 14 windows whose series did not change over 6 steps before the test" in words


def test_windows_without_a_forecast_are_counted():
    def holey(given, which):
        found = naive(given, which, HORIZON, LEVELS)
        found[::7] = np.nan
        return found

    found = bench(holey, waves())
    assert "The model gave no forecast in 12 windows, which no method is judged on." in found.words


def test_every_season_has_its_seasonal_naive():
    found = bench(as_forecaster(drift), waves(), seasons=(6, 30))
    assert {"Seasonal naive (6)", "Seasonal naive (30)"} <= metrics(found).keys()
    plain = bench(as_forecaster(drift), waves(), seasons=())
    assert "Seasonal naive" not in metrics(plain)


def test_no_window_is_no_error():
    found = bench(as_forecaster(naive), [np.arange(4.0)])
    assert found.scores == ()
    assert found.words == (
        "Nothing could be evaluated: no series has 6 steps left over for a test. "
        "Give longer series, or fit with a shorter horizon.",
    )


@pytest.mark.parametrize("count", [3, 12])
def test_the_same_seed_gives_the_same_words(count):
    first, again = (bench(as_forecaster(naive), waves(count)) for _ in range(2))
    assert first.words == again.words
    assert first.scores == again.scores


def test_enormous_values_are_scored():
    found = bench(as_forecaster(naive), [1e300 * y for y in waves(3)])
    assert np.isfinite(metrics(found)["Recurra"]["MASE"])


def test_a_tie_is_no_lead():
    found = bench(as_forecaster(naive), [np.full(90, 5.0)], seasons=())
    assert "The model and Naive are equally good here: MAE 0." in found.words


@pytest.mark.filterwarnings("error::RuntimeWarning:recurra.tasks.forecast.baselines")
def test_the_largest_numbers_leave_the_baselines_whole():
    y = waves(1)[0]
    y[40] = -1e308
    found = bench(as_forecaster(naive), [y])
    for name, scores in metrics(found).items():
        if name.startswith(("Naive", "Seasonal naive", "Drift")):
            assert np.isfinite(scores["MAE"]), name
