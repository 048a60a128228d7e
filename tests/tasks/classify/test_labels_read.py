"""Labels: one class, several at once, missing, unseen, and what is no class."""

import json

import numpy as np
import polars as pl
import pytest
from reading import long, read, refused, reviews, wide

from recurra.tasks.classify.data import read_later


def test_classes_in_natural_order_and_form():
    frame = reviews(44, stars=[float(n % 11) for n in range(44)])
    data = read(frame, label="stars")
    assert data.schema.classes == tuple(map(str, range(11)))
    text = read(frame.with_columns(stars=pl.Series([f" {n % 11}.0 " for n in range(44)])), label="stars")
    assert text.schema.classes == data.schema.classes
    truth = read(frame.with_columns(stars=pl.Series([n % 2 == 0 for n in range(44)])), label="stars")
    assert truth.schema.classes == ("false", "true")


def test_rows_without_a_label_are_left_out_and_read_as_language():
    frame = reviews().with_columns(
        label=pl.Series([None, "NA", " ", *["pos", "neg"] * 18, "pos"], dtype=pl.String)
    )
    data = read(frame)
    assert data.examples.y[:3].tolist() == [-1, -1, -1]
    assert not {0, 1, 2} & {*data.train.tolist(), *data.test.tolist()}
    assert "without a label: 3 examples, left out of training and test" in data.found
    assert len(data.unlabelled) == 3


def test_columns_of_several_labels():
    frame = reviews(
        rude=[n % 2 for n in range(40)], angry=[None if n == 3 else n % 3 == 0 for n in range(40)]
    )
    data = read(frame.drop("label"), label=("rude", "angry"))
    assert (data.schema.several, data.schema.classes) == (True, ("rude", "angry"))
    np.testing.assert_array_equal(data.examples.y[:4], [[0, 1], [1, 0], [0, 0], [1, np.nan]])
    assert data.examples.y.dtype == np.float32
    assert any(line.startswith("classes: 2 classes that may hold at once: rude") for line in data.found)
    later = read_later(data.schema, frame.select("review"), labels=False)
    assert np.isnan(later.examples.y).all()
    assert later.examples.y.shape == (40, 2)
    assert refused(reviews(a=[0, 1] * 20, b=[0, 2] * 20), label=("a", "b")) == (
        "frame, row 1, column 'b': expected 0 or 1 in a column of several labels, got 2. "
        "Name one label column, or write 1 where the label holds and 0 where not."
    )


def test_several_labels_in_a_cell(tmp_path):
    tags = ["a", "b|a", "", "c"] * 10
    data = read(reviews(tags=tags).drop("label"), label="tags", label_separator="|")
    assert data.schema.classes == ("a", "b", "c")
    assert data.examples.y[:4].tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 0, 1]]
    assert "none of them: 8 examples" in data.found
    later = read_later(data.schema, reviews(tags=["a|z"] * 40), labels=True)
    assert later.examples.unseen == {"z": 40}
    assert later.examples.y[0].tolist() == [1, 0, 0]
    rows = [{"text": f"a text no {n}", "tags": [["a"], ["b", "a"], [], None][n % 4]} for n in range(40)]
    (tmp_path / "a.ndjson").write_text("\n".join(map(json.dumps, rows)))
    data = read(tmp_path / "a.ndjson", label="tags")
    assert data.examples.y[:3].tolist() == [[1, 0], [1, 1], [0, 0]]
    assert np.isnan(data.examples.y[3]).all()


def test_cells_that_look_like_several_labels_are_told():
    data = read(reviews(tags=["a", "b", "a|b", "b"] * 10).drop("label"), label="tags")
    assert data.schema.classes == ("a", "a|b", "b")
    assert "labels such as 'a|b' count as one class; --label-separator '|' splits them" in data.found


def test_an_unseen_label_is_judged_and_told():
    data = read(reviews())
    later = read_later(
        data.schema, reviews().with_columns(label=pl.Series(["new", None, *["pos"] * 38])), labels=True
    )
    assert later.examples.y[:3].tolist() == [-1, -1, 1]
    assert later.test.tolist() == [0, *range(2, 40)]
    assert later.examples.unseen == {"new": 1}
    assert later.found == (
        "without a label: 1 example, not judged",
        "unseen: 'new', which training did not have (1 example, counted as wrong)",
    )


def test_a_class_with_one_example_is_learnt_from():
    frame = reviews().with_columns(label=pl.Series(["odd", *["pos", "neg"] * 19, "pos"]))
    for seed in range(5):
        data = read(frame, seed=seed)
        assert 0 in data.train
    assert "one example alone: odd, which cannot be tested" in data.found


@pytest.mark.parametrize(
    ("label", "text"),
    [
        (["pos"] * 40, "frame: expected at least 2 classes to tell apart, got only 'pos'. "
         "Give examples of others."),
        ([None] * 40, "frame: expected at least 2 classes to tell apart, got no label. "
         "Give examples of others."),
        ([f"c{n}" for n in range(40)], "frame: expected classes that occur again, got 40 different ones in "
         "40 examples. Name another label."),
        ([n / 7 for n in range(40)],
         "frame: expected classes, got 40 different numbers such as 0. "
         "Name another label, or cut the numbers into classes; `recurra fit forecast` takes numbers."),
    ],
)  # fmt: skip
def test_what_is_no_class(label, text):
    dtype = pl.Float64 if isinstance(label[0], float) else pl.String
    assert refused(reviews().with_columns(label=pl.Series(label, dtype=dtype))) == text


def test_an_id_with_two_labels_names_both_rows(tmp_path):
    frame = long().with_columns(label=pl.Series(["low", "low", None, "high", *long()["label"][4:]]))
    frame.write_csv(tmp_path / "a.csv")
    assert refused(tmp_path / "a.csv", id="id") == (
        "a.csv, line 5: expected one label for the id 's0', got 'high' after 'low' in line 2. "
        "Correct the label, or name the id columns that tell sequences apart."
    )
    gap = long().with_columns(label=pl.Series([None, "low", None, "low", *long()["label"][4:]]))
    assert read(gap).examples.y[0] == 1
    marks = long(a=[n // 4 % 2 for n in range(48)], b=[n // 4 % 3 == 0 for n in range(48)]).drop("label")
    data = read(marks, label=("a", "b"), id="id")
    assert data.examples.y[:3].tolist() == [[0, 1], [1, 0], [0, 0]]


def test_one_label_of_a_wide_table_is_found():
    assert read(wide()).schema.label == ("class",)
