"""What a network has to beat: the commonest class, words counted, the nearest neighbour."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from recurra.report.numbers import count

if TYPE_CHECKING:
    from recurra.data.ragged import Ragged

Array = np.ndarray[Any, np.dtype[Any]]

MAJORITY, WORDS, NEIGHBOUR = "Majority", "TF-IDF + logistic regression", "Nearest neighbour"
NOT_INSTALLED = (
    f"{WORDS} is not in the comparison because scikit-learn is not installed. "
    "Install it with: pip install 'recurra[text]'."
)
# Inverse strength of the penalty. On sentence polarity (8,530 sentences) and surnames of 18 languages, 10
# gave a lower log loss on held-out texts than 1 or 3.
PENALTY = 10.0
ITERATIONS, TOLERANCE = 200, 1e-3
# n-grams times outputs that the regression is fitted on: about half a minute on one core.
MOST_WORK = 20_000_000
# Characters of a text that are counted.
LONGEST_TEXT = 100_000
# Multiplications that distances may take: about half a minute on one core.
MOST_PRODUCTS = 2_000_000_000_000
# Series in one side of a block of distances, and numbers that they may hold.
BLOCK, BLOCK_NUMBERS = 2_000, 16_000_000
# Training examples whose own nearest neighbours say how far neighbours can be trusted.
TRUSTED = 500


@dataclass(frozen=True, slots=True)
class Baseline:
    """Class probabilities (N, K) of a method, and what has to be said about how they came to be."""

    name: str
    found: Array
    notes: tuple[str, ...] = ()


def majority(y: Array, classes: int, examples: int) -> Baseline:
    """The shares of the classes among the labels y, for every one of so many examples."""
    return Baseline(MAJORITY, np.tile(_shares(y, classes), (examples, 1)))


def _shares(y: Array, classes: int) -> Array:
    """(K,) share of each class, or of the ones in each column; each class seen half a time more."""
    if y.ndim > 1:
        known = np.isfinite(y).sum(0)
        return np.asarray((np.nansum(y, 0) + 0.5) / (known + 1.0))
    many = np.bincount(y[y >= 0], minlength=classes) + 0.5
    return np.asarray(many / many.sum())


def installed() -> bool:
    """Whether scikit-learn can be imported."""
    return importlib.util.find_spec("sklearn") is not None


def texts_of(tokens: Ragged) -> list[str]:
    """Events as texts of one word each, so that texts and events are counted alike."""
    return [" ".join(f"t{token}" for token in tokens[n]) for n in range(len(tokens))]


def counted(
    texts: Sequence[str],
    y: Array,
    judged: Sequence[str],
    classes: int,
    *,
    unit: Literal["words", "characters"],
    seed: int,
) -> Baseline:
    """TF-IDF of 1-2-grams of words, or of 1-4-grams of characters, and logistic regression on them."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415  # an extra

    which, notes = _affordable(texts, unit, classes if classes > 2 or y.ndim > 1 else 1, seed)
    if unit == "words":
        options: dict[str, Any] = {"ngram_range": (1, 2), "token_pattern": r"(?u)\w+|[^\w\s]"}
    else:
        options = {"ngram_range": (1, 4), "analyzer": "char", "lowercase": False}
    counting = TfidfVectorizer(**options, sublinear_tf=True, dtype=np.float32)
    try:
        x = counting.fit_transform([_plain(texts[n], unit) for n in which])
    except ValueError:  # no text has a word in it
        return Baseline(WORDS, majority(y, classes, len(judged)).found, notes)
    later = counting.transform([_plain(text, unit) for text in judged])
    y = y[which]
    if y.ndim == 1:
        return Baseline(WORDS, _regressed(x, y, later, classes), notes)
    found = [_regressed(x, np.where(np.isfinite(side), side, -1), later, 2)[:, 1] for side in y.T]
    return Baseline(WORDS, np.stack(found, 1), notes)


def _plain(text: str, unit: str) -> str:
    """The text as it is counted. Marks at both ends let n-grams of characters tell beginnings and ends."""
    text = text[:LONGEST_TEXT]
    return f"\x02{text}\x03" if unit == "characters" else text


def _affordable(texts: Sequence[str], unit: str, outputs: int, seed: int) -> tuple[Array, tuple[str, ...]]:
    """Places of the texts that there is time for; from lengths alone, never from a clock."""
    # A word has about five letters, and begins two n-grams; a character begins four.
    grams = np.array([min(len(text), LONGEST_TEXT) * (4 if unit == "characters" else 0.4) for text in texts])
    order = np.random.default_rng(seed).permutation(len(texts))
    many = int(np.searchsorted(np.cumsum(grams[order]) * outputs, MOST_WORK, side="right"))
    if many >= len(texts):
        return np.arange(len(texts)), ()
    return np.sort(order[: max(1, many)]), (_sampled(WORDS, max(1, many), len(texts)),)


def _sampled(name: str, part: int, whole: int) -> str:
    return (
        f"{name} was fitted on {part:,} of the {count(whole, 'training example')}, drawn with a fixed seed, "
        "to keep the time it takes within bounds."
    )


