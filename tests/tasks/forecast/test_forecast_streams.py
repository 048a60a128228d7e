"""Streams of the forecaster: after every observation the bits that `predict` gives for the rows so far."""

import datetime as dt
import json

import numpy as np
import polars as pl
import pytest
from forecasters import ROLES, START, ahead_of, assert_same, daily, days, shops, untrained, values

from recurra.stream import StreamPool
from recurra.tasks.forecast.moments import Moments


def check(bundle, rows, at, answers):
    """Answers after `at` rows against the file of those rows."""
    for n in at:
        if rows[:n]["load"].null_count() == n:
            assert answers[n - 1]["forecast"] is None
        else:
            assert_same(answers[n - 1], bundle.predict(rows[:n]))
        assert answers[n - 1]["steps"] == n


@pytest.mark.parametrize("seasons", [(0,), (7,), (5, 30)], ids=str)
def test_the_bits_of_the_whole_file(seasons):
    frame = daily(140, missing=0.2)
    bundle = untrained(frame, horizon=5, season=seasons)
    stream = bundle.stream()
    answers = [stream.step(row) for row in frame.to_dicts()]
    check(bundle, frame, (1, 2, 9, 10, 14, 15, 59, 60, 61, 100, 139, 140), answers)
    assert stream.steps == 140
    json.dumps(answers, allow_nan=False)


def test_missing_steps_are_gaps_however_they_come():
    frame = daily(120)
    bundle = untrained(frame, horizon=4, season=(7,))
    keep = np.random.default_rng(0).random(120) < 0.7
    keep[40:60] = False
    holed = frame.filter(pl.Series(keep))
    stream = bundle.stream()
    answers = [stream.step(row) for row in holed.to_dicts()]
    check(bundle, holed, (1, 5, 20, 33, 34, 35, len(holed)), answers)
    filled = bundle.stream()
    rows = frame.with_columns(load=pl.when(pl.Series(keep)).then("load")).to_dicts()
    for row in rows:
        answer = filled.step(row)
    assert answer["forecast"] == answers[-1]["forecast"]


def test_nothing_is_forecast_from_a_missing_value():
    frame = daily(60)
    bundle = untrained(frame, horizon=4, season=(7,))
    stream = bundle.stream()
    nothing = stream.step({"day": "2023-12-31", "load": None})
    assert nothing == {"forecast": None, "needs": "a known value of 'load'", "steps": 1}
    for row in frame.to_dicts():
        last = stream.step(row)
    later = stream.step({"day": "2024-03-01", "load": None})
    assert {**later, "steps": 0} == {**last, "steps": 0}
    assert stream.steps == later["steps"] == 62


def test_a_forecast_need_not_be_made():
    frame = daily(50)
    bundle = untrained(frame, horizon=4, season=(7,))
    stream, other = bundle.stream(), bundle.stream()
    for n, row in enumerate(frame.to_dicts(), 1):
        assert stream.step(row | {"forecast": False}) == {"forecast": None, "steps": n}
        answer = other.step(row)
    row = {"day": "2024-02-20", "load": 55.0}
    assert stream.step(row) == other.step(row) != answer


