"""Which columns are taken for what, and what is said where none will do."""

import json

import polars as pl
import pytest
from reading import long, read, refused, refused_later, reviews, wide


def test_the_clearest_name_is_the_label():
    frame = reviews(y=[0.5] * 40, category=["a", "b"] * 20)
    assert read(frame).schema.label == ("label",)
    assert read(frame.drop("label")).schema.label == ("category",)
    assert read(frame, label="category").schema.label == ("category",)
    both = frame.drop("label").with_columns(sentiment=pl.col("category"))
    assert refused(both) == (
        "frame: expected a column with the class, got category, sentiment, which all may be. "
        "Name it with label."
    )
    assert refused(reviews(other=[1] * 40).rename({"label": "stars"})) == (
        "frame: expected a column with the class, got review, stars, other. Name it with label."
    )


def test_of_two_columns_the_one_with_few_cells_is_the_label():
    assert read(reviews().rename({"label": "stars"})).schema.label == ("stars",)


def test_one_role_for_a_column():
    assert refused(reviews(), label="label", text="label") == (
        "expected one role for the column 'label', got two. Name it once."
    )
    assert refused(reviews(), text="body") == (
        "frame: expected the column 'body', got review, label. Name one of these, or add it."
    )


def test_text_before_numbers_and_ids():
    data = read(reviews(user_id=["u1", "u2"] * 20, length=range(40)))
    assert (data.schema.layout, data.schema.text) == ("rows", ("review",))
    assert "left out: user_id, length" in data.found
    assert read(reviews(key=[f"k{n}" for n in range(40)]), id="key").examples.names[0] == "k0"


def test_ids_are_found_only_where_their_label_stays():
    assert read(long()).schema.ids == ("id",)
    assert read(long().rename({"id": "trip_id"})).schema.ids == ("trip_id",)
    two = long().with_columns(part=pl.lit("p"))
    assert read(two, id=("id", "part")).examples.names[0] == "s0/p"
    assert read(long().drop("time")).schema.time is None
    assert read(long().rename({"time": "n"}), time="n", channels="x").schema.features == ("x",)


def test_named_columns_of_a_wide_table():
    assert "left out: user_id" in read(wide(user_id=[1, 1, 2, 2] * 5)).found
    assert read(wide(), channels=("t1", "t4")).schema.steps == ("t1", "t4")


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (wide().select("t0", "class"),
         "frame: expected a column of text, two or more columns of numbers, or an id column with several "
         "rows for each, got t0 beside the label. Name them with text, channels or id."),
        (long().select("id", "time", "label"),
         "frame: expected columns to read at each step, got none beside id, label. Add some."),
        (long().with_columns(time=pl.Series([None, *range(1, 48)])),
         "frame, row 0, column 'time': expected a time in every row, got none. "
         "Fill it in or remove the row."),
        (long().with_columns(x=pl.Series([float("inf"), *map(float, range(47))])),
         "frame, row 0, column 'x': expected a finite number, got 'inf'. "
         "Correct the cell, or leave it empty if the value is missing."),
        (long().with_columns(id=pl.Series([None, *long()["id"][1:]])),
         "frame, row 0, column 'id': expected an id in every row, got none. Fill it in or remove the row."),
    ],
)  # fmt: skip
def test_tables_that_will_not_do(frame, text):
    options = {"id": "id", "time": "time"} if "id" in frame.columns else {}
    assert refused(frame, **options) == text


def lines(tmp_path, rows):
    path = tmp_path / "a.ndjson"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_lists_that_will_not_do(tmp_path):
    rows = [{"label": "ab"[n % 2], "x": [1, 2], "y": [1, 2]} for n in range(10)]
    rows[3]["y"] = [1]
    assert refused(lines(tmp_path, rows)) == (
        "a.ndjson, line 4, column 'y': expected lists of the same length in a row, got 1 after 2. "
        "Give every channel a value for each step, null where it is missing."
    )
    rows = [{"label": "ab"[n % 2], "x": [[1, 2], [3, 4]]} for n in range(10)]
    rows[3]["x"] = [[1, 2], [3]]
    assert refused(lines(tmp_path, rows)) == (
        "a.ndjson, line 4, column 'x': expected 2 values at each step, got 1. "
        "Give every step all channels, null where one is missing."
    )
    frame = pl.DataFrame({"label": ["a", "b"] * 5, "x": [[1.0, float("inf")]] * 10})
    assert refused(frame) == (
        "frame, row 0, column 'x': expected finite numbers, got 'inf'. "
        "Correct it, or write null if the value is missing."
    )


def test_nothing_but_empty_sequences():
    text = "frame: expected something in the texts or sequences, got 10 empty ones. Name other columns."
    labels = {"label": ["a", "b"] * 5}
    assert refused(pl.DataFrame({"x": [" "] * 10, **labels}), text="x") == text
    assert refused(pl.DataFrame({"x": pl.Series([[]] * 10, dtype=pl.List(pl.Float64)), **labels})) == text


def test_lists_stay_lists():
    schema = read(pl.DataFrame({"label": ["a", "b"] * 5, "x": [[1.0, 2.0]] * 10})).schema
    assert refused_later(schema, pl.DataFrame({"label": ["a"], "x": [1.0]})) == (
        "frame, column 'x': expected lists, got Float64. Write each sequence as a list."
    )
