"""The forecaster from file to forecast: it learns, does not look ahead, and copes with what files hold."""

import re

import numpy as np
import polars as pl
import pytest
import torch

import recurra
from recurra.errors import ConfigError, DataError
from recurra.tasks.forecast import classical
from recurra.tasks.forecast.task import Forecast, ForecastConfig, forecast
from recurra.tasks.forecast.windows import Windows


def hours(count, series=3, seed=0, **columns):
    """Hourly series with a daily season, wide; the end of each is left to the caller."""
    rng = np.random.default_rng(seed)
    t = np.arange(count)
    data = {
        f"load{k}": 50 + 10 * k + 8 * np.sin(2 * np.pi * (t + 3 * k) / 24) + rng.normal(size=count)
        for k in range(series)
    }
    time = pl.datetime_range(
        pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 1) + pl.duration(hours=count - 1), "1h", eager=True
    )
    return pl.DataFrame({"time": time, **data, **columns})


@pytest.fixture(scope="module", autouse=True)
def few_classical():
    """ETS and Theta on a window or a few: on hourly series they take longer than all that is tested here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classical, "PER_STEP", 0.05)
        yield


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A bundle of three hourly series, and their frame."""
    frame = hours(500)
    folder = tmp_path_factory.mktemp("runs") / "hours"
    return recurra.fit("forecast", frame, horizon=12, out=folder, quiet=True), frame


def test_it_beats_what_it_should(fitted):
    scores = {one["method"]: one["metrics"] for one in fitted[0].record["scores"]}
    ours = scores.pop("Recurra")
    assert ours["MASE"] < scores["Naive"]["MASE"] / 3
    assert ours["MASE"] < 0.9 * scores["Seasonal naive"]["MASE"]
    assert 0.6 < ours["coverage_80"] < 0.95


def test_predictions_begin_after_the_end(fitted):
    bundle, frame = fitted
    found = bundle.predict(frame)
    assert found.columns[:3] == ["series", "time", "forecast"]
    assert found.height == 3 * 12
    assert found["time"].min() == frame["time"].max() + pl.select(pl.duration(hours=1)).item()
    levels = found.select("^q.*$").to_numpy()
    assert (np.diff(levels, axis=1) >= 0).all()
    np.testing.assert_array_equal(found["forecast"], found["q0.5"])
    truth = hours(520)[500:512].select("^load.*$").to_numpy().T.ravel()
    assert np.abs(found["forecast"].to_numpy() - truth).mean() < 4


def test_a_loaded_bundle_says_the_same(fitted):
    bundle, frame = fitted
    again = recurra.load(bundle.path)
    assert again.predict(frame).equals(bundle.predict(frame))


def test_nothing_after_an_origin_changes_its_forecast(fitted):
    bundle, frame = fitted
    numbers = pl.col("^load.*$")
    later = frame.with_row_index("row").with_columns(
        pl.when(pl.col("row") < 430).then(numbers).otherwise(numbers * -7 + 1e5)
    )
    found = []
    for one in (frame, later.drop("row")):
        data = Forecast().read(bundle.config, one, bundle.schema)
        which = Windows(np.array([0, 1, 2, 0]), np.array([430, 430, 429, 60]))
        found.append(forecast(bundle.model, data.features, which))
    np.testing.assert_array_equal(*found)


def test_what_is_fitted_depends_on_nothing_after_training(fitted):
    bundle, frame = fitted
    task, config = Forecast(), bundle.config
    data = task.read(config, frame)
    end = int(data.split.valid[0])
    numbers = pl.col("^load.*$")
    changed = frame.with_row_index("row").with_columns(
        pl.when(pl.col("row") < end).then(numbers).otherwise(numbers * 3 - 20)
    )
    other = task.read(config, changed.drop("row"))
    assert other.schema == data.schema
    models = []
    for one in (data, other):
        torch.manual_seed(0)
        model = task.build(config, one.schema)
        task.prepare(model, config, one)
        loss, _ = task.loss(model, task.batch(one, task.epoch(config, one, 0)[0]), None)
        loss.backward()
        models.append(
            [p.grad.clone() for p in model.parameters()] + [torch.tensor(task.validate(model, one))]
        )
        task.finish(model, config, one)
        models[-1].append(model.factors)
    for a, b in zip(*models, strict=True):
        assert torch.equal(a, b)


def test_levels_may_shift(fitted):
    bundle, frame = fitted
    shifted = frame.with_columns(pl.col("^load.*$") * 100 + 1e5)
    a, b = bundle.predict(frame), bundle.predict(shifted)
    np.testing.assert_allclose(b["forecast"], a["forecast"] * 100 + 1e5, atol=400)


def test_gaps_are_lived_with(fitted):
    bundle, frame = fitted
    rows = frame.with_row_index("row")
    holed = rows.with_columns(
        pl.when(pl.col("row") % 7 == 3).then(None).otherwise(pl.col("load1")).alias("load1")
    )
    found = bundle.predict(holed.filter(pl.col("row") % 50 != 9).drop("row"))
    assert found["forecast"].is_finite().all()
    assert np.abs(found["forecast"].to_numpy() - bundle.predict(frame)["forecast"].to_numpy()).mean() < 3


