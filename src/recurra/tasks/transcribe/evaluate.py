"""The model beside its baselines on the same recordings, and the verdict in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from recurra.report.methods import OfTexts
from recurra.report.signature import signature
from recurra.tasks.base import Evaluation, Score
from recurra.tasks.transcribe import verdict
from recurra.tasks.transcribe.baselines import Nearest, most_frequent
from recurra.tasks.transcribe.metrics import (
    LEFT_OUT,
    LOWER_IS_BETTER,
    PUT_IN,
    SUBSTITUTED,
    Aligned,
    align,
    rate,
    signature_of,
)
from recurra.tasks.transcribe.resampling import Resampling
from recurra.tasks.transcribe.units import Cut, Cutter, leading

if TYPE_CHECKING:
    from recurra.data.frequency import Array
    from recurra.tasks.base import Transcript
    from recurra.tasks.transcribe.config import TranscribeConfig
    from recurra.tasks.transcribe.data import Encoded, TranscribeData

FREQUENT, NEAREST = "Most frequent transcript", "Nearest training recording"


@dataclass(frozen=True, slots=True)
class Detail:
    """What the report draws: which recordings were judged, and every method, the model first."""

    part: Literal["test", "valid"]
    recordings: Encoded
    metric: str  # the one that methods are compared by
    token: Literal["word", "character", "phone"]  # what it counts
    methods: tuple[OfTexts, ...]
    transcripts: Sequence[Transcript]  # the model's
    texts: Sequence[str]  # what was said
    aligned: Aligned  # the model's tokens beside those
    words: Aligned  # and its words
    cutter: Cutter
    by_speaker: bool  # whether intervals are by a bootstrap over speakers
    counted: str  # how errors were counted


def judged(data: TranscribeData) -> tuple[Literal["test", "valid"], Encoded]:
    """What is judged: the test part, or the validation part where that is empty."""
    return ("test", data.test) if len(data.test) or not len(data.valid) else ("valid", data.valid)


def evaluate(transcripts: Sequence[Transcript], config: TranscribeConfig, data: TranscribeData) -> Evaluation:
    """Compare the model's transcripts of `judged(data)` with the baselines'."""
    part, encoded = judged(data)
    label = signature(
        "transcribe",
        sha256=data.sha256,
        seed=config.seed,
        dtype="float32",
        unit="phones" if data.schema.phones is not None else data.schema.tokens.unit,
        recordings=len(encoded),
        live=config.live,
        beam=config.beam,
        lm="none" if data.schema.language is None else data.schema.language.kind,
        **({"part": "validation"} if part == "valid" else {}),
    )
    if not len(encoded):
        return Evaluation((), (verdict.NOTHING,), label)
    recordings = encoded.recordings
    assert recordings.texts is not None
    cutter = Cutter(data.schema)
    judge = Judge(recordings.texts, recordings.speakers, cutter, config.seed)
    judge.add("Recurra", cutter.heard(transcripts))
    if len(data.train):
        known = data.train.recordings
        assert known.texts is not None
        judge.add(FREQUENT, cutter.said([most_frequent(known.texts)] * len(encoded)))
        judge.add(NEAREST, cutter.said(Nearest.fit(known).transcribe(recordings)))
    counted = signature_of(cutter.piece)
    detail = Detail(
        part,
        encoded,
        judge.metric,
        judge.token,
        tuple(judge.methods),
        transcripts,
        judge.said.texts,
        judge.aligned[judge.token],
        judge.aligned["word"],
        cutter,
        judge.resampling.by_speaker,
        counted,
    )
    words = verdict.words(detail)
    words += [verdict.NOT_TESTED] if part == "valid" else []
    words += [] if len(data.train) else [verdict.NOT_FITTED]
    words.append(f"Errors are counted by {counted}")
    return Evaluation([Score(one.name, one.metrics) for one in judge.methods], words, label, detail)


class Judge:
    """References, and methods beside them, the model first.

    aligned: the model's, by what was counted.
    """

    def __init__(
        self, texts: Sequence[str], speakers: Sequence[str] | None, cutter: Cutter, seed: int
    ) -> None:
        self.said = cutter.said(texts)
        self.metric = leading(self.said.texts, cutter)
        self.piece = cutter.piece
        self.token: Literal["word", "character", "phone"] = (
            self.piece if self.metric in ("cer", "per") else "word"
        )
        self.resampling = Resampling(len(texts), speakers, seed)
        self.methods: list[OfTexts] = []
        self.aligned: dict[str, Aligned] = {}
        self._ours: dict[str, Array] = {}

    def add(self, name: str, heard: Cut) -> None:
        """Judge a method; the first is the one that others are compared with."""
        aligned = {
            "word": align(self.said.words, heard.words),
            self.piece: align(self.said.pieces, heard.pieces),
        }
        exact = [a == b for a, b in zip(self.said.words, heard.words, strict=True)]
        counts = np.concatenate(
            [
                aligned["word"].counts,
                aligned[self.piece].counts,
                np.array([[one, 1] for one in exact], dtype=np.int64),
            ],
            1,
        )
        values = {metric: float(of[0]) for metric, of in self._measured(counts.sum(0)[None]).items()}
        draws = self._measured(self.resampling.sums(counts))
        intervals, differences = {}, {}
        for metric, of in draws.items():
            lower = metric in LOWER_IS_BETTER
            intervals[metric] = self.resampling.interval(of, lower=lower)
            if self.methods:
                differences[metric] = self.resampling.difference(
                    self.methods[0].metrics[metric], values[metric], self._ours[metric] - of, lower=lower
                )
        if not self.methods:
            self.aligned, self._ours = aligned, draws
        self.methods.append(OfTexts(name, heard.texts, values, intervals, differences))

    def _measured(self, sums: Array) -> dict[str, Array]:
        """Metrics (R,) of sums (R, 10): words by kind, pieces by kind, texts all right, and all texts."""
        words, pieces, exact, texts = sums[:, :4], sums[:, 4:8], sums[:, 8], sums[:, 9]
        kinds = words if self.token == "word" else pieces
        said = np.maximum(kinds[:, :PUT_IN].sum(1), 1)
        return {
            **({"words": 1 - rate(words)} if self.metric == "words" else {"wer": rate(words)}),
            "cer" if self.piece == "character" else "per": rate(pieces),
            "right": exact / texts,
            "substituted": kinds[:, SUBSTITUTED] / said,
            "left_out": kinds[:, LEFT_OUT] / said,
            "put_in": kinds[:, PUT_IN] / said,
        }
