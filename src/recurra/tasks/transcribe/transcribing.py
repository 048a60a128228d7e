"""Whole recordings, side by side: what is said in them, and how much the language model should count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from recurra.decode.ctc import Beam
from recurra.tasks.base import Transcript
from recurra.tasks.transcribe import hearing
from recurra.tasks.transcribe.fusing import fusion, weighing
from recurra.tasks.transcribe.metrics import align, rate
from recurra.tasks.transcribe.model import Recogniser
from recurra.tasks.transcribe.streaming import TranscribeSteps
from recurra.tasks.transcribe.writing import joined, searched

if TYPE_CHECKING:
    from recurra.tasks.transcribe.config import TranscribeConfig
    from recurra.tasks.transcribe.data import TranscribeData
    from recurra.tasks.transcribe.schema import Schema

Array = np.ndarray[Any, np.dtype[Any]]

# Recordings that are listened to side by side.
TOGETHER = 16
# Samples of each that they hear at once, some ten seconds.
BLOCK = 1 << 17
# Samples of recordings that a network hears at once from both ends: about five minutes in all.
AT_ONCE = 5_000_000
# What is tried for the language model, and recordings of the validation part that it is tried on.
WEIGHTS, BONUSES, TRIED = (0.0, 0.3, 0.6, 1.0, 1.5), (0.0, 1.0, 2.0), 80


def transcribed(
    model: Recogniser, config: TranscribeConfig, schema: Schema, sounds: Sequence[Array]
) -> list[Transcript]:
    """What is said in recordings (N,); of a live model what a stream says of them, bit for bit."""
    if config.live:
        return listened(TranscribeSteps(model, schema, Beam(config.beam)), sounds)
    language, beam = fusion(model, schema), Beam(config.beam)
    found: dict[int, Transcript] = {}
    for row, log_p in logarithms(model, schema, sounds):
        found[row] = searched(log_p, schema, beam, language)
    return [found[row] for row in range(len(sounds))]


def listened(steps: TranscribeSteps, sounds: Sequence[Array]) -> list[Transcript]:
    """What streams say of whole recordings."""
    found: list[Transcript] = []
    for at in range(0, len(sounds), TOGETHER):
        some = sounds[at : at + TOGETHER]
        pool = {name: part.repeat(len(some), *[1] * part.dim()) for name, part in steps.fresh().items()}
        said: list[list[Transcript]] = [[] for _ in some]
        for begin in range(0, max(map(len, some)), BLOCK):
            _hear(steps, pool, {n: one[begin : begin + BLOCK] for n, one in enumerate(some)}, said)
        _hear(steps, pool, {n: one[:0] for n, one in enumerate(some)}, said, ended=True)
        found += map(joined, said)
    return found


def _hear(
    steps: TranscribeSteps,
    pool: dict[str, torch.Tensor],
    pieces: dict[int, Array],
    said: list[list[Transcript]],
    *,
    ended: bool = False,
) -> None:
    """Let streams hear their pieces, but for those that have none left, unless all have ended."""
    rows = [n for n, piece in pieces.items() if ended or len(piece)]
    heard = steps.hear(pool, torch.tensor(rows), [pieces[n] for n in rows])
    for n, one in zip(rows, heard, strict=True):
        said[n] += one.final


@torch.no_grad()
def logarithms(model: Recogniser, schema: Schema, sounds: Sequence[Array]) -> Iterator[tuple[int, Array]]:
    """What the network says of whole recordings (N,): the number of each and (T, V), the shortest first."""
    model.eval()
    order = np.argsort([len(sound) for sound in sounds], kind="stable").tolist()
    while order:
        longest = len(sounds[order[min(TOGETHER, len(order)) - 1]])
        many = max(1, min(TOGETHER, AT_ONCE // max(1, longest)))
        rows, order = order[:many], order[many:]
        x, lengths = hearing.padded([hearing.heard(schema, sounds[row]) for row in rows])
        log_p, _ = model(x, lengths)
        for row, one, steps in zip(rows, log_p, lengths.tolist(), strict=True):
            yield row, one[:steps].numpy().copy()


def tune(model: Recogniser, config: TranscribeConfig, data: TranscribeData) -> None:
    """Find what makes the fewest errors in words and characters on some of the validation part."""
    schema, part = data.schema, data.valid
    weighed = weighing(model, schema)
    if weighed is None:
        return
    weight, bonus = config.lm_weight, config.word_bonus
    rows = range(min(TRIED, len(part)))
    texts = part.recordings.texts
    assert texts is not None
    told = dict(logarithms(model, schema, [part.recordings.samples(n) for n in rows]))
    found = [told[n] for n in rows]
    beam, tried = Beam(config.beam), list[tuple[float, float, float]]()
    for w in WEIGHTS if weight is None else (weight,):
        for b in BONUSES if bonus is None else (bonus,):
            language = weighed(w, b)
            heard = [searched(log_p, schema, beam, language).text for log_p in found]
            tried.append((errors(heard, [texts[n] for n in rows]), w, b))
    model.fused.copy_(torch.tensor(min(tried)[1:], dtype=torch.float64))


def errors(heard: Sequence[str], said: Sequence[str]) -> float:
    """Errors in words and in characters, added up."""
    found = 0.0
    for cut in (str.split, list):
        aligned = align([cut(one) for one in said], [cut(one) for one in heard])
        found += float(rate(aligned.counts.sum(0)))
    return found
