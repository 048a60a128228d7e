"""The model beside its baselines on the same examples, and the verdict in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.report.methods import Difference, Interval
from recurra.report.signature import signature
from recurra.tasks.base import Evaluation, Score
from recurra.tasks.classify import baselines, verdict
from recurra.tasks.classify.baselines import Baseline
from recurra.tasks.classify.calibration import retempered
from recurra.tasks.classify.comparison import (
    RESAMPLES,
    difference,
    interval,
    resampled,
)
from recurra.tasks.classify.metrics import Outcome, metrics, reliability

if TYPE_CHECKING:
    from recurra.tasks.classify.data import ClassifyData

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Method:
    """One method's results; `differences` are the model's gains over it, none for the model itself."""

    name: str
    found: Array  # (N, K) probabilities
    outcome: Outcome
    metrics: dict[str, float]
    intervals: dict[str, Interval]
    differences: dict[str, Difference]


@dataclass(frozen=True, slots=True)
class Detail:
    """What the report draws: which examples were judged, their truths, and every method, the model first."""

    data: ClassifyData
    where: Array  # (N,) places among data.examples
    truth: Array  # (N,) or (N, K), as in Examples.y
    before: Array  # (N, K) the model's probabilities without the temperature
    temperature: float
    metric: str  # the one that methods are compared by
    methods: tuple[Method, ...]

    @property
    def found(self) -> Array:
        """(N, K) the model's probabilities."""
        return self.methods[0].found

    @property
    def outcome(self) -> Outcome:
        """The model's."""
        return self.methods[0].outcome


def judged(data: ClassifyData) -> Array:
    """Places of the examples that are judged: the test part, or every fold in turn."""
    return np.concatenate(data.folds) if data.folds else np.asarray(data.test)


def evaluate(
    found: Array,
    data: ClassifyData,
    *,
    sha256: str = "",
    seed: int = 0,
    temperature: float = 1.0,
    dtype: str = "float32",
    name: str = "Recurra",
    resamples: int = RESAMPLES,
) -> Evaluation:
    """Compare the model with majority and with counted words or the nearest neighbour.

    found: (N, K) calibrated probabilities for the examples `judged(data)`; in a cross-validation each by a
    model that was fitted without its fold, and the baselines are then fitted in the same way.
    temperature: the one that made them, to show what it changed.
    """
    where, several = judged(data), bool(data.schema.several)
    found = np.asarray(found, dtype=np.float64)
    assert found.shape == (len(where), len(data.schema.classes)), "probabilities of every class and example"
    y = np.asarray(data.examples.y)[where]
    use = _labelled(y, data)
    label = signature(
        "classify",
        sha256=sha256,
        seed=seed,
        dtype=dtype,
        examples=int(use.sum()),
        classes=len(data.schema.classes),
        **({"labels": "several"} if several else {}),
        **({"folds": len(data.folds)} if data.folds else {}),
        ece="15,mass",
    )
    if not use.any():
        return Evaluation((), (verdict.NOTHING,), label)
    others, notes = _baselines(data, where, seed)
    given = [Baseline(name, found), *others]
    methods = _compared(
        [Baseline(one.name, one.found[use]) for one in given], y[use], several, seed, resamples
    )
    detail = Detail(
        data=data,
        where=where[use],
        truth=y[use],
        before=retempered(found[use], temperature, several=several),
        temperature=temperature,
        metric="micro_f1" if several else "accuracy",
        methods=methods,
    )
    told = [*_words(detail, use), *notes]
    return Evaluation(tuple(Score(one.name, one.metrics) for one in methods), tuple(told), label, detail)


def _labelled(y: Array, data: ClassifyData) -> Array:
    """(N,) whether an example can be judged: a label is known, or known to be none of the classes."""
    if y.ndim > 1:
        return np.asarray(np.isfinite(y).any(1))
    return np.asarray(y >= (-1 if data.examples.unseen else 0))


