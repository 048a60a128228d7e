"""What trains, what validates and what tests; folds; later files; texts without labels."""

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError
from reading import VOWELS, long, read, refused, refused_later, reviews, wide

from recurra.errors import ConfigError
from recurra.tasks.classify.config import ClassifyConfig
from recurra.tasks.classify.data import read_later
from recurra.tasks.classify.shape import FEW, MIDDLE, SMALL
from recurra.tasks.classify.split import fold_parts, strata_of, stratified


def rng():
    return np.random.default_rng(0)


def test_a_share_of_every_class():
    strata = np.repeat([0, 1, 2, 3, 4], [60, 30, 7, 2, 1])
    drawn = stratified(strata, 0.2, rng())
    assert np.bincount(strata[drawn], minlength=5).tolist() == [12, 6, 1, 1, 0]
    assert drawn.tolist() == sorted(set(drawn.tolist()))
    assert drawn.tolist() == stratified(strata, 0.2, rng()).tolist()
    assert drawn.tolist() != stratified(strata, 0.2, np.random.default_rng(1)).tolist()
    assert len(stratified(strata, 0.0, rng())) == 0
    assert len(stratified(np.zeros(0, dtype=np.int64), 0.2, rng())) == 0


def test_folds_share_out_every_class():
    strata = np.repeat([0, 1, 2], [50, 25, 3])
    parts = fold_parts(strata, 5, rng())
    assert sorted(np.concatenate(parts).tolist()) == list(range(78))
    assert {len(part) for part in parts} == {15, 16}
    assert all(np.bincount(strata[part], minlength=3)[0] == 10 for part in parts)
    assert strata_of(np.array([[0, 1], [1, 1], [0, 1], [np.nan, 1]])).tolist() in ([1, 2, 1, 0], [0, 1, 0, 2])


def test_parts_by_share():
    data = read(reviews(), test=0.25, valid=0.1)
    assert (len(data.train), len(data.valid), len(data.test)) == (27, 3, 10) or (
        len(data.train), len(data.valid), len(data.test)) == (28, 2, 10)  # fmt: skip
    everything = np.concatenate([data.train, data.valid, data.test])
    assert sorted(everything.tolist()) == list(range(40))
    none = read(reviews(), test=0)
    assert (len(none.train), len(none.test)) == (40, 0)
    assert "examples: 40 to learn from, none to test" in none.found
    assert read(reviews(), seed=1).test.tolist() != read(reviews()).test.tolist()


def test_parts_by_column():
    part = ["train", "Dev", " test ", "training"] * 10
    data = read(reviews(split=part))
    assert data.valid.tolist() == list(range(1, 40, 4))
    assert data.test.tolist() == list(range(2, 40, 4))
    assert "examples: 20 to learn from, 10 to validate, 10 to test" in data.found
    assert read(reviews(use=part), split="use").test.tolist() == data.test.tolist()
    assert refused(reviews(use=[*part[:-1], "later"]), split="use") == (
        "frame, row 39, column 'use': expected train, valid or test, got 'later'. Correct the cell."
    )
    assert refused(reviews(split=part), test=0.1) == (
        "expected a test share or data that says what is for test, got both. Leave test out."
    )
    assert refused(reviews(split=["valid", "test"] * 20)) == (
        "frame: expected at least 2 classes to tell apart, got only 'pos'. Give examples of others."
    )
    assert refused(reviews(split=["valid"] * 30 + ["test"] * 10)) == (
        "frame: expected examples to learn from, got none beside 30 to validate and 10 to test. "
        "Mark some as train."
    )
    steps = read(long(split=["train"] * 24 + ["test"] * 24))
    assert steps.test.tolist() == list(range(6, 12))


def test_parts_by_file(tmp_path):
    for name, count in (("train", 40), ("dev", 8), ("test", 12)):
        reviews(count).write_csv(tmp_path / f"{name}.csv")
    data = read(tmp_path / "train.csv", valid=tmp_path / "dev.csv", test=str(tmp_path / "test.csv"))
    assert (len(data.train), data.valid.tolist(), data.test.tolist()) == (
        40, list(range(40, 48)), list(range(48, 60)),
    )  # fmt: skip
    assert "twice: 12 of 12 test examples are among the training examples, too" in data.found
    assert data.sha256 != read(tmp_path / "train.csv").sha256
    assert len(data.sha256) == 64
    reviews(12).drop("label").write_csv(tmp_path / "bare.csv")
    assert refused(tmp_path / "train.csv", test=tmp_path / "bare.csv") == (
        "bare.csv: expected 'label' for each example, got none. Give a file with labels."
    )


@pytest.mark.parametrize("given", [1.0, -0.1, 3])
def test_no_share(given):
    with pytest.raises(ValidationError) as caught:
        ClassifyConfig(test=given)
    assert (
        f"expected a share from 0 to 1 or a file, got {given:g}. Give a share such as 0.1, or a path."
        in str(caught.value)
    )
    assert ClassifyConfig(test="0.3").test == 0.3


