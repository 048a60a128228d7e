"""How much more a rare n-gram counts than a common one: by idf, and of characters as trial says."""

import numpy as np
import polars as pl
import torch
from reading import read, reviews

from recurra.tasks.classify import weighing
from recurra.tasks.classify.model import Classifier


def names(count=200):
    """Short words of two kinds, told apart by their endings, which are common."""
    rng = np.random.default_rng(0)
    stems = ["".join(rng.choice(list("abcdeiklmnorst"), 4)) for _ in range(count)]
    ends = [("ov", "ini")[n % 2] for n in range(count)]
    labels = [("x", "y")[n % 2] for n in range(count)]
    return pl.DataFrame({"text": [a + b for a, b in zip(stems, ends, strict=True)], "label": labels})


def model_of(data):
    torch.manual_seed(0)
    shape = data.schema.shape.model_copy(update={"hidden": 4, "networks": 1})
    return Classifier(data.schema.model_copy(update={"shape": shape}), "GRU", bidirectional=False).eval()


def test_without_idf_all_that_occurs_twice_counts_the_same():
    data = read(names(), unit="characters", test=0)
    grams = model_of(data).counted
    x = data.examples.x.take(data.train)
    grams.learn(x, 0)
    by_rarity = grams.idf.clone()
    grams.learn(x, 0, rare=0.0)
    assert sorted(grams.idf.unique().tolist()) == [0.0, 1.0]
    assert torch.equal(by_rarity > 0, grams.idf > 0)
    assert by_rarity[by_rarity > 0].unique().numel() > 3


def test_what_serves_characters_is_chosen_and_words_go_by_idf(monkeypatch):
    asked, losses = [], []

    def outside(features, *rest):
        asked.append(features)
        return losses[len(asked) - 1]

    monkeypatch.setattr(weighing, "_outside", outside)
    data = read(names(), unit="characters", test=0)
    for losses, by_rarity in (([0.5, 0.7], True), ([0.7, 0.5], False)):  # noqa: B007
        asked.clear()
        model = model_of(data)
        with torch.no_grad():
            weighing.weigh(model, data, 0)
        assert len(asked) == 2
        assert (model.counted.idf.unique().numel() > 2) == by_rarity
    asked.clear()
    data = read(reviews(), test=0)
    with torch.no_grad():
        weighing.weigh(model_of(data), data, 0)
    assert not asked


def test_it_is_judged_on_what_the_regression_did_not_see():
    data = read(names(), unit="characters", test=0)
    grams = model_of(data).counted
    features, _ = grams.learn(data.examples.x.take(data.train), 0)
    y = torch.nn.functional.one_hot(torch.from_numpy(data.examples.y[data.train]), 2).float()
    part = np.arange(0, len(data.train), 5)
    right = weighing._outside(features, y, part, (0.1, 0.01), several=False)
    turned = y.clone()
    turned[part] = 1 - y[part]
    assert right < 0.3
    assert weighing._outside(features, turned, part, (0.1, 0.01), several=False) > 0.8
