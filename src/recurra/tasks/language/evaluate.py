"""The model beside its baselines on the same tokens, and the verdict in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from recurra.data.tokens import BORDER
from recurra.decode.kneser_ney import ORDERS, KneserNey
from recurra.report.methods import Difference, Interval
from recurra.report.signature import signature
from recurra.tasks.base import Evaluation, Score
from recurra.tasks.language import verdict
from recurra.tasks.language.comparison import (
    RESAMPLES,
    block_length,
    difference,
    interval,
    resampled,
)
from recurra.tasks.language.metrics import COMPARED, measure, metrics

if TYPE_CHECKING:
    from recurra.data.tokenfile import Counts
    from recurra.tasks.language.data import LanguageData

Array = np.ndarray[Any, np.dtype[Any]]

UNIGRAM = "Unigram"


@dataclass(frozen=True, slots=True)
class Method:
    """One method's results; `differences` are the model's gains over it, none for the model itself."""

    name: str
    baseline: bool  # rather than the model, or the model run in another way
    nats: Array  # (T - 1,) float32 of tokens[1:], 0 at a BORDER
    metrics: dict[str, float]
    intervals: dict[str, Interval]
    differences: dict[str, Difference]


@dataclass(frozen=True, slots=True)
class Detail:
    """What the report draws: which tokens were judged, and every method, the model first."""

    data: LanguageData
    part: Literal["test", "valid"]
    tokens: Array  # (T,), BORDERs among them
    counted: Array  # (T - 1,) whether a token of tokens[1:] counts: all but BORDERs
    counts: Counts  # of the part
    metric: str  # the one that methods are compared by
    block: int  # tokens in a row that intervals are made from; 0 for none
    methods: tuple[Method, ...]


def judged(data: LanguageData) -> tuple[Literal["test", "valid"], Array]:
    """What is judged, and its tokens (T,): the test part, or the validation part where that is empty."""
    return ("test", data.test) if len(data.test) > 1 or len(data.valid) < 2 else ("valid", data.valid)


def evaluate(
    found: Mapping[str, Array],
    data: LanguageData,
    *,
    sha256: str = "",
    seed: int = 0,
    order: int | None = None,
    dtype: str = "float32",
    resamples: int = RESAMPLES,
) -> Evaluation:
    """Compare the model with n-grams and with single tokens.

    found: by name, nats (T - 1,) of `judged(data)`'s tokens but the first; the model's, and then perhaps
    those of the model run in other ways, such as learning on while it reads.
    order: tokens in the baseline's n-grams.
    """
    part, tokens = judged(data)
    schema, unit = data.schema, data.schema.tokens.unit
    counted = np.asarray(tokens[1:]) != BORDER
    counts = data.parts[part].counts
    label = signature(
        "language",
        sha256=sha256,
        seed=seed,
        dtype=dtype,
        unit=unit,
        vocabulary=len(schema.tokens),
        documents=schema.documents,
        tokens=counts.tokens,
        **({"part": "validation"} if part == "valid" else {}),
    )
    if not counts.tokens:
        return Evaluation((), (verdict.NOTHING,), label)
    others, notes = _baselines(data, tokens, order or ORDERS[unit])
    block = block_length(counts.tokens, unit)
    methods = _compared(found, others, counted, counts, block=block, seed=seed, resamples=resamples)
    detail = Detail(data, part, tokens, counted, counts, COMPARED[unit], block, methods)
    # What was counted on this very text is no rival; that has to be said first.
    told = [*_words(detail), *notes] if len(data.train) else [*notes, *_words(detail)]
    return Evaluation(tuple(Score(one.name, one.metrics) for one in methods), tuple(told), label, detail)


def _baselines(data: LanguageData, tokens: Array, order: int) -> tuple[dict[str, Array], list[str]]:
    """The baselines' nats (T - 1,), and remarks."""
    size = len(data.schema.tokens)
    if not len(data.train):
        return {UNIGRAM: KneserNey.fit(tokens, 1, size).surprise(tokens)}, [verdict.NOT_FITTED]
    found = {UNIGRAM: KneserNey.fit(data.train, 1, size).surprise(tokens)}
    counted = KneserNey.fit(data.train, order, size)
    if counted.order > 1:
        found[f"Kneser-Ney {counted.order}-gram"] = counted.surprise(tokens)
    many = len(data.train)
    return found, [verdict.sampled(counted.tokens, many)] if counted.tokens < many else []


def _compared(
    found: Mapping[str, Array],
    others: Mapping[str, Array],
    counted: Array,
    counts: Counts,
    *,
    block: int,
    seed: int,
    resamples: int,
) -> tuple[Method, ...]:
    """Every method's metrics with intervals, and the model's gains over the others."""
    given = {name: np.asarray(nats, dtype=np.float32) for name, nats in [*found.items(), *others.items()]}
    assert all(nats.shape == counted.shape for nats in given.values()), "nats of every token but the first"
    chosen = [nats[counted] for nats in given.values()]
    assert len(chosen[0]) == counts.tokens, "a BORDER before the first token"
    values = [metrics(nats, counts) for nats in chosen]
    draws = [measure(nats, counts) for nats in resampled(chosen, block, seed, resamples)]
    ours, own = values[0], draws[0]
    methods = []
    for i, (name, value, drawn) in enumerate(zip(given, values, draws, strict=True)):
        with np.errstate(invalid="ignore"):  # of two that are endless
            gains = {one: difference(ours[one], value[one], drawn[one] - own[one]) for one in drawn}
        methods.append(
            Method(
                name=name,
                baseline=i >= len(found),
                nats=given[name],
                metrics=value,
                intervals={one: interval(drawn[one]) for one in drawn},
                differences=gains if i else {},
            )
        )
    return tuple(methods)


def _words(detail: Detail) -> list[str]:
    """The verdict, then what has to be said about the tokens."""
    told = verdict.words(detail.methods, detail.metric)
    if detail.part == "valid":
        told.append(verdict.NOT_TESTED)
    told += verdict.unknown(detail.methods[0].metrics["unknown"])
    return told + verdict.blocks(detail.block)
