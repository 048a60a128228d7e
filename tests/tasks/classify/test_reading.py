"""From users' files to labelled sequences, one layout after the other."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
from reading import EXAMPLES, VOWELS, long, read, refused, reviews, wide

from recurra.tasks.classify.data import Schema, read_later

# Texts


def test_texts_of_a_table(tmp_path):
    reviews().write_csv(tmp_path / "reviews.csv")
    data = read(tmp_path / "reviews.csv")
    assert data.found == (
        "text: column review, 40 texts of 5 to 8 words (8 words in the median text)",
        "vocabulary: 40 different words",
        "classes: 2 classes: neg 16 (50.0%), pos 16 (50.0%)",
        "examples: 32 to learn from, 8 to test",
    )
    schema = data.schema
    assert (schema.kind, schema.layout, schema.classes, schema.several) == (
        "text",
        "rows",
        ("neg", "pos"),
        False,
    )
    assert (schema.label, schema.text, schema.examples, schema.length) == (("label",), ("review",), 32, 8)
    assert schema.width == len(schema.tokens) == 42
    assert data.examples.y[:3].tolist() == [1, 0, 1]
    assert data.examples.names[:2] == ["1", "2"]
    assert data.examples.texts[0] == "a good film no 0"
    assert schema.vocabulary.decode(data.examples.x[data.train[0]]) == data.examples.texts[data.train[0]]
    assert (data.valid.tolist(), data.folds, data.unlabelled) == ([], None, None)
    assert len(data.sha256) == 64
    assert Schema.model_validate_json(schema.model_dump_json()) == schema


def test_names_of_the_examples_folder():
    data = read(EXAMPLES / "names.csv")
    assert data.schema.label == ("language",)
    assert data.schema.vocabulary.unit == "characters"
    assert "text: column name, 20,050 texts of 2 to 20 characters (texts of a word or two)" in data.found
    assert "examples: 16,040 to learn from, 4,010 to test" in data.found
    assert len(data.schema.classes) == 18
    for number in range(18):  # none is missing from a part
        assert {number} <= set(data.examples.y[data.train]) & set(data.examples.y[data.test])


def test_a_table_without_header_and_a_byte_order_mark(tmp_path):
    content = "".join(f"a film that is {('good', 'bad')[n % 2]}, no {n}\t{n % 2}\n" for n in range(20))
    (tmp_path / "train.tsv").write_bytes(b"\xef\xbb\xbf" + content.encode())
    data = read(tmp_path / "train.tsv")
    assert (data.schema.text, data.schema.label, data.schema.classes) == (
        ("column_1",),
        ("column_2",),
        ("0", "1"),
    )


def test_latin_1_and_quotes_between_tabs(tmp_path):
    lines = [f'"café" was {("good", "bad")[n % 2]}, " no {n}\t{("x", "y")[n % 2]}\n' for n in range(20)]
    (tmp_path / "a.tsv").write_bytes(("text\tlabel\n" + "".join(lines)).encode("latin-1"))
    data = read(tmp_path / "a.tsv")
    assert data.examples.texts[0] == '"café" was good, " no 0'
    assert data.found[0] == "encoding: not UTF-8, read as Latin-1 (a.tsv)"


def test_long_and_empty_texts():
    frame = reviews().with_columns(review=pl.Series(["w " * 50_000, "", None, *reviews()["review"][3:]]))
    data = read(frame)
    assert data.examples.x.lengths[:3].tolist() == [2000, 1, 1]
    assert data.examples.x[1].tolist() == [1]
    assert "cut: 1 sequence after 2,000 steps, the longest has 50,000 (--longest reads more)" in data.found
    assert "empty: 2 sequences of no steps, each kept as one of which nothing is known" in data.found
    assert read(frame, longest=100).examples.x.lengths.max() == 100
    assert read(frame, longest=100, unit="characters").examples.x.lengths[0] == 100


def test_several_columns_of_text_and_the_options():
    frame = reviews(title=[f"title{n % 2}" for n in range(40)])
    data = read(frame, text=("title", "review"), vocabulary=20, unit="words")
    assert data.examples.texts[0] == "title0\na good film no 0"
    assert len(data.schema.vocabulary) == 20
    assert read(frame).schema.text == ("review",)
    assert "left out: title" in read(frame).found


def test_a_folder_with_a_file_for_each_class(tmp_path):
    for label in ("neg", "pos"):
        (tmp_path / f"{label}.txt").write_text("".join(f"a {label} text, no {n}\n" for n in range(10)))
    data = read(tmp_path)
    assert (data.schema.label, data.schema.text, data.schema.classes) == (
        ("label",),
        ("text",),
        ("neg", "pos"),
    )
    again = read_later(data.schema, tmp_path, labels=True)
    assert len(again.test) == 20
    (tmp_path / "later.txt").write_text("one text\n\nanother\n")
    later = read_later(data.schema, tmp_path / "later.txt", labels=False)
    assert later.examples.texts == ["one text", "another"]


# Numbers


def test_a_row_for_each_step():
    frame = long(note=[None] * 48).sample(fraction=1, shuffle=True, seed=1)
    data = read(frame)
    assert data.found[:3] == (
        "order: rows were not in the order of time, sorted",
        "series: 12 sequences told apart by id of 4 steps in the order of time",
        "channels: 2 channels: x, state (3 categories), scaled to mean 0 and deviation 1",
    )
    schema = data.schema
    assert (schema.kind, schema.layout, schema.ids, schema.time) == ("series", "long", ("id",), "time")
    assert schema.features == ("x", "state=down", "state=idle", "state=up", "state=(other)")
    assert data.examples.x.values.shape == (48, schema.width)
    n = data.examples.names.index("s3")
    x = data.examples.x[n]
    assert (np.diff(x[:, 0]) > 0).all()
    assert x[:, 1:].argmax(1).tolist() == [2, 0, 1, 2]
    assert data.examples.y[n] == schema.classes.index("high")


def test_a_categorical_channel_alone_is_events():
    data = read(long().select("id", "state", "label"))
    assert (data.schema.kind, data.schema.tokens) == ("events", ("", "<unknown>", "down", "idle", "up"))
    assert data.examples.x[0].tolist() == [4, 2, 3, 4]
    assert data.examples.texts[0] == "up down idle up"
    assert data.found[0] == "events: 12 sequences of 4 steps, 3 different state"
    other = long().select("id", "state", "label").with_columns(state=pl.lit("new thing"))
    later = read_later(data.schema, other, labels=True)
    assert later.examples.x[0].tolist() == [1] * 4
    assert later.examples.texts[0] == "new_thing new_thing new_thing new_thing"


def test_time_stamps_order_the_steps():
    stamps = [f"2024-01-0{9 - t} 10:00" for _ in range(12) for t in range(4)]
    data = read(long().with_columns(time=pl.Series(stamps)))
    assert data.schema.time == "time"
    assert (np.diff(data.examples.x[1][:, 0]) < 0).all()
    later = read_later(data.schema, long().with_columns(time=pl.Series(stamps)), labels=True)
    np.testing.assert_array_equal(later.examples.x.values, data.examples.x.values)


def test_a_column_for_each_step():
    data = read(wide(id=range(100, 120)))
    assert (data.schema.layout, data.schema.classes, data.schema.features) == ("wide", ("1", "2"), ("value",))
    assert data.schema.steps == tuple(f"t{at}" for at in range(6))
    assert data.examples.names[:2] == ["100", "101"]
    assert "series: 20 sequences of 6 steps, columns t0 to t5" in data.found
    assert abs(data.examples.x.take(data.train).values.mean()) < 1e-6
    assert abs(data.examples.x.take(data.train).values.std() - 1) < 1e-6


def test_columns_of_two_channels():
    frame = pl.DataFrame(
        {f"{c}_{t}": [float(10 * n + t)] * 20 for n, c in enumerate("xy") for t in (1, 2, 3)}
        | {"y": ["a", "b"] * 10}
    )
    data = read(frame)
    assert data.schema.features == ("x", "y")
    assert data.schema.steps == ("x_1", "x_2", "x_3", "y_1", "y_2", "y_3")
    assert data.examples.x.values.shape == (60, 2)


def test_the_archives_table_form(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["\t".join([str(n % 2 + 1), *(f"{v:.4f}" for v in rng.normal(size=12))]) for n in range(20)]
    (tmp_path / "X_TRAIN.tsv").write_text("\n".join(lines))
    data = read(tmp_path / "X_TRAIN.tsv")
    assert (data.schema.label, data.schema.classes) == (("column_1",), ("1", "2"))
    assert data.examples.x.lengths.tolist() == [12] * 20


def test_lists_in_cells(tmp_path):
    rows = [{"label": "ab"[n % 2], "x": list(range(n % 5)), "y": [1.5] * (n % 5)} for n in range(20)]
    (tmp_path / "a.ndjson").write_text("\n".join(map(json.dumps, rows)))
    data = read(tmp_path / "a.ndjson")
    assert (data.schema.layout, data.schema.features) == ("lists", ("x", "y"))
    assert data.examples.x.lengths[:6].tolist() == [1, 1, 2, 3, 4, 1]
    assert "empty: 4 sequences of no steps, each kept as one of which nothing is known" in data.found
    gaps = [{"label": "ab"[n % 2], "x": [1, None, 2][: n % 4]} for n in range(20)]
    (tmp_path / "c.ndjson").write_text("\n".join(map(json.dumps, gaps)))
    assert read(tmp_path / "c.ndjson").examples.x[0].tolist() == [[0, 1]]
    inner = [{"label": "ab"[n % 2], "x": [[1.0 * n, None], [n, 2.0]]} for n in range(20)]
    (tmp_path / "b.ndjson").write_text("\n".join(map(json.dumps, inner)))
    data = read(tmp_path / "b.ndjson")
    assert data.schema.features == ("x 1", "x 2", "x 2 is missing")
    assert data.examples.x[0][:, 1:].tolist() == [[0, 1], [0, 0]]
    assert "left out: x" not in data.found
    later = read_later(data.schema, tmp_path / "b.ndjson", labels=False)
    np.testing.assert_array_equal(later.examples.x.values, data.examples.x.values)
    words = [{"label": "ab"[n % 2], "events": ["in", "out", None][: n % 4]} for n in range(20)]
    data = read(pl.DataFrame(words))
    assert data.schema.tokens == ("", "<unknown>", "in", "out")
    assert data.examples.x[3].tolist() == [2, 3, 1]


def test_arrays_in_a_frame():
    data = read(pd.DataFrame({"signal": [np.arange(5.0)] * 10, "label": ["a", "b"] * 5}))
    assert data.examples.x.lengths.tolist() == [5] * 10


def test_missing_values_are_zero_with_a_flag():
    frame = long().with_columns(x=pl.Series([None if n % 7 == 0 else float(n) for n in range(48)]))
    data = read(frame)
    assert data.schema.features[-1] == "x is missing"
    gone = data.examples.x.values[:, -1] == 1
    assert gone.tolist() == [n % 7 == 0 for n in range(48)]
    assert (data.examples.x.values[gone, 0] == 0).all()
    assert "missing: 7 of 96 values (7.3%), in x" in data.found
    ends = wide().with_columns(t5=pl.lit(None, pl.Float64))
    assert read(ends.with_columns(t4=pl.Series([None, 1.0] * 10))).examples.x.lengths[:2].tolist() == [4, 5]
    # Gaps that training did not have bring no flag.
    assert read_later(read(long()).schema, frame, labels=True).examples.x.values.shape[1] == 5


def test_what_is_far_out_is_clipped_and_scales_are_of_training_alone():
    frame = wide().with_columns(split=pl.Series(["train"] * 16 + ["test"] * 4))
    far = frame.with_columns(t0=pl.Series([*frame["t0"][:16], 1e9, -1e300, 0.0, 0.0]))
    data, other = read(frame), read(far)
    assert data.schema == other.schema
    assert other.examples.x[16][0, 0] == 10
    assert other.examples.x[17][0, 0] == -10


# Archives


def test_an_archive_finds_its_test_part():
    data = read(VOWELS)
    assert (len(data.train), len(data.test)) == (270, 370)
    assert data.schema.classes == tuple("123456789")
    assert data.found[0] == "series: 640 sequences of 7 to 29 steps"
    assert data.schema.width == 12
    alone = read(VOWELS, test=0.5)
    assert (len(alone.train), len(alone.test)) == (135, 135)
    both = read([VOWELS, VOWELS.with_name("JapaneseVowels_TEST.ts.gz")])
    assert both.test.tolist() == data.test.tolist()
    later = read_later(data.schema, VOWELS.with_name("JapaneseVowels_TEST.ts.gz"), labels=True)
    np.testing.assert_array_equal(later.examples.x.values, data.examples.x.take(data.test).values)
    np.testing.assert_array_equal(later.examples.y, data.examples.y[data.test])


def test_a_folder_of_an_archive(tmp_path):
    for part in ("TRAIN", "TEST"):
        cases = "".join(f"{n},{n % 3},1:{('a', 'b')[n % 2]}\n" for n in range(10))
        (tmp_path / f"X_{part}.ts").write_text("@classLabel true a b\n@data\n" + cases)
        cases = cases.replace(":", ",")
        head = "".join(f"@attribute v{n} numeric\n" for n in range(3)) + "@attribute c {a,b}\n@data\n"
        (tmp_path / f"X_{part}.arff").write_text(head + cases)
    data = read(tmp_path)
    assert (len(data.train), len(data.test)) == (10, 10)
    arff = read(tmp_path / "X_TRAIN.arff")
    np.testing.assert_array_equal(arff.examples.x.values, data.examples.x.values)


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ("1,inf:a\n1,2:b\n", "line 3: expected finite numbers, got an infinite one. "
         "Write ? if the value is missing."),
        ("", "line 2: expected cases below @data, got none. Give a file with some."),
    ],
)  # fmt: skip
def test_archives_that_cannot_be_used(tmp_path, lines, text):
    (tmp_path / "x.ts").write_text("@classLabel true a b\n@data\n" + lines)
    assert refused(tmp_path / "x.ts") == f"x.ts, {text}"


def test_archives_that_do_not_go_together(tmp_path):
    for name, lines in (("A_TRAIN", "1,2:a\n"), ("A_TEST", "1,2:3,4:a\n"), ("B_TRAIN", "1,2:b\n")):
        (tmp_path / f"{name}.ts").write_text("@classLabel true a b\n@data\n" + lines)
    assert refused(tmp_path / "A_TRAIN.ts") == (
        "A_TEST.ts: expected 1 channels as in A_TRAIN.ts, got 2. Give files of the same data set."
    )
    assert refused(tmp_path) == (
        "expected one data set, got 3 files such as A_TEST.ts. Name the one to fit on."
    )
    (tmp_path / "c.csv").write_text("a,b\n1,2\n")
    assert refused([tmp_path / "A_TRAIN.ts", tmp_path / "c.csv"]) == (
        "expected .ts and .arff files alone, got c.csv. Fit on one kind of file."
    )
    for head in ("@classLabel false", "@problemName n"):
        (tmp_path / "n.ts").write_text(f"{head}\n@data\n1,2\n")
        assert refused(tmp_path / "n.ts") == (
            "n.ts: expected the class of each sequence, got a file whose @classLabel names none. "
            "Give one with `@classLabel true` and the classes."
        )