def test_cross_validation_learns_scales_from_the_other_folds():
    data = read(wide(), folds=4)
    assert len(data.test) == 0
    assert sorted(np.concatenate(data.folds).tolist()) == list(range(20))
    fold = data.fold(1)
    assert fold.test.tolist() == data.folds[1].tolist()
    assert sorted([*fold.train.tolist(), *fold.test.tolist()]) == list(range(20))
    assert abs(fold.examples.x.take(fold.train).values.mean()) < 1e-6
    assert fold.schema.channels != data.schema.channels
    assert fold.schema.examples == 15
    assert [part.tolist() for part in read(wide(), folds=4).folds] == [part.tolist() for part in data.folds]
    kept = read(wide(), folds=3, test=0.2)
    assert len(kept.test) == 4
    assert not {*kept.test.tolist()} & {*np.concatenate(kept.folds).tolist()}
    assert refused(wide(), folds=21) == (
        "expected at most 20 folds, one for each example, got 21. Ask for fewer."
    )
    with pytest.raises(ConfigError) as caught:
        read(wide()).fold(0)
    assert str(caught.value) == "expected folds, got data without any. Read it with folds."


def test_words_of_the_test_part_are_not_learnt():
    split = ["train"] * 36 + ["test"] * 4
    frame = reviews(split=split).with_columns(review=pl.Series([*reviews()["review"][:36], *["zebra"] * 4]))
    assert "zebra" not in read(frame).schema.tokens


def test_texts_without_labels(tmp_path):
    (tmp_path / "more.txt").write_text("a zebra\n\nanother zebra\n")
    reviews(6).rename({"review": "review"}).select("review").write_csv(tmp_path / "more.csv")
    data = read(reviews(), unlabelled=(str(tmp_path / "more.txt"), str(tmp_path / "more.csv")))
    assert len(data.unlabelled) == 8
    assert "zebra" in data.schema.tokens
    assert "unlabelled: 8 texts to learn the language from before training starts" in data.found
    assert refused(wide(), unlabelled=str(tmp_path / "more.txt")) == (
        "expected unlabelled texts for a file of texts, got a file of other sequences. Leave it out."
    )
    assert refused(reviews(), unlabelled=str(tmp_path / "more.txt"), bidirectional=True) == (
        "expected unlabelled texts for a model that reads in one direction, which foretells the next word, "
        "got bidirectional. Leave one of them out."
    )
    pl.DataFrame({"body": ["x"]}).write_csv(tmp_path / "other.csv")
    assert refused(reviews(), unlabelled=str(tmp_path / "other.csv")) == (
        "other.csv: expected the column 'review', got body. Name one of these, or add it."
    )


def test_texts_without_labels_widen_the_network(tmp_path):
    path = tmp_path / "more.txt"
    path.write_text("\n".join(f"text {n}" for n in range(FEW)))
    assert read(reviews()).schema.shape.hidden == SMALL
    shape = read(reviews(), unlabelled=str(path)).schema.shape
    assert shape.hidden == MIDDLE
    assert shape.places == read(reviews()).schema.shape.places
    assert read(reviews(), unlabelled=str(path), hidden=7).schema.shape.hidden == 7
    rows = pl.concat([reviews(), reviews(FEW).with_columns(label=pl.lit(None, pl.String))])
    assert read(rows).schema.shape.hidden == MIDDLE
    alone = read(rows, bidirectional=True)
    assert (alone.unlabelled, alone.schema.shape.hidden) == (None, SMALL)


# Later files


def test_a_later_file_reads_the_same(tmp_path):
    data = read(reviews())
    later = read_later(data.schema, reviews(), labels=True)
    np.testing.assert_array_equal(later.examples.x.values, data.examples.x.values)
    assert (later.test.tolist(), len(later.train), len(later.valid)) == (list(range(40)), 0, 0)
    bare = read_later(data.schema, reviews().select("review"), labels=False)
    assert (bare.examples.y.tolist(), len(bare.test)) == ([-1] * 40, 0)
    (tmp_path / "lines.txt").write_text("a review of a film\nanother\n")
    assert read_later(data.schema, tmp_path / "lines.txt", labels=False).examples.texts == [
        "a review of a film", "another",
    ]  # fmt: skip
    reviews(4).write_csv(tmp_path / "table.txt")
    assert len(read_later(data.schema, tmp_path / "table.txt", labels=True).test) == 4
    assert refused_later(data.schema, reviews().select("review")) == (
        "expected label for each example, got none. Give labels, or use predict, which needs none."
    )
    assert refused_later(data.schema, reviews().rename({"review": "body"})) == (
        "frame: expected the column 'review', got body, label. Name one of these, or add it."
    )


def test_later_numbers(tmp_path):
    for frame, lost in ((long(), "x"), (wide(), "t3")):
        data = read(frame)
        later = read_later(data.schema, frame, labels=True)
        np.testing.assert_array_equal(later.examples.x.values, data.examples.x.values)
        assert refused_later(data.schema, frame.drop(lost)).startswith(
            f"frame: expected the column {lost!r}, "
        )
    data = read(VOWELS)
    assert refused_later(data.schema, wide()) == (
        "expected a .ts or .arff file as in training, got another. Give such a file."
    )
    (tmp_path / "x.ts").write_text("@classLabel true 1 2\n@data\n1,2:1\n")
    assert refused_later(data.schema, tmp_path / "x.ts") == (
        "x.ts: expected 12 channels as in training, got 1. Give a file of the same data set."
    )
    (tmp_path / "y.ts").write_text("@classLabel false\n@data\n" + ":".join(["1,2"] * 12) + "\n")
    assert read_later(data.schema, tmp_path / "y.ts", labels=False).examples.y.tolist() == [-1]
    assert refused_later(data.schema, tmp_path / "y.ts") == (
        "expected a label for each example, got none. Give labels, or use predict, which needs none."
    )
