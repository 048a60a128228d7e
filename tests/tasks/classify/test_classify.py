"""The classifier from file to answer: it learns, is judged fairly, and copes with what files hold."""

import numpy as np
import polars as pl
import pytest
import torch
from reading import EXAMPLES, VOWELS, long, reviews

import recurra
from recurra.errors import DataError
from recurra.tasks.classify import shape, task, weighing
from recurra.tasks.classify.config import ClassifyConfig
from recurra.tasks.classify.task import Classify

NOUNS = ("film", "plot", "end", "cast", "score", "story")


def opinions(count=240, seed=0, **more):
    """Texts whose class no word decides, only what stands before: "not" turns it."""
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for _ in range(count):
        good, turned = rng.random() < 0.5, rng.random() < 0.5
        words = [str(rng.choice(NOUNS)) for _ in range(int(rng.integers(2, 8)))]
        place = int(rng.integers(0, len(words)))
        words[place:place] = [*(["not"] if turned else []), "good" if good else "bad"]
        texts.append(" ".join(words))
        labels.append("pos" if good != turned else "neg")
    return pl.DataFrame({"text": texts, "label": labels, **more})


def accuracy(bundle, method="Recurra"):
    return {one["method"]: one["metrics"] for one in bundle.record["scores"]}[method]["accuracy"]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "opinions"
    return recurra.fit("classify", opinions(), out=folder, quiet=True, hidden=24, time_budget=25)


def test_it_learns_what_order_decides(fitted):
    assert accuracy(fitted) >= 0.95
    assert accuracy(fitted, "Majority") < 0.7


def test_answers(fitted):
    found = fitted.predict(pl.DataFrame({"text": ["a good film", "not good , the end", "", "zzz"]}))
    assert found.columns == ["example", "class", "probability", "p(neg)", "p(pos)"]
    assert found["class"].to_list()[:2] == ["pos", "neg"]
    np.testing.assert_allclose(found["p(neg)"] + found["p(pos)"], 1.0, atol=1e-6)
    np.testing.assert_allclose(
        found["probability"], found.select(pl.max_horizontal("p(neg)", "p(pos)"))[:, 0]
    )


def test_a_loaded_bundle_says_the_same(fitted):
    again = recurra.load(fitted.path)
    frame = opinions(20, seed=3)
    assert again.predict(frame).equals(fitted.predict(frame))
    judged = again.evaluate(opinions(100, seed=4))
    assert judged.scores[0].metrics["accuracy"] >= 0.95


def test_a_report_is_written(fitted):
    page = (fitted.path / "report.html").read_text()
    for heading in ("The verdict", "Class by class", "How sure", "While it reads", "How training went"):
        assert heading in page
    assert "recurrent networks" in page


def test_the_same_seed_gives_the_same_model(tmp_path, monkeypatch):
    monkeypatch.setattr(task, "FEWEST_STEPS", 40)
    monkeypatch.setattr(shape, "MOST_PASSES", 20)
    frame = opinions(60)
    options = {"quiet": True, "hidden": 8, "out": tmp_path / "a"}
    one = recurra.fit("classify", frame, **options)
    two = recurra.fit("classify", frame, **options | {"out": tmp_path / "b"})
    assert one.predict(frame).equals(two.predict(frame))


def test_each_network_leaves_out_a_fifth():
    data = Classify().read(ClassifyConfig(), opinions(100))
    left = data.left_out
    assert (left[data.test] == -1).all()
    counts = np.bincount(left[data.train], minlength=5)
    assert counts.sum() == len(data.train)
    assert counts.min() >= len(data.train) // 5 - 1


def test_with_a_validation_part_nothing_else_is_left_out():
    data = Classify().read(ClassifyConfig(valid=0.2), opinions(100))
    assert (data.left_out == -1).all()
    model = Classify().build(ClassifyConfig(hidden=4), data.schema)
    which, found = weighing.logits(model.eval(), data)
    assert which.tolist() == data.valid.tolist()
    assert found.shape == (len(data.valid), 2)


