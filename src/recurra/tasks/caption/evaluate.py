"""The model beside its baselines on the same pictures, and the verdict in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from recurra.report.judging import compare, who_won
from recurra.report.signature import signature
from recurra.tasks.base import Evaluation, Score
from recurra.tasks.caption.baselines import CONSTANT, NEAREST, RANDOM, Nearest, constant, looks, random
from recurra.tasks.caption.metrics import NAMES, Judge

if TYPE_CHECKING:
    from recurra.data.frequency import Array
    from recurra.decode.beam import Hypothesis
    from recurra.report.methods import OfTexts
    from recurra.tasks.caption.config import CaptionConfig
    from recurra.tasks.caption.data import CaptionData
    from recurra.tasks.caption.encoded import Encoded

SHUFFLED = "The model, of other pictures"
# The metric that methods are compared by.
METRIC = "cider"
NOTHING = (
    "Nothing could be evaluated: there is no picture in the test part. Give more, or a larger share with "
    "--test."
)
NOT_TESTED = (
    "There is no test part, so the validation part was judged. The weights kept are those that were best on "
    "it; on other pictures they may do worse."
)
NOT_FITTED = "No baseline stands beside the model: they would need the pictures that it was fitted on."
ONE = (
    "One picture was judged, which says nothing: CIDEr-D weighs words by how few pictures they are of. Give "
    "more."
)
# From how many times the score of other pictures' captions on a captioner looks at what it captions.
LOOKS = 2.0


@dataclass(frozen=True, slots=True)
class Detail:
    """What the report draws: which pictures were judged, and every method, the model first."""

    part: Literal["test", "valid"]
    judged: Encoded
    methods: tuple[OfTexts, ...]
    hypotheses: Sequence[Hypothesis]  # the model's
    each: Array  # (N,) CIDEr-D of each of the model's captions
    signatures: dict[str, str]


def judged(data: CaptionData) -> tuple[Literal["test", "valid"], Encoded]:
    """The test part, or the validation part where that is empty."""
    return ("test", data.test) if len(data.test) or not len(data.valid) else ("valid", data.valid)


def evaluate(
    texts: Sequence[str], hypotheses: Sequence[Hypothesis], config: CaptionConfig, data: CaptionData
) -> Evaluation:
    """Compare the model's captions of `judged(data)` with the baselines', and with other pictures' ones."""
    part, encoded = judged(data)
    label = signature(
        "caption",
        sha256=data.sha256,
        seed=config.seed,
        dtype="float32",
        unit=data.schema.tokens.unit,
        pictures=len(encoded),
        beam=config.beam,
        **({"part": "validation"} if part == "valid" else {}),
    )
    if not len(encoded):
        return Evaluation((), (NOTHING,), label)
    judge = Judge(encoded.pictures.captions, config.seed)
    others = _baselines(config, data, encoded)
    if len(encoded) > 1:
        others[SHUFFLED] = _shuffled(texts, config.seed)
    methods = compare({"Recurra": texts, **others}, judge)
    signatures = judge.signatures
    words = _verdict(methods)
    words += [NOT_TESTED] if part == "valid" else []
    words += [] if len(data.train) else [NOT_FITTED]
    words += [
        f"{name}: {of}" for name, of in zip(("BLEU", "CIDEr-D", "ROUGE-L"), signatures.values(), strict=True)
    ]
    detail = Detail(part, encoded, methods, hypotheses, judge.each(texts), signatures)
    return Evaluation([Score(one.name, one.metrics) for one in methods], words, label, detail)


def _baselines(config: CaptionConfig, data: CaptionData, encoded: Encoded) -> dict[str, Sequence[str]]:
    """What can be said without a network; nothing where it was fitted on others."""
    train = data.train.pictures
    if not len(train):
        return {}
    nearest = Nearest(_looks(data.train), train.captions)
    return {
        CONSTANT: [constant(train.captions, config.seed)] * len(encoded),
        RANDOM: random(train.captions, len(encoded), config.seed),
        NEAREST: nearest.captions(_looks(encoded)),
    }


def _looks(part: Encoded) -> Array:
    """What pictures look like at a glance, (N, D) float32; features by their mean."""
    rows = np.arange(len(part))
    found = []
    for some in np.array_split(rows, max(1, len(rows) // 512)):
        seen = part.pictures.look(some)
        found.append(looks(seen) if seen.dtype == np.uint8 else seen.mean(1, dtype=np.float32))
    return np.concatenate(found)


def _shuffled(texts: Sequence[str], seed: int) -> list[str]:
    """Each picture with the caption of another one."""
    order = np.random.default_rng(seed).permutation(len(texts))
    other = np.empty(len(texts), dtype=np.int64)
    other[order] = np.roll(order, 1)
    return [texts[int(n)] for n in other]


def _verdict(methods: Sequence[OfTexts]) -> list[str]:
    """Who won; and whether the model looks at the pictures."""
    if len(methods[0].texts) == 1:
        return [ONE]
    *real, shuffled = methods
    own, others = real[0].metrics[METRIC], shuffled.metrics[METRIC]
    lines = []
    if len(real) > 1:
        lines += who_won(real, METRIC, NAMES[METRIC], told)
    else:
        ends = real[0].intervals[METRIC]
        lines.append(
            f"The model's result here: {NAMES[METRIC]} {told(own)} (95 % interval {told(ends.low)} to "
            f"{told(ends.high)})."
        )
    gap = shuffled.differences[METRIC]
    times = f"{own / others:.1f} times" if others > 0 else "more than"
    if gap.low > 0 and own >= LOOKS * others:
        lines.append(
            f"It looks at the pictures: beside those of others its captions reach {told(others)}, beside "
            f"their own {times} that."
        )
    else:
        what = "little" if gap.low > 0 else "no"
        lines.append(
            f"It makes {what} use of the pictures: beside those of others its captions reach {told(others)}, "
            f"beside their own {told(own)}. More pictures, or a longer time budget, may help."
        )
    return lines


def told(value: float) -> str:
    """A score of CIDEr-D, or a difference of two."""
    return f"{value:.3f}".replace("-", "−")