def test_what_was_learnt_from_is_not_judged_again(fitted):
    bundle, frame = fitted
    data = Forecast().read(bundle.config, frame)
    for later in (frame, hours(700)):
        test = Forecast().read(bundle.config, later, bundle.schema).test
        assert data.split.valid[0] <= test.origin.min() < data.split.valid[0] + 12
        assert test.origin.max() == later.height - 12, "the newest steps are judged"
    assert bundle.evaluate(hours(700)).scores[0].metrics["MASE"] < 1


def test_other_series_are_evaluated_whole(fitted):
    bundle, _ = fitted
    schema = bundle.schema.model_copy(update={"learnt": {}})
    test = Forecast().read(bundle.config, hours(300, seed=5), schema).test
    assert schema.network.look_back <= test.origin.min() < schema.network.look_back + 12


def test_a_single_name_will_do():
    config = ForecastConfig(target="load", season=24, quantiles=0.5)
    assert (config.target, config.season, config.quantiles) == (("load",), (24,), (0.5,))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"valid": 5}, "expected at least 12 validation steps, one horizon, or 0 for none, got 5."),
        ({"test": 11}, "expected at least 12 test steps, one horizon, or 0 for none, got 11."),
        (
            {"season": (10**8,)},
            "expected seasons of 0 to 250 steps, half the longest series, got 100,000,000.",
        ),
        ({"season": (-3,)}, "expected seasons of 0 to 250 steps, half the longest series, got -3."),
    ],
)
def test_options_that_cannot_be(options, words):
    with pytest.raises(ConfigError, match=re.escape(words)):
        Forecast().read(ForecastConfig(horizon=12, **options), hours(500))


@pytest.mark.parametrize("name", ["series", "forecast"])
def test_a_time_column_may_have_any_name(fitted, name):
    bundle, frame = fitted
    schema = bundle.schema.model_copy(update={"time": name})
    found = Forecast().predict(bundle.model, bundle.config, schema, frame.rename({"time": name}))
    assert found.columns[:3] == ["series", "time", "forecast"]


def test_a_covariate_known_ahead_is_used(tmp_path):
    rng, days = np.random.default_rng(0), 120
    promotion = (rng.random(days) < 0.3).astype(float)
    y = 20 + 15 * promotion + rng.normal(size=days)
    frame = pl.DataFrame(
        {
            "day": pl.date_range(
                pl.date(2020, 1, 1), pl.date(2020, 1, 1) + pl.duration(days=days - 1), eager=True
            ),
            "sales": y,
            "promotion": promotion,
        }
    )
    options = {"target": ("sales",), "horizon": 7, "quiet": True, "season": (0,)}
    without = recurra.fit("forecast", frame, out=tmp_path / "without", **options)
    known = recurra.fit("forecast", frame, out=tmp_path / "with", future=("promotion",), **options)
    mae = [one.record["scores"][0]["metrics"]["MAE"] for one in (known, without)]
    assert mae[0] < mae[1] / 2

    with pytest.raises(DataError, match="expected 'promotion' for 7 steps after the last target"):
        known.predict(frame)
    ahead = frame.tail(7).with_columns(pl.col("day") + pl.duration(days=7), sales=pl.lit(None, pl.Float64))
    for value in (0.0, 1.0):
        found = known.predict(pl.concat([frame, ahead.with_columns(promotion=pl.lit(value))]))
        assert found["forecast"].mean() == pytest.approx(20 + 15 * value, abs=4)


AWKWARD = {
    "one short series": ([5.0, 6.0, 7.0, 6.0, 5.0, 6.0, 7.0, 8.0], {}),
    "constant": ([3.0] * 60, {}),
    "all zero": ([0.0] * 60, {}),
    "huge": ([1.0] * 50 + [1e308] + [1.0] * 30, {}),
    "no test": (list(np.arange(40.0)), {"test": 0}),
    "no validation": (list(np.sin(np.arange(60.0))), {"valid": 0}),
    "never changing, then it does": ([2.0] * 50 + [3.0, 4.0, 2.0] * 4, {}),
    "few quantiles": (list(np.sin(np.arange(60.0))), {"quantiles": (0.5, 0.9)}),
    "mostly missing": ([1.0, *[None] * 30, 2.0, *[None] * 10, 3.0, 4.0, *[None] * 5, 5.0, 6.0, 7.0], {}),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_series_give_finite_forecasts(name, tmp_path):
    values, options = AWKWARD[name]
    frame = pl.DataFrame({"y": values})
    bundle = recurra.fit("forecast", frame, horizon=2, out=tmp_path / "run", quiet=True, **options)
    assert (bundle.path / "report.html").stat().st_size > 1000
    assert bundle.predict(frame)["forecast"].is_finite().all()


def test_same_seed_same_model_and_another_another():
    config = [ForecastConfig(horizon=12, seed=seed) for seed in (0, 0, 1)]
    frame, task = hours(200), Forecast()
    data = [task.read(one, frame) for one in config]
    keys = [task.epoch(one, d, 3)[0] for one, d in zip(config, data, strict=True)]
    np.testing.assert_array_equal(keys[0], keys[1])
    assert not np.array_equal(keys[0], keys[2])