def test_folds(tmp_path):
    frame = opinions(60)
    out = tmp_path / "run"
    bundle = recurra.fit("classify", frame, out=out, folds=3, hidden=8, time_budget=4, quiet=True)
    assert "examples:60" in bundle.record["signature"].replace("=", ":")
    assert any("fold" in line for line in bundle.record["words"])
    assert sorted(path.name for path in (out / "folds").iterdir()) == ["1", "2", "3"]
    again = recurra.fit("classify", frame, out=out, folds=3, hidden=8, time_budget=4, quiet=True, resume=True)
    assert again.record["scores"] == bundle.record["scores"]


def test_series_from_an_archive(tmp_path):
    bundle = recurra.fit("classify", VOWELS, out=tmp_path / "run", hidden=16, time_budget=5, quiet=True)
    assert accuracy(bundle) >= 0.93
    found = bundle.predict(EXAMPLES / "JapaneseVowels_TEST.ts.gz")
    assert len(found) == 370


def test_several_labels(tmp_path):
    frame = opinions(200)
    frame = frame.with_columns(
        good=(pl.col("label") == "pos").cast(pl.Int64),
        film=pl.col("text").str.contains("film").cast(pl.Int64),
    ).drop("label")
    bundle = recurra.fit(
        "classify", frame, label=("good", "film"), out=tmp_path / "run", hidden=8, time_budget=8, quiet=True
    )
    scores = bundle.record["scores"][0]["metrics"]
    assert scores["micro_f1"] > 0.8
    found = bundle.predict(frame.head(8))
    assert found.columns == ["example", "labels", "p(good)", "p(film)"]


def test_events(tmp_path):
    frame = long(sequences=60, steps=6).drop("x")
    bundle = recurra.fit(
        "classify", frame, label="label", id="id", out=tmp_path / "run", hidden=8, time_budget=2, quiet=True
    )
    assert len(bundle.predict(frame.drop("label"))) == 60


def test_texts_without_labels_come_first(tmp_path):
    path = tmp_path / "more.txt"
    path.write_text("\n".join(opinions(150, seed=9)["text"].to_list()))
    frame = opinions(40)
    config = ClassifyConfig(unlabelled=(str(path),), hidden=8)
    classify = Classify()
    data = classify.read(config, frame)
    torch.manual_seed(0)
    model = classify.build(config, data.schema)
    before = model.networks[0].embedding.weight.clone()
    classify.prepare(model, config, data)
    assert not torch.equal(model.networks[0].embedding.weight, before)
    for network in model.networks[1:]:
        torch.testing.assert_close(network.embedding.weight, model.networks[0].embedding.weight)
        torch.testing.assert_close(network.recurrent.weight_hh_l0, model.networks[0].recurrent.weight_hh_l0)


def test_one_class_is_refused(tmp_path):
    frame = reviews(20).with_columns(label=pl.lit("pos"))
    with pytest.raises(DataError, match="expected"):
        recurra.fit("classify", frame, out=tmp_path / "run", quiet=True)


@pytest.mark.parametrize("output", ["last", "mean", "attention"])
def test_every_output_trains(tmp_path, output):
    bundle = recurra.fit(
        "classify", opinions(60), out=tmp_path / "run", output=output, bidirectional=output == "last",
        hidden=8, time_budget=1, quiet=True,
    )  # fmt: skip
    assert 0 <= accuracy(bundle) <= 1


def test_fewer_examples_than_networks(tmp_path):
    few = opinions(60).group_by("label", maintain_order=True).head(2)
    bundle = recurra.fit("classify", few, out=tmp_path / "run", test=0, hidden=8, time_budget=2, quiet=True)
    assert bundle.schema.shape.networks == 5
    assert bundle.predict(few)["probability"].is_finite().all()


def test_a_class_with_one_example_and_very_long_and_empty_texts(tmp_path):
    frame = opinions(80)
    odd = pl.DataFrame({"text": ["good " * 30_000, "", "a single one"], "label": ["pos", "neg", "rare"]})
    bundle = recurra.fit(
        "classify",
        pl.concat([frame, odd]),
        out=tmp_path / "run",
        hidden=8,
        time_budget=2,
        quiet=True,
        longest=200,
    )
    assert bundle.schema.classes == ("neg", "pos", "rare")
    assert any("cut" in line for line in bundle.record["found"])
    found = bundle.predict(odd.drop("label"))
    assert found["probability"].is_finite().all()