def _baselines(data: ClassifyData, where: Array, seed: int) -> tuple[list[Baseline], list[str]]:
    """The baselines' probabilities for the judged examples, and remarks."""
    fitted = _parts(data)
    y, classes = np.asarray(data.examples.y), len(data.schema.classes)
    if not any(len(fit) for fit, _ in fitted):
        return [baselines.majority(y[where], classes, len(where))], [verdict.NOT_FITTED]
    lacking = data.schema.kind != "series" and not baselines.installed()
    rows = [_fitted(data, fit, at, lacking, seed) for fit, at in fitted]
    joined = [
        Baseline(same[0].name, np.concatenate([one.found for one in same]), same[0].notes)
        for same in zip(*rows, strict=True)
    ]
    notes = [note for one in joined for note in one.notes]
    return joined, notes + ([baselines.NOT_INSTALLED] if lacking else [])


def _parts(data: ClassifyData) -> list[tuple[Array, Array]]:
    """What baselines are fitted on and what they are then judged on, once or for each fold."""
    if not data.folds:
        return [(np.concatenate([data.train, data.valid]).astype(np.int64), np.asarray(data.test))]
    everything = np.concatenate(data.folds)
    return [(np.setdiff1d(everything, fold), fold) for fold in data.folds]


def _fitted(data: ClassifyData, fit: Array, at: Array, lacking: bool, seed: int) -> list[Baseline]:
    examples, schema = data.examples, data.schema
    y, classes = np.asarray(examples.y)[fit], len(schema.classes)
    rows = [baselines.majority(y, classes, len(at))]
    if schema.kind == "series":
        return [*rows, baselines.nearest(examples.x.take(fit), y, examples.x.take(at), classes, seed=seed)]
    if lacking:
        return rows
    texts = examples.texts
    if texts is None:
        train, later = baselines.texts_of(examples.x.take(fit)), baselines.texts_of(examples.x.take(at))
    else:
        train, later = [texts[n] for n in fit], [texts[n] for n in at]
    letters = texts is not None and schema.vocabulary is not None and schema.vocabulary.unit == "characters"
    unit: Any = "characters" if letters else "words"
    return [*rows, baselines.counted(train, y, later, classes, unit=unit, seed=seed)]


def _compared(
    given: Sequence[Baseline], y: Array, several: bool, seed: int, resamples: int
) -> tuple[Method, ...]:
    """Every method's metrics with intervals, and the model's gains over the others."""
    outcomes = [Outcome.of(y, one.found, several=several) for one in given]
    values = [metrics(outcome) for outcome in outcomes]
    draws = resampled(outcomes, seed, resamples)
    ours, own = values[0], draws[0]
    found = []
    for i, (one, outcome, value, drawn) in enumerate(zip(given, outcomes, values, draws, strict=True)):
        intervals = {name: interval(name, value[name], drawn[name], len(y)) for name in drawn}
        gains = {
            name: difference(name, ours[name], value[name], own[name] - drawn[name], len(y)) for name in drawn
        }
        found.append(Method(one.name, one.found, outcome, value, intervals, gains if i else {}))
    return tuple(found)


def _words(detail: Detail, use: Array) -> list[str]:
    """The verdict, then what has to be said about the examples."""
    data, outcome = detail.data, detail.outcome
    told = verdict.words(detail.methods, detail.metric, outcome.several)
    if not outcome.several:
        plain = Outcome.of(detail.truth, detail.before, several=False)
        told.append(
            verdict.calibration(
                outcome.confidence,
                outcome.correct,
                detail.methods[0].metrics["ece"],
                reliability(plain.confidence, plain.correct, equal_mass=True).error,
                detail.temperature,
            )
        )
    if data.folds:
        told.append(verdict.folds(detail.metric, _by_fold(detail, use)))
    unseen = 0 if outcome.several else int((detail.truth < 0).sum())
    told += verdict.unseen(data.examples.unseen, unseen)
    return told + verdict.unlabelled(int((~use).sum()))


def _by_fold(detail: Detail, use: Array) -> list[float]:
    assert detail.data.folds is not None
    number = np.repeat(np.arange(len(detail.data.folds)), [len(fold) for fold in detail.data.folds])[use]
    values = []
    for fold in np.unique(number):
        at = number == fold
        part = Outcome.of(detail.truth[at], detail.found[at], several=detail.outcome.several)
        values.append(metrics(part)[detail.metric])
    return values