FORMS = {
    "dates": days(60),
    "text": [str(day) for day in days(60)],
    "date-times": [START + dt.timedelta(hours=n) for n in range(60)],
    "quarter hours": [f"{START + dt.timedelta(minutes=15 * n):%Y-%m-%d %H:%M}" for n in range(60)],
    "with an offset": [f"{START + dt.timedelta(hours=n):%Y-%m-%dT%H:%M}+01:00" for n in range(60)],
    "days of a zone": [f"{START + dt.timedelta(days=n):%Y-%m-%dT%H:%M}+01:00" for n in range(60)],
    "day first": [f"{day:%d/%m/%Y}" for day in days(60)],
    "names": [f"{day:%d %b %Y}" for day in days(60)],
    "months": [f"{2010 + n // 12}-{n % 12 + 1:02}" for n in range(60)],
    "month ends": [
        f"{day}" for day in pl.date_range(dt.date(2010, 1, 31), dt.date(2014, 12, 31), "1mo", eager=True)
    ],
    "quarters": [f"{2000 + n // 4}Q{n % 4 + 1}" for n in range(60)],
    "years": list(range(1940, 2000)),
    "year and month": [(2010 + n // 12) * 100 + n % 12 + 1 for n in range(60)],
    "figures of a day": [int(f"{day:%Y%m%d}") for day in days(60)],
    "decimal years": [round(2010 + n / 12, 4) for n in range(60)],
    "seconds": [1_704_067_200 + 60 * n for n in range(60)],
    "milliseconds": [1_704_067_200_000 + 1000 * n for n in range(60)],
    "nanoseconds": [1_704_067_200_000_000_000 + 1000 * n for n in range(60)],
    "steps": [10 + 5 * n for n in range(60)],
    "business days": [day for day in days(84) if day.weekday() < 5][:60],
    "weeks": [START + dt.timedelta(weeks=n) for n in range(60)],
}


@pytest.mark.parametrize("name", FORMS)
def test_times_are_written_as_in_the_file(name, tmp_path):
    frame = pl.DataFrame({"when": FORMS[name], "load": values(60)})
    bundle = untrained(frame, horizon=3, season=(0,), time="when")
    stream = bundle.stream()
    rows = frame.drop("load").to_dicts()
    rows = [row | {"load": y} for row, y in zip(rows, frame["load"], strict=True)]
    answers = [stream.step(row) for row in rows]
    check(bundle, frame, (1, 31, 60), answers)
    again = bundle.stream()
    as_json = json.loads(json.dumps(rows, default=lambda one: one.isoformat()))
    assert [again.step(row) for row in as_json] == answers
    # What the answer says of a time can be given.
    assert again.step({"when": answers[-1]["time"][0], "load": 1.0})["steps"] == 61


def test_hours_of_a_zone():
    when = pl.datetime_range(
        START, START + dt.timedelta(hours=99), "1h", time_zone="Europe/Berlin", eager=True
    )
    frame = pl.DataFrame({"when": when, "load": values(100)})
    bundle = untrained(frame, horizon=3, season=(0,))
    stream = bundle.stream()
    answers = [stream.step(row) for row in frame.to_dicts()]
    check(bundle, frame, (1, 50, 100), answers)
    assert answers[-1]["time"][0] == "2024-01-05T04:00:00+01:00"


@pytest.mark.parametrize("clock", ["{:%H:%M}", "{0.hour}"])
def test_times_in_several_columns(clock):
    when = [START + dt.timedelta(hours=n) for n in range(60)]
    frame = pl.DataFrame(
        {
            "date": [f"{one:%Y-%m-%d}" for one in when],
            "hour": [clock.format(one) for one in when],
            "load": values(60),
        }
    )
    bundle = untrained(frame, horizon=3, season=(0,), target="load")
    assert bundle.schema.time_parts == ("hour",)
    stream = bundle.stream()
    check(bundle, frame, (1, 30, 60), [stream.step(row) for row in frame.to_dicts()])
    bundle.stream().step(bundle.steps().example)


def test_year_month_and_day():
    frame = pl.DataFrame(
        {
            "year": [day.year for day in days(60)],
            "month": [day.month for day in days(60)],
            "day": [day.day for day in days(60)],
            "load": values(60),
        }
    )
    bundle = untrained(frame, horizon=3, season=(0,), target="load")
    assert bundle.schema.time_parts == ("month", "day")
    stream = bundle.stream()
    check(bundle, frame, (1, 30, 60), [stream.step(row) for row in frame.to_dicts()])
    bundle.stream().step(bundle.steps().example)


def test_without_times_steps_count_up():
    frame = pl.DataFrame({"load": values(60, missing=0.2)})
    bundle = untrained(frame, horizon=3, season=(0,))
    stream = bundle.stream()
    answers = [stream.step(row) for row in frame.to_dicts()]
    check(bundle, frame, (3, 30, 60), answers)
    assert answers[0]["time"] == [1, 2, 3]


def test_plain_times_are_read_as_the_file_readers_read_them():
    bundle = untrained(daily(40), horizon=3, season=(0,))
    for form in ("year-month-day", "seconds", "milliseconds", "microseconds", "step"):
        moments = Moments(bundle.schema.model_copy(update={"time_form": form}))
        text = ["2024-02-29", "1969-12-31 23:59", "2024-02-29T23:59:59.000001", "1600-01-01T00:00:00"]
        offset = ["2024-02-29T23:59:59Z", "2024-03-31 01:30+02:00", "1999-12-31T00:00:00.250000-11:30"]
        for cells in ([(one,) for one in text], [(one,) for one in offset], [(0,), (-5,), (1_704_067_200,)]):
            if isinstance(cells[0][0], int) == (form == "year-month-day"):
                continue
            plain, whole = moments._plain(cells), moments._read_as_files(cells, None)
            np.testing.assert_array_equal(plain.value, whole.value)
            assert (plain.zone, plain.steps) == (whole.zone, whole.steps)
            if whole.wall is not None:
                np.testing.assert_array_equal(plain.wall, whole.wall)


@pytest.fixture(scope="module")
def shop():
    return untrained(shops(), **ROLES)


def test_covariates_of_every_kind(shop):
    every = shops(64, seed=3).to_dicts()
    unknown = {"load": None, "rain": None, "sky": None, "kind": None, "area": None}
    stream, rows, steps = shop.stream(), [], 0
    for at in range(56):
        if at in (20, 21, 33):  # no row; what was said ahead stays said
            rows.append(every[at] | unknown)
            continue
        row = every[at] if at == 4 else {k: v for k, v in every[at].items() if k not in ("kind", "area")}
        answer = stream.step(row | {"future": ahead_of(every, at + 1)})
        rows.append(dict.fromkeys(unknown) | row)
        steps += 1
        if at in (1, 6, 7, 8, 22, 25, 34, 40, 55):
            ahead = [one | unknown for one in every[at + 1 : at + 5]]
            assert_same(answer, shop.predict(pl.DataFrame(rows + ahead, schema=shops().schema)))
            assert answer["steps"] == steps


def test_rows_without_the_target_say_what_is_ahead(shop):
    rows = shops(60, seed=4).with_columns(load=pl.when(pl.int_range(60) < 40).then("load")).to_dicts()
    stream = shop.stream()
    for n, row in enumerate(rows[:46]):
        answer = stream.step(row)
        whole = pl.DataFrame(rows[: n + 1], schema=shops().schema)
        last = int(whole["load"].is_not_null().arg_true()[-1])
        if n - last >= 4:
            assert_same(answer, shop.predict(whole))
        else:
            assert answer["forecast"] is None
            assert answer["needs"] == f"'price' at {rows[n + 1]['day']}"
    gone = n - last
    assert gone > 4


def test_what_was_said_ahead_stays_said(shop):
    rows = shops(40, seed=5).with_columns(load=pl.Series(values(40))).to_dicts()
    whole, sparing = shop.stream(), shop.stream()
    for n, row in enumerate(rows[:30]):
        expected = whole.step(row | {"future": ahead_of(rows, n + 1)})
        given = {name: cell for name, cell in row.items() if n == 0 or name not in ("price", "event")}
        answer = sparing.step(given | {"future": ahead_of(rows, n + 1) if n % 3 == 0 else None})
        if n % 3 == 0:
            assert answer == expected
        else:
            assert answer["needs"] == f"'price' at {rows[n // 3 * 3 + 5]['day']}"


def wide(count=60):
    frame = pl.DataFrame(
        {"day": days(count), "a": values(count, 1, missing=0.2), "b": values(count, 2), "c": values(count, 3)}
    )
    here = pl.int_range(pl.len())
    return frame.with_columns(
        b=pl.when(here >= 12).then("b"),
        c=pl.when((here < 30) | (here == 50)).then("c"),
        rain=pl.lit(1.5) * (here % 4),
    )


def test_a_wide_table_is_one_stream_of_several_series():
    frame = wide()
    bundle = untrained(frame, horizon=4, season=(7,), target=("a", "b", "c"), past=("rain",))
    stream = bundle.stream()
    for n, row in enumerate(frame.to_dicts(), 1):
        answer = stream.step(row)
        assert list(answer["series"]) == ["a", "b", "c"]
        if n in (1, 12, 13, 20, 35, 50, 51, 52, 60):
            some = [name for name in "abc" if frame[:n][name].null_count() < n]
            missing = set("abc") - set(some)
            for name in missing:
                assert answer["series"][name] == {"forecast": None, "needs": f"a known value of {name!r}"}
            if not missing:
                predicted = bundle.predict(frame[:n])
                for name in some:
                    assert_same(answer["series"][name], predicted.filter(pl.col("series") == name))


def test_a_long_table_is_a_stream_for_each_series():
    parts = [daily(60, seed).with_columns(shop=pl.lit(name)) for seed, name in enumerate(("north", "south"))]
    bundle = untrained(pl.concat(parts), horizon=4, season=(7,), target=("load",))
    assert bundle.schema.ids == ("shop",)
    pool = StreamPool(bundle, 2)
    for name in ("north", "south"):
        pool.open(name)
    for rows in zip(*(part.to_dicts() for part in parts), strict=True):
        answers = pool.step(dict(zip(("north", "south"), rows, strict=True)))
    predicted = bundle.predict(pl.concat(parts))
    for name in ("north", "south"):
        assert_same(answers[name], predicted.filter(pl.col("series") == name))
    wrong = pool.step({"north": {"day": "2024-04-01", "load": 1, "shop": "south"}})["north"]
    assert str(wrong) == (
        "column 'shop': expected rows of one series in a stream, got another. Open a stream for each series."
    )
    assert "steps" in pool.step({"north": {"day": "2024-04-01", "load": 1}})["north"]


def test_streams_of_different_ages_in_a_pool():
    frame = daily(80)
    bundle = untrained(frame, horizon=4, season=(7,))
    rng = np.random.default_rng(0)
    each = {
        f"s{k}": daily(70, seed=k, missing=0.1 * k).filter(pl.Series(rng.random(70) < 0.9)) for k in range(6)
    }
    pool = StreamPool(bundle, 6)
    at = {pool.open(name): 0 for name in each}
    answers = {}
    for turn in range(60):
        if turn == 30:  # one ends, and its slot is another's
            pool.close("s2")
            pool.open("s2")
            at["s2"] = 0
        names = [name for name in each if rng.random() < 0.7 and at[name] < len(each[name])]
        rng.shuffle(names)
        found = pool.step({name: each[name].row(at[name], named=True) for name in names})
        for name in names:
            at[name] += 1
        answers |= found
        if turn % 12 == 11:
            for name in names:
                check(bundle, each[name], [at[name]], {at[name] - 1: answers[name]})


def test_states_go_round(shop):
    rows = shops(60, seed=6).to_dicts()
    rows = [row | {"future": ahead_of(rows, n + 1)} for n, row in enumerate(rows[:56])]
    stream, other = shop.stream(keep=3), shop.stream()
    for row in rows[:25]:
        stream.step(row)
    other.restore(stream.state())
    fork = stream.fork()
    expected = [stream.step(row) for row in rows[25:40]]
    assert [other.step(row) for row in rows[25:40]] == expected
    assert [fork.step(row) for row in rows[25:40]] == expected
    assert len(stream.state()) == len(fork.state())
    stream.rewind(3)
    assert [stream.step(row) for row in rows[37:40]] == expected[-3:]
    stream.rewind()
    for row in rows[:25]:
        stream.step(row)
    assert [stream.step(row) for row in rows[25:40]] == expected


def test_the_state_never_grows():
    bundle = untrained(daily(80), horizon=4, season=(7,))
    stream = bundle.stream()
    size = stream.state_bytes
    for row in daily(80).to_dicts():
        stream.step(row | {"forecast": False})
    assert stream.state_bytes == size < 60_000


@pytest.mark.parametrize("frame", [daily(60), wide(60)], ids=["one", "several"])
def test_the_example_can_be_given(frame):
    steps = untrained(
        frame, horizon=4, season=(7,), past=("rain",) if "rain" in frame.columns else None
    ).steps()
    assert steps.kind == "numbers"
    json.dumps([steps.example, steps.observation], allow_nan=False)
    assert set(steps.example) <= set(steps.observation["properties"])
    steps.checked(json.loads(json.dumps(steps.example)))


def test_the_example_of_covariates_can_be_given(shop):
    answer = shop.stream().step(shop.steps().example)
    assert answer["forecast"] is not None


@pytest.mark.parametrize("name", ["future", "forecast"])
def test_columns_may_bear_the_names_of_what_else_is_given(name):
    frame = shops(50).rename({"load": name}) if name == "forecast" else shops(50).rename({"price": name})
    roles = {**ROLES, "target": (name,)} if name == "forecast" else {**ROLES, "future": (name, "event")}
    bundle = untrained(frame, **roles)
    stream = bundle.stream()
    row = frame.row(5, named=True)
    assert stream.step(row | {"forecast_" if name == "forecast" else "forecast": False})["steps"] == 1
    later = frame.row(6, named=True)
    ahead = [
        {key: later[key] for key in bundle.schema.future_features[:1] if key in later} | {"event": "fair"}
    ]
    assert stream.step(later | {"future_" if name == "future" else "future": ahead})["steps"] == 2
