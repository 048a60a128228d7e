"""Columns that help to forecast: past, future and static; as numbers, and in later files."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from recurra.errors import DataError
from recurra.tasks.forecast.config import ForecastConfig
from recurra.tasks.forecast.data import Schema, read_panel, read_panel_with


def read(source, **options):
    return read_panel(ForecastConfig(**options), source)


def shops(future_rows=7):
    """Two shops over 60 days, the last of them without sales."""
    parts = []
    for shop, kind in (("north", "mall"), ("south", "street")):
        count = 60 + future_rows
        days = pl.date_range(dt.date(2020, 1, 1), dt.date(2020, 1, 1) + dt.timedelta(count - 1), eager=True)
        sales = [float(n) for n in range(60)] + [None] * future_rows
        parts.append(
            pl.DataFrame(
                {
                    "shop": shop,
                    "date": days,
                    "sales": sales,
                    "rain": [0.5 * (n % 4) for n in range(60)] + [None] * future_rows,
                    "promo": [n % 3 == 0 for n in range(count)],
                    "event": [("none", "fair", None)[n % 3] for n in range(count)],
                    "kind": kind,
                    "area": 100.0 if shop == "north" else 300.0,
                }
            )
        )
    return pl.concat(parts)


ROLES = {
    "target": ("sales",),
    "past": ("rain",),
    "future": ("promo", "event"),
    "static": ("kind", "area"),
    "horizon": 7,
}


def test_covariates_are_encoded():
    data = read(shops(), **ROLES)
    schema, panel = data.schema, data.panel
    assert schema.past_features == ("rain",)
    assert schema.future_features == ("promo", "event=fair", "event=none", "event=(other)")
    assert schema.static_features == ("kind=mall", "kind=street", "kind=(other)", "area")
    assert [one.shape for one in panel.past] == [(60, 1)] * 2
    assert [one.shape for one in panel.future] == [(67, 4)] * 2
    assert panel.static.tolist() == [[1, 0, 0, -1], [0, 1, 0, 1]]
    assert panel.past[0].dtype == panel.future[0].dtype == panel.static.dtype == np.float32
    train = int(data.split.train[0])
    np.testing.assert_allclose(panel.past[0][:train].mean(), 0, atol=1e-6)
    np.testing.assert_allclose(panel.past[0][:train].std(), 1, atol=1e-6)
    np.testing.assert_array_equal(panel.future[0][:3, 1:], [[0, 1, 0], [1, 0, 0], [np.nan] * 3])
    assert "future: promo, event (2 categories)" in data.found


def test_the_schema_survives_json_and_reads_later_files():
    data = read(shops(), **ROLES)
    schema = Schema.model_validate_json(data.schema.model_dump_json())
    assert schema == data.schema
    later = shops().with_columns(
        shop=pl.lit("west") + pl.col("shop"), event=pl.lit("storm"), kind=pl.lit("kiosk")
    )
    panel = read_panel_with(schema, later)
    assert panel.ids == ["westnorth", "westsouth"]
    assert panel.future[0][0].tolist()[1:] == [0, 0, 1]
    assert panel.static[0].tolist()[:3] == [0, 0, 1]
    again = read_panel_with(schema, shops())
    for mine, theirs in zip(again.future + again.past, data.panel.future + data.panel.past, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    with pytest.raises(DataError) as caught:
        read_panel_with(schema, later.drop("rain"))
    assert str(caught.value).startswith(
        "frame: expected the column 'rain', got shop, date, sales, promo, event and 2 more."
    )
    with pytest.raises(DataError) as caught:
        read_panel_with(schema, later.with_columns(sales=pl.lit(None, dtype=pl.Float64)))
    assert str(caught.value) == (
        "frame: expected at least one known value in every series, got none in westnorth, westsouth. "
        "Remove what is empty."
    )


def test_the_future_must_be_there():
    data = read(shops().drop("event"), **{**ROLES, "future": ("promo",)})
    data.panel.require_future(7)
    with pytest.raises(DataError) as caught:
        data.panel.require_future(8)
    assert str(caught.value) == (
        "expected 'promo' for 8 steps after the last target of series 'north', got none at 2020-03-08. "
        "Add rows that hold it, with the target left empty."
    )
    with pytest.raises(
        DataError,
        match=r"expected 'event' for 7 steps after .* of series 'north', got none at 2020-03-03",
    ):
        read(shops(), **ROLES).panel.require_future(7)


def test_a_static_column_that_changes():
    frame = shops().with_columns(area=pl.int_range(pl.len()).cast(pl.Float64))
    with pytest.raises(DataError) as caught:
        read(frame, **ROLES)
    assert str(caught.value) == (
        "frame, row 1, column 'area': expected one value per series in a static column, got '1.0' after "
        "another one. Name the column as past or future instead."
    )


def test_text_in_a_number_column_of_a_later_file():
    schema = read(shops(), **ROLES).schema
    with pytest.raises(DataError) as caught:
        read_panel_with(schema, shops().with_columns(rain=pl.lit("wet")))
    assert str(caught.value).startswith("frame, row 0, column 'rain': expected a finite number, got 'wet'.")


def test_covariates_of_other_types():
    frame = shops().with_columns(rain=pl.lit(None, dtype=pl.Float64), kind=pl.lit(dt.date(2020, 1, 1)))
    data = read(frame, **ROLES)
    assert np.isnan(data.panel.past[0]).all()
    assert data.schema.static_features[:2] == ("kind=2020-01-01", "kind=(other)")


def test_rare_categories_share_a_column():
    frame = pl.DataFrame(
        {"t": range(400), "y": 1.0, "kind": [f"k{n % 7 if n % 2 else n}" for n in range(400)]}
    )
    column = read(frame, target=("y",), future=("kind",), horizon=4).schema.future[0]
    assert len(column.categories) == 32
    assert {f"k{n}" for n in range(7)} <= set(column.categories)
