"""The model beside its baselines on the same pairs, and the verdict in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from recurra.decode.beam import Hypothesis
from recurra.report.judging import compare
from recurra.report.methods import OfTexts
from recurra.report.signature import signature
from recurra.tasks.base import Evaluation, Score
from recurra.tasks.translate import verdict
from recurra.tasks.translate.baselines import Phrases
from recurra.tasks.translate.metrics import Judge, compared

if TYPE_CHECKING:
    from recurra.data.frequency import Array
    from recurra.tasks.translate.config import TranslateConfig
    from recurra.tasks.translate.data import Encoded, TranslateData

COPY, PHRASES = "The source as it is", "Most frequent phrases"


@dataclass(frozen=True, slots=True)
class Detail:
    """What the report draws: which pairs were judged, and every method, the model first."""

    part: Literal["test", "valid"]
    pairs: Encoded
    references: list[list[str]]
    metric: str  # the one that methods are compared by
    methods: tuple[OfTexts, ...]
    hypotheses: Sequence[Hypothesis]  # the model's
    each: Array  # (N,) chrF of each of the model's translations
    signatures: dict[str, str]


@dataclass(frozen=True, slots=True)
class Judged:
    """What is judged: the test part, or the validation part where that is empty.

    pairs: one of each source.  references: all targets that each has, any of which is right.
    """

    part: Literal["test", "valid"]
    pairs: Encoded
    references: list[list[str]]


def judged(data: TranslateData) -> Judged:
    """The sources that are translated for the evaluation, and what they should become."""
    part: Literal["test", "valid"] = "test" if len(data.test) or not len(data.valid) else "valid"
    every = data.test if part == "test" else data.valid
    first: dict[str, int] = {}
    references: dict[str, list[str]] = {}
    for row, (source, target) in enumerate(zip(every.pairs.source, every.pairs.target or (), strict=True)):
        first.setdefault(source, row)
        references.setdefault(source, []).append(target)
    pairs = every.take(np.array([*first.values()], dtype=np.int64))
    return Judged(part, pairs, [list(dict.fromkeys(texts)) for texts in references.values()])


def evaluate(
    texts: Sequence[str], hypotheses: Sequence[Hypothesis], config: TranslateConfig, data: TranslateData
) -> Evaluation:
    """Compare the model's translations of `judged(data)` with the baselines'."""
    found = judged(data)
    part, pairs = found.part, found.pairs
    unit = data.schema.target.unit
    label = signature(
        "translate",
        sha256=data.sha256,
        seed=config.seed,
        dtype="float32",
        unit=unit,
        pairs=len(pairs),
        beam=config.beam,
        **({"part": "validation"} if part == "valid" else {}),
    )
    if not len(pairs):
        return Evaluation((), (verdict.NOTHING,), label)
    judge = Judge(found.references, config.seed, letters=unit == "characters")
    others = {COPY: pairs.pairs.source}
    if len(data.train):
        assert data.train.pairs.target is not None
        phrases = Phrases.fit(data.train.pairs.source, data.train.pairs.target, unit)
        others[PHRASES] = [phrases.translate(text) for text in pairs.pairs.source]
    methods = compare({"Recurra": texts} | others, judge)
    for one in methods:
        one.intervals["chrf"] = judge.chrf_interval(one.texts)
    signatures = judge.signatures
    metric = compared(found.references, unit == "characters")
    words = verdict.words(methods, metric)
    words += [verdict.NOT_TESTED] if part == "valid" else []
    words += [] if len(data.train) else [verdict.NOT_FITTED]
    words += [f"{name}: {of}" for name, of in zip(("BLEU", "chrF"), signatures.values(), strict=True)]
    detail = Detail(part, pairs, found.references, metric, methods, hypotheses, judge.each(texts), signatures)
    return Evaluation([Score(one.name, one.metrics) for one in methods], words, label, detail)
