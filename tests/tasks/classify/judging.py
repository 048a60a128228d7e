"""Labelled examples made from arrays, and probabilities of a model that is right as often as asked."""

from types import SimpleNamespace

import numpy as np

from recurra.data.ragged import Ragged
from recurra.data.vocabulary import fit_vocabulary

FILLER = ["the", "a", "film", "was", "it", "and", "of", "story", "plot", "seen", "again", "today", "long"]


def guesses(y, classes, right=0.8, sure=3.0, seed=0):
    """(N, classes) probabilities; the class said is that of y with about this chance."""
    rng = np.random.default_rng(seed)
    said = np.where(rng.random(len(y)) < right, y, rng.integers(0, classes, len(y)))
    logits = rng.normal(size=(len(y), classes))
    logits[np.arange(len(y)), said] += sure
    powers = np.exp(logits)
    return powers / powers.sum(1, keepdims=True)


def examples(x, y, *, kind, classes, train, test, texts=None, unit="words", **options):
    """What the readers give, from sequences and labels."""
    found = {"unseen": {}, "several": False, "valid": [], "folds": None} | options
    vocabulary = fit_vocabulary(texts, unit, 1000, 1) if texts is not None else None
    if vocabulary is not None:
        x = vocabulary.encode_all(texts)
    schema = SimpleNamespace(
        kind=kind,
        layout="rows",
        several=found["several"],
        classes=tuple(classes),
        vocabulary=vocabulary,
        label=("label",),
        features=("a", "b", "c"),
        tokens=vocabulary.tokens if vocabulary is not None else tuple("abcdefgh"),
    )
    return SimpleNamespace(
        schema=schema,
        found=("examples: some",),
        sha256="0" * 64,
        examples=SimpleNamespace(
            x=x if isinstance(x, Ragged) else Ragged.of(x),
            y=np.asarray(y),
            names=[f"row {n + 2}" for n in range(len(y))],
            texts=texts,
            unseen=found["unseen"],
        ),
        train=np.asarray(train, dtype=np.int64),
        valid=np.asarray(found["valid"], dtype=np.int64),
        test=np.asarray(test, dtype=np.int64),
        folds=found["folds"],
        unlabelled=None,
    )


def reviews(many=200, seed=0, right=0.9, **options):
    """Short texts; the word `superb` or `dreadful` says which class each is of, as often as `right`."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, many)
    texts = []
    for label in y:
        words = list(rng.choice(FILLER, rng.integers(3, 12)))
        told = label if rng.random() < right else 1 - label
        words.insert(rng.integers(0, len(words) + 1), ("dreadful", "superb")[told])
        texts.append(" ".join(words) + ".")
    half = many // 2
    options = {"train": np.arange(half), "test": np.arange(half, many), "y": y} | options
    return examples(None, kind="text", classes=("bad", "good"), texts=texts, **options)


def waves(many=60, seed=0, **options):
    """Series of three channels; the frequency of the first says which of three classes each is of."""
    rng = np.random.default_rng(seed)
    y = np.arange(many) % 3
    x = []
    for label in y:
        time = np.arange(rng.integers(20, 31))
        noise = rng.normal(0, 0.5, (len(time), 3))
        noise[:, 0] += 2 * np.sin((label + 1) * time / 3)
        x.append(noise.astype(np.float32))
    options = {"train": np.arange(many // 2), "test": np.arange(many // 2, many), "y": y} | options
    return examples(x, kind="series", classes=("slow", "middle", "fast"), **options)
