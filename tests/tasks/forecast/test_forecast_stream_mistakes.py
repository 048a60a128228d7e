"""What a stream of the forecaster cannot take: one sentence, and the stream is as it was."""

import json

import pytest
from forecasters import ROLES, daily, shops, untrained
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recurra.errors import DataError
from recurra.stream import StreamPool


@pytest.fixture(scope="module")
def shop():
    return untrained(shops(), **ROLES)


@pytest.fixture(scope="module")
def plain():
    return untrained(daily(80), horizon=4, season=(7,))


def test_the_largest_numbers_are_borne(plain):
    stream = plain.stream()
    for n, row in enumerate(daily(30).to_dicts()):
        answer = stream.step(row | {"load": (-1) ** n * 1.7e308 if n % 5 != 2 else 1e-300})
        json.dumps(answer, allow_nan=False)


def refused(stream, observation):
    """What is wrong with it; the stream is as it was."""
    before = stream.state()
    with pytest.raises(DataError) as caught:
        stream.step(observation)
    assert stream.state() == before
    return str(caught.value)


def test_mistakes(shop):
    stream = shop.stream()
    rows = shops().to_dicts()
    good = rows[3]
    stream.step(good)
    assert refused(stream, 5) == (
        "expected values by the names of the columns, got int. Give an object such as {'day': …}."
    )
    assert refused(stream, good) == (
        "column 'day': expected a time after 2024-01-04, got 2024-01-04. Give the rows in the order of time."
    )
    later = rows[4]
    assert refused(stream, later | {"laod": 5}) == (
        "column 'laod': expected the columns 'day', 'load', 'rain', 'sky', 'price', 'event', 'kind', 'area', "
        "got another. Leave it out."
    )
    assert refused(stream, {"day": "2024-01-05", "rain": 1, "sky": None}) == (
        "column 'load': expected a value at each step, got none. Give null where it is missing."
    )
    assert refused(stream, {"load": 5, "rain": 1, "sky": None}) == (
        "column 'day': expected a value at each step, got none. Write when it was."
    )
    assert refused(stream, later | {"load": "off"}) == (
        "column 'load': expected a finite number or null, got 'off'. Give null where the value is missing."
    )
    assert refused(stream, later | {"load": float("inf")}).startswith(
        "column 'load': expected a finite number"
    )
    assert refused(stream, later | {"load": 10**400}).startswith("column 'load': expected a finite number")
    assert refused(stream, later | {"load": [1]}).startswith(
        "column 'load': expected a finite number or null, got list"
    )
    assert refused(stream, later | {"rain": {}}).startswith(
        "column 'rain': expected a finite number or null, got dict"
    )
    assert refused(stream, later | {"sky": ["blue"]}) == (
        "column 'sky': expected a category or null, got list. Give its name."
    )
    assert refused(stream, later | {"kind": "street"}) == (
        "column 'kind': expected one value per series in a static column, got another one. Open a stream for "
        "each series."
    )
    assert refused(stream, later | {"forecast": 1}) == (
        "column 'forecast': expected true or false, got 1. Give one."
    )
    assert refused(stream, later | {"future": 7}) == (
        "column 'future': expected a list of at most 4 rows, one for each step after this one, got int. "
        "Leave out the others."
    )
    assert "got 5 rows" in refused(stream, later | {"future": [{}] * 5})
    assert refused(stream, later | {"future": [{"price": 1}, {"load": 2}]}) == (
        "column 'future[1]': expected an object of 'event', 'price', got 'load'. Give these columns."
    )
    assert refused(stream, later | {"future": [3]}).startswith("column 'future[0]': expected an object of")
    assert refused(stream, later | {"future": [{"price": "x"}]}).startswith(
        "column 'future[0].price': expected a finite number or null, got 'x'."
    )
    stream.step(later)


TIMES = {
    "tomorrow": "expected a time such as '2020-01-31 00:00', got 'tomorrow'. Correct the cell.",
    "2024-13-01": "expected a day that exists, got '2024-13-01'. Correct the cell.",
    "2024-02-30 00:00": "expected a day that exists, got '2024-02-30 00:00'. Correct the cell.",
    "2024-01-09 07:00": "expected a time on the grid, every day, got 2024-01-09 07:00. "
    "Give a value for each step.",
    "": "expected a time in every row, got none. Fill it in or remove the row.",
    "9999-01-01": "expected a time, got '9999-01-01'. Write it as the training data do.",
    None: "expected a time, got none. Write it as the training data do.",
    True: "expected a time, got True. Write it as the training data do.",
    12: "expected times as in the training data, got step numbers such as 12. Write them in the same form.",
    1e300: "expected a time, got 1e+300. Write it as the training data do.",
    "١٢-٠١-٢٠٢٤": "expected a time, got '\\u0661\\u0662-\\u0660\\u0661-\\u0662\\u0660\\u0662\\u0664'. "
    "Write it as the training data do.",
    "8888-01-01": "expected times near one another, got 8888-01-01, 2,507,025 steps from the last. "
    "Correct the time, or open another stream.",
}


@pytest.mark.parametrize("when", TIMES, ids=repr)
def test_times_that_cannot_be(plain, when):
    stream = plain.stream()
    stream.step({"day": "2024-01-01", "load": 1.0})
    assert refused(stream, {"day": when, "load": 2.0}) == f"column 'day': {TIMES[when]}"


@pytest.mark.parametrize(
    "when", ["1" * 400, "1e400", "9" * 19, "-5-5", "\0", "24:00", "2024-01-01T99:99", "W", [], {}]
)
def test_no_time_breaks_anything(plain, when):
    stream = plain.stream()
    assert refused(stream, {"day": when, "load": 2.0}).startswith("column 'day': expected ")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("2024-01-07"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
NAMES = ("day", "load", "rain", "sky", "price", "event", "kind", "area", "future", "forecast", "odd")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(NAMES), ANYTHING) | ANYTHING)
def test_whatever_is_given_is_taken_or_refused(shop, observation):
    stream = shop.stream()
    stream.step(shops().row(0, named=True))
    if isinstance(observation, dict):
        observation = {"day": "2024-01-02", "load": 1.0, "rain": None, "sky": None} | observation
    try:
        answer = stream.step(observation)
    except DataError:
        return
    json.dumps(answer, allow_nan=False)


def test_a_mistake_in_a_pool_is_one_streams(plain):
    pool, alone = StreamPool(plain, 5), plain.stream()
    for name in "abcde":
        pool.open(name)
    rows = daily(10).to_dicts()
    for n, row in enumerate(rows):
        expected = alone.step(row)
        wrong = {
            "b": {**row, "day": "nonsense"},
            "c": {**row, "day": "2020-01-01"},
            "d": {**row, "load": "x"},
        }
        answers = pool.step({name: wrong[name] if n % 3 == 1 and name in wrong else row for name in "abcde"})
        assert answers["a"] == answers["e"] == expected
        if n % 3 == 1:
            assert [str(answers[name])[:12] for name in "bcd"] == [
                "column 'day'",
                "column 'day'",
                "column 'load",
            ]
    assert [pool.steps(name) for name in "abcde"] == [10, 7, 7, 7, 10]
