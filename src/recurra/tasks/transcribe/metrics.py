"""How near transcripts come to what was said: errors by jiwer's alignments, of words and of what is smaller.

WER, CER, PER = (S + D + I) / (R + S + D): of words, characters, phones those substituted, left out (deleted)
and put in (inserted), for each one that was said; R are right. jiwer 4, Morris et al. (2004).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.data.frequency import Array
from recurra.errors import ConfigError

NAMES = {
    "words": "Words right",
    "wer": "WER",
    "cer": "CER",
    "per": "PER",
    "right": "All right",
    "substituted": "Taken for others",
    "left_out": "Left out",
    "put_in": "Put in",
}
# As they stand within a sentence.
LABELS = NAMES | {"words": "words right", "right": "all right"}
LOWER_IS_BETTER = frozenset({"wer", "cer", "per", "substituted", "left_out", "put_in"})
# Columns of counts.
RIGHT, SUBSTITUTED, LEFT_OUT, PUT_IN = range(4)
KINDS = {"substitute": SUBSTITUTED, "delete": LEFT_OUT, "insert": PUT_IN}

Tokens = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Edit:
    """A stretch of a text: what was said, and what was written for it. kind: RIGHT, SUBSTITUTED, ..."""

    kind: int
    said: tuple[str, ...]
    heard: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Aligned:
    """Texts beside their references. edits: of each text, in order. counts: (N, 4) int64 tokens by kind."""

    edits: Sequence[Sequence[Edit]]
    counts: Array

    @property
    def said(self) -> Array:
        """Tokens of each reference, (N,) int64."""
        found: Array = self.counts[:, :PUT_IN].sum(1)
        return found

    @property
    def wrong(self) -> Array:
        """Errors of each text, (N,) int64."""
        found: Array = self.counts[:, SUBSTITUTED:].sum(1)
        return found


def align(said: Tokens, heard: Tokens) -> Aligned:
    """Texts, cut into tokens, beside what was said. Raises ConfigError without jiwer."""
    jiwer = need_jiwer()
    found: list[list[Edit]] = []
    counts = np.zeros((len(said), 4), dtype=np.int64)
    if not len(said):
        return Aligned(found, counts)
    as_it_is: Any = list
    out = jiwer.process_words([list(one) for one in said], [list(one) for one in heard], as_it_is, as_it_is)
    for n, chunks in enumerate(out.alignments):
        edits = []
        for chunk in chunks:
            edit = Edit(
                KINDS.get(chunk.type, RIGHT),
                tuple(said[n][chunk.ref_start_idx : chunk.ref_end_idx]),
                tuple(heard[n][chunk.hyp_start_idx : chunk.hyp_end_idx]),
            )
            counts[n, edit.kind] += max(len(edit.said), len(edit.heard))
            edits.append(edit)
        found.append(edits)
    return Aligned(found, counts)


def rate(counts: Array) -> Array:
    """Errors for each token that was said, (...,), of counts (..., 4); of nothing said, how many."""
    found: Array = counts[..., SUBSTITUTED:].sum(-1) / np.maximum(counts[..., :PUT_IN].sum(-1), 1)
    return found


def signature_of(unit: str) -> str:
    """How errors were counted, in the manner of sacreBLEU: jiwer's version, and what was done to texts."""
    from importlib.metadata import version  # noqa: PLC0415

    return f"jiwer|unit:{unit}|case:kept|punctuation:kept|space:one|version:{version('jiwer')}"


def need_jiwer() -> Any:
    """The package. Raises ConfigError."""
    try:
        import jiwer  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            "expected the package jiwer, which judges transcripts, got an install without it. "
            "Install recurra[audio]."
        ) from error
    return jiwer