def _regressed(x: Any, y: Array, later: Any, classes: int) -> Array:
    """Probabilities (N, classes); classes that are not in y get the share of half an example."""
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    known = np.flatnonzero(y >= 0)
    y = y[known].astype(np.int64)
    there = np.unique(y)
    if len(there) < 2:
        return np.tile(_shares(y, classes), (later.shape[0], 1))
    fitted = LogisticRegression(C=PENALTY, max_iter=ITERATIONS, tol=TOLERANCE)
    with warnings.catch_warnings():  # 200 steps are enough to judge by, whether they have settled or not
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted.fit(x[known], y)
    found = np.full((later.shape[0], classes), 0.5 / (len(y) + 1))
    found[:, there] = fitted.predict_proba(later)
    return np.asarray(found / found.sum(1, keepdims=True))


def nearest(train: Ragged, y: Array, judged: Ragged, classes: int, *, seed: int) -> Baseline:
    """The label of the nearest training series: Euclidean, each channel scaled, 0 beyond an end or missing.

    It is believed as far as neighbours agree within the training part, so that it has a log loss as well.
    """
    known = np.flatnonzero(np.isfinite(y).all(1) if y.ndim > 1 else y >= 0)
    train, y = train.take(known), y[known]
    length = max(1, int(train.lengths.max(initial=1)))
    channels = train.values.shape[1] if train.values.ndim > 1 else 1
    most = max(1, MOST_PRODUCTS // max(1, (len(judged) + TRUSTED) * length * channels))
    notes: tuple[str, ...] = ()
    if most < len(train):
        notes = (_sampled(NEIGHBOUR, most, len(train)),)
        which = np.sort(np.random.default_rng(seed).permutation(len(train))[:most])
        train, y = train.take(which), y[which]
    if not len(train):
        return Baseline(NEIGHBOUR, majority(y, classes, len(judged)).found, notes)
    scale = _Scale.of(train, length)
    some = np.random.default_rng(seed).permutation(len(train))[:TRUSTED]
    back = _closest(train.take(some), train, scale, own=some)
    trust = _trust(y[some], y[back]) if len(train) > 1 else 0.5
    labels = y[_closest(judged, train, scale)]
    shares = _shares(y, classes)
    if y.ndim > 1:
        found = trust * labels + (1 - trust) * (1 - labels)
    else:
        found = np.tile((1 - trust) * shares, (len(judged), 1))
        found[np.arange(len(judged)), labels] += trust
    return Baseline(NEIGHBOUR, np.asarray(found), notes)


def _trust(y: Array, neighbours: Array) -> float:
    """Share of labels that agree with a neighbour's; each outcome seen once more."""
    agree = y == neighbours
    return float((agree.sum() + 1) / (agree.size + 2))


@dataclass(frozen=True, slots=True)
class _Scale:
    """How sequences become rows of one length."""

    mean: Array
    deviation: Array
    length: int

    @staticmethod
    def of(train: Ragged, length: int) -> _Scale:
        values = train.values.astype(np.float64)
        values = values[:, None] if values.ndim == 1 else values
        known = np.isfinite(values)
        many = np.maximum(known.sum(0), 1)
        mean = np.where(known, values, 0).sum(0) / many
        spread = np.sqrt((np.where(known, values - mean, 0) ** 2).sum(0) / many)
        return _Scale(mean, np.where(spread > 0, spread, 1.0), length)

    def rows(self, sequences: Ragged, start: int, end: int) -> Array:
        """(end - start, length * C) float32, 0 where there is nothing."""
        found = np.zeros((end - start, self.length, len(self.mean)), dtype=np.float32)
        for row, n in zip(found, range(start, end), strict=True):
            one = sequences[n][: self.length].reshape(-1, len(self.mean))
            row[: len(one)] = np.nan_to_num((one - self.mean) / self.deviation)
        return found.reshape(end - start, -1)


def _closest(wanted: Ragged, among: Ragged, scale: _Scale, own: Array | None = None) -> Array:
    """(N,) place of the nearest of `among`; `own` are the places of the wanted themselves, never taken."""
    best = np.full(len(wanted), np.inf)
    place = np.zeros(len(wanted), dtype=np.int64)
    size = max(1, min(BLOCK, BLOCK_NUMBERS // (scale.length * len(scale.mean))))
    for first in range(0, len(among), size):
        there = scale.rows(among, first, min(first + size, len(among)))
        squares = (there**2).sum(1)
        for start in range(0, len(wanted), size):
            end = min(start + size, len(wanted))
            # |a - b|² less |a|², which is the same for every b
            distance = squares - 2 * scale.rows(wanted, start, end) @ there.T
            if own is not None:
                hit = (own[start:end] >= first) & (own[start:end] < first + len(there))
                distance[np.flatnonzero(hit), own[start:end][hit] - first] = np.inf
            nearest_here = distance.argmin(1)
            found = distance[np.arange(end - start), nearest_here]
            closer = found < best[start:end]
            place[start:end][closer] = first + nearest_here[closer]
            best[start:end][closer] = found[closer]
    return place
