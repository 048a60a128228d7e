"""The network's shape follows from seasons, horizon and length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.tasks.forecast.shape import MOST_SEGMENTS, MOST_STEPS_BACK, Shape, choose_shape


@pytest.mark.parametrize(
    ("seasons", "horizon", "length", "expected"),
    [
        ((24, 168), 96, 8640, (720, 24)),  # hours
        ((24, 168), 48, 800, (384, 24)),
        ((12,), 18, 100, (48, 12)),  # months
        ((), 6, 15, (7, 1)),  # years
        ((7, 365), 14, 5000, (420, 7)),  # days
        ((52,), 13, 900, (442, 13)),  # weeks
        ((96, 672), 96, 10_000, (720, 24)),  # quarters of an hour
    ],
)
def test_shapes_of_usual_data(seasons, horizon, length, expected):
    shape = choose_shape(seasons, horizon, length)
    assert (shape.look_back, shape.segment) == expected


@given(
    st.lists(st.integers(2, 10_000), max_size=3).map(sorted), st.integers(1, 5000), st.integers(1, 1_000_000)
)
def test_any_data_gets_whole_segments(seasons, horizon, length):
    shape = choose_shape(seasons, horizon, length)
    assert shape.segment >= 1
    assert shape.look_back % shape.segment == 0
    assert shape.segment <= shape.look_back <= max(MOST_STEPS_BACK, shape.segment)
    assert shape.look_back <= MOST_SEGMENTS * shape.segment


def test_it_is_kept_as_it_was():
    shape = choose_shape((7,), 14, 300)
    assert Shape.model_validate_json(shape.model_dump_json()) == shape
