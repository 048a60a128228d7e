"""Public labelled data in the shape that its papers use; where to get it stands in docs/results.md."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from datasets import ROOT

LABELLED = ROOT / "classification"
ARCHIVE = ("JapaneseVowels", "BasicMotions", "GunPoint", "ArrowHead", "ItalyPowerDemand")
FEW, FEW_LABELS = "trec6-300", 300
TEXT = {"label": "label", "text": "text"}

Set = tuple[Any, dict[str, Any]]  # what to fit, and its options


def sst2(seed: int) -> Set:
    """Stanford's sentiment treebank (Socher et al., 2013), whole sentences, two classes."""
    parts = [
        pl.DataFrame(
            [line.rsplit("\t", 1) for line in _lines(LABELLED / "sst2" / f"{name}.tsv")],
            schema=["text", "label"],
            orient="row",
        ).with_columns(split=pl.lit(part))
        for name, part in (("train", "train"), ("dev", "valid"), ("test", "test"))
    ]
    return pl.concat(parts), TEXT


def rt_polarity(seed: int) -> Set:
    """Sentence polarity 1.0 (Pang & Lee, 2005); a tenth is the test part, another one for each seed."""
    texts, labels = [], []
    for label in ("neg", "pos"):
        kept = _lines(LABELLED / "rt_polarity" / f"rt-polarity.{label}", "latin-1")
        texts += kept
        labels += [label] * len(kept)
    return pl.DataFrame({"text": texts, "label": labels}), TEXT | {"test": 0.1}


def trec6(seed: int) -> Set:
    """Questions by what they ask for (Li & Roth, 2002), six classes."""
    parts = []
    for name in ("train", "test"):
        pairs = [line.split(" ", 1) for line in _lines(LABELLED / "trec6" / f"TREC.{name}", "latin-1")]
        rows = {"text": [text for _, text in pairs], "label": [kind.split(":")[0] for kind, _ in pairs]}
        parts.append(pl.DataFrame(rows).with_columns(split=pl.lit(name)))
    return pl.concat(parts), TEXT


def names18(seed: int) -> Set:
    """Surnames of 18 languages; a fifth is the test part, another one for each seed."""
    texts, labels = [], []
    for path in sorted((LABELLED / "names18").glob("*.txt")):
        if path.stem == "SOURCE":
            continue
        lines = _lines(path)
        texts += lines
        labels += [path.stem] * len(lines)
    return pl.DataFrame({"text": texts, "label": labels}), TEXT | {"test": 0.2}


def mnist_rows(seed: int) -> Set:
    """The 10,000 digits of MNIST's test part, read row by row; 8,000 train, 1,000 validate, 1,000 test."""
    folder = LABELLED / "mnist_t10k"
    with gzip.open(folder / "t10k-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(folder / "t10k-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    part = np.repeat(["train", "valid", "test"], [8000, 1000, 1000])
    frame = pl.DataFrame(
        {"rows": images.astype(np.float64).tolist(), "label": labels.astype(str), "split": part}
    )
    return frame, {"label": "label"}


def archive(name: str) -> Callable[[int], Set]:
    """A set of the UCR and UEA archives (Dau et al., 2019; Bagnall et al., 2018), with its own split."""
    return lambda seed: (LABELLED / "ucr_uea" / name / f"{name}_TRAIN.ts", {})


def few_labels(seed: int, folder: Path) -> tuple[pl.DataFrame, dict[str, Any], Sequence[str]]:
    """trec6 with few labels, and a file with the other texts of its training part."""
    frame, options = trec6(seed)
    train = frame.filter(pl.col("split") == "train")
    order = np.random.default_rng(seed).permutation(len(train))
    path = folder / "unlabelled.txt"
    path.write_text("\n".join(train["text"].gather(order[FEW_LABELS:]).to_list()))
    kept = train[order[:FEW_LABELS]]
    return pl.concat([kept, frame.filter(pl.col("split") == "test")]), options, (str(path),)


def _lines(path: Path, encoding: str = "utf-8") -> list[str]:
    """Lines with something on them."""
    return [line.strip() for line in path.read_text(encoding).split("\n") if line.strip()]


CLASSIFY_SETS: dict[str, Callable[[int], Set]] = {
    "sst2": sst2,
    "rt-polarity": rt_polarity,
    "trec6": trec6,
    "names18": names18,
    **{name: archive(name) for name in ARCHIVE},
    "mnist rows": mnist_rows,
}
