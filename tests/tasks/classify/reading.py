"""What tests of reading share: small tables with labels, and how they are read."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recurra.errors import RecurraError
from recurra.tasks.classify.config import ClassifyConfig
from recurra.tasks.classify.data import read_examples, read_later

EXAMPLES = Path(__file__).parents[3] / "examples" / "data"
VOWELS = EXAMPLES / "JapaneseVowels_TRAIN.ts.gz"


def read(source, **options):
    return read_examples(ClassifyConfig(**options), source)


def refused(source, **options):
    with pytest.raises(RecurraError) as caught:
        read(source, **options)
    return str(caught.value)


def refused_later(schema, source, *, labels=True):
    with pytest.raises(RecurraError) as caught:
        read_later(schema, source, labels=labels)
    return str(caught.value)


def reviews(count=40, **more):
    """Texts of two classes."""
    words = ["good film", "bad film", "good plot , bad end", "bad plot , good end"]
    texts = [f"a {words[n % 4]} no {n}" for n in range(count)]
    return pl.DataFrame({"review": texts, "label": [("pos", "neg")[n % 2] for n in range(count)], **more})


def long(sequences=12, steps=4, **more):
    """A row for each step: one number and one word; class by the number's sign."""
    rows = [(n, t) for n in range(sequences) for t in range(steps)]
    return pl.DataFrame(
        {
            "id": [f"s{n}" for n, _ in rows],
            "time": [t for _, t in rows],
            "x": [(1.0 if n % 2 else -1.0) * (t + 1) for n, t in rows],
            "state": [("up", "down", "idle")[(n + t) % 3] for n, t in rows],
            "label": [("low", "high")[n % 2] for n, _ in rows],
            **more,
        }
    )


def wide(count=20, steps=6, **more):
    """A column for each step."""
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {f"t{at}": rng.normal(size=count) for at in range(steps)}
        | {"class": [1.0, 2.0] * (count // 2)}
        | more
    )
