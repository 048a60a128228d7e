"""From files to recordings and their tokens that train, validate and test."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.data.frequency import Array
from recurra.data.media.problems import Problems
from recurra.data.parts import PARTS, check_parts
from recurra.data.tokens import FIRST, Tokens
from recurra.errors import DataError
from recurra.tasks.transcribe import found as told
from recurra.tasks.transcribe.counting import Texts, fit_language, language_files
from recurra.tasks.transcribe.encoded import Encoded, encode, pronounced, roomy, spelt, written
from recurra.tasks.transcribe.features import STACK, TAIL, LogMel, steps
from recurra.tasks.transcribe.medium import RECORDINGS
from recurra.tasks.transcribe.moments import moments
from recurra.tasks.transcribe.phones import Pronounced, Ways, kept, read_phones
from recurra.tasks.transcribe.recordings import Recordings
from recurra.tasks.transcribe.schema import Columns, Schema
from recurra.tasks.transcribe.shape import sizes
from recurra.tasks.transcribe.sounds import hear
from recurra.tasks.transcribe.sources import read_like, read_sources
from recurra.tasks.transcribe.split import split
from recurra.tasks.transcribe.texts import choose_unit, fit_texts, normal

if TYPE_CHECKING:
    from recurra.tasks.transcribe.config import TranscribeConfig

__all__ = ["Encoded", "TranscribeData", "read_later", "read_recordings"]


@dataclass(frozen=True)
class TranscribeData:
    """What reading gives.

    remarks: what had to be assumed or left out; they stand in `found`, too.  language: the arrays of the
    language model that the schema describes, by name.
    """

    schema: Schema
    found: tuple[str, ...]
    sha256: str
    train: Encoded
    valid: Encoded
    test: Encoded
    remarks: tuple[str, ...] = ()
    language: Mapping[str, Array] = field(default_factory=dict)


def read_recordings(config: TranscribeConfig, source: Any) -> TranscribeData:
    """Read recordings, split them, fit the tokens on the training part. Raises DataError, ConfigError."""
    problems = Problems(RECORDINGS)
    sources = read_sources(config, source, problems)
    ways = None if config.phones is None else read_phones(Path(config.phones), config.lower)
    heard = hear(sources.parts, problems, rate=config.rate, longest=config.longest)
    given = {part: written(one, config.lower, problems) for part, one in heard.parts.items()}
    if ways is not None:
        given = pronounced(given, ways, problems)
    if not len(given["train"]):
        problems.settle(False)
    digest = _digest(given, language_files(config))
    parts, how = split(config, given)
    unit, reason = choose_unit(config, parts["train"].texts or [], parts["train"].seconds)
    tokens = fit_texts(spelt(parts["train"], ways), unit if ways is None else "words", config.vocabulary)
    encoded = {name: roomy(encode(part, tokens, ways), problems) for name, part in parts.items()}
    left_out = problems.settle(config.skip)
    check_parts(encoded, "recordings", tested=config.test != 0)
    parts = {name: part.recordings for name, part in encoded.items()}
    remarks = [*sources.remarks, *left_out, *_remarks(parts, tokens if ways is None else None)]
    remarks += [*told.raised(heard), *told.clipped(heard)]
    schema, language = _schema(config, tokens, ways, encoded)
    lines = told.describe(
        encoded, schema, heard, reason=reason if ways is None else "", how=how, remarks=remarks
    )
    return TranscribeData(
        schema,
        tuple(lines),
        digest,
        encoded["train"],
        encoded["valid"],
        encoded["test"],
        tuple(remarks),
        language,
    )


def read_later(schema: Schema, source: Any, alone: bool = False) -> TranscribeData:
    """Read other recordings with the tokens that were fitted; all are the test part. Raises DataError.

    alone: recordings without texts will do.
    """
    problems = Problems(RECORDINGS)
    clips, remarks = read_like(schema.columns, source, alone, problems)
    heard = hear({"test": clips}, problems, rate=schema.rate, longest=None)
    problems.settle(None, alone)
    part = heard.parts["test"]
    if not len(part):
        raise DataError("expected recordings, got none. Look at the files.")
    part = part.with_texts(
        None if alone or part.texts is None else [normal(text, schema.lower) for text in part.texts]
    )
    test = encode(part, schema.tokens, schema.phones)
    if schema.phones is None:
        remarks = [*remarks, *told.unknown(part, "test", schema.tokens)]
    else:
        remarks = [*remarks, *told.unpronounced(part, Pronounced(schema.phones))]
    remarks = [*remarks, *told.raised(heard), *told.clipped(heard)]
    none = test.take(np.zeros(0, dtype=np.int64))
    lines = [told.recordings([part]), *remarks]
    return TranscribeData(schema, tuple(lines), _digest({"test": part}), none, none, test, tuple(remarks))


def _remarks(parts: Mapping[str, Recordings], tokens: Tokens | None) -> list[str]:
    lines = [*told.leaks(parts), *told.shared(parts), *told.damaged_texts(parts)]
    if tokens is not None:
        lines += [line for name in PARTS for line in told.unknown(parts[name], name, tokens)]
    return lines


def _digest(parts: Mapping[str, Recordings], files: Sequence[Path] = ()) -> str:
    """sha256 of names, texts and files, part by part, and of other files."""
    digest = hashlib.sha256()
    for name, part in sorted(parts.items()):
        digest.update(f"{name}\0{len(part)}\0".encode())
        for n, one in enumerate(part.names):
            text = "" if part.texts is None else part.texts[n]
            digest.update(f"{one}\0{text}\0".encode(errors="surrogatepass") + part.digests[n])
    for path in files:
        if path.is_file():  # one that is missing is told when it is read
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _schema(
    config: TranscribeConfig, tokens: Tokens, ways: Ways | None, parts: Mapping[str, Encoded]
) -> tuple[Schema, Mapping[str, Array]]:
    """What a bundle keeps, and the arrays of the language model."""
    train, valid = parts["train"], parts["valid"]
    rate = train.recordings.rate
    texts, held_back = (part.recordings.texts or [] for part in (train, valid))
    targets = [train.target[n] for n in range(len(train))]
    language = fit_language(config, tokens, Texts(texts, held_back, targets), ways)
    words = () if language is None else language[0].words[len(FIRST) :]
    phones = None if ways is None else kept(ways, [*texts, *held_back, *words])
    mean, deviation = moments(train.recordings)
    schema = Schema(
        rate=rate,
        tokens=tokens,
        phones=phones,
        columns=Columns(path=config.path, text=config.text, speaker=config.speaker),
        lower=config.lower,
        longest=float(train.recordings.lengths.max()) / rate,
        mean=mean,
        deviation=deviation,
        language=None if language is None else language[0],
        shape=sizes(
            config,
            inputs=STACK * LogMel(rate).bands,
            tokens=len(tokens),
            recordings=len(train),
            steps=_steps(train.recordings.lengths.tolist(), rate),
        ),
    )
    return schema, {} if language is None else language[1]


def _steps(samples: Sequence[int], rate: int) -> int:
    """Of all recordings, tails among them."""
    return sum(steps(one, rate) + TAIL for one in samples)
