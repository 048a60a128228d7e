"""From files to tokens that train, validate and test."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.data.corpus import Corpus, find_paths, is_text
from recurra.data.frequency import Array
from recurra.data.parts import PARTS, named_parts
from recurra.data.tokenfile import Counts, Part, encode_parts, texts_by_file
from recurra.data.tokens import Tokens, Unit
from recurra.data.units import SAMPLE, choose_tokens, fit_tokens, most_tokens
from recurra.errors import ConfigError, DataError
from recurra.tasks.language import found as told
from recurra.tasks.language.config import SHARE
from recurra.tasks.language.schema import Schema
from recurra.tasks.language.shape import sizes
from recurra.tasks.language.split import cut_off

if TYPE_CHECKING:
    from recurra.tasks.language.config import LanguageConfig

__all__ = ["LanguageData", "Schema", "read_corpus", "read_later"]

# Tokens without which a part is none: one to foretell, and to learn, one before it.
LEAST = {"train": 2, "valid": 1, "test": 1}


@dataclass(frozen=True)
class LanguageData:
    """What reading gives.

    train, valid, test: (T,) uint16 or int32 tokens, BORDERs among them, mapped from disk; each begins with a
    BORDER, or is empty.  counts: of the test part.  parts: the same with their counts, and the file and line
    of each token.  remarks: what had to be assumed; they stand in `found`, too.
    """

    schema: Schema
    found: tuple[str, ...]
    sha256: str
    train: Array
    valid: Array
    test: Array
    counts: Counts
    remarks: tuple[str, ...] = ()
    parts: Mapping[str, Part] = field(default_factory=dict)


Span = tuple[Corpus, int, int]


def read_corpus(config: LanguageConfig, source: Any) -> LanguageData:
    """Read text, split it, fit the tokens on the training part. Raises DataError, ConfigError."""
    groups, remarks = _groups(config, source)
    corpora, unit, reason = _read(groups, config.unit)
    spans = _spans(config, corpora)
    corpus, begin, end = spans["train"]
    most = config.vocabulary or most_tokens(unit, end - begin)
    by_file = texts_by_file(corpus, begin, end, unit, config.documents)
    tokens = fit_tokens((text for _, blocks in by_file for text in blocks), unit, most, end - begin)
    encoded = encode_parts([spans[name] for name in PARTS], tokens, config.documents)
    parts = dict(zip(PARTS, encoded, strict=True))
    _check_lengths(parts, config)
    schema = _schema(config, tokens, parts["train"].counts)
    remarks += told.odd(list(corpora.values())) + told.twice(corpora)
    lines = told.describe(corpora, parts, schema, reason, remarks)
    return _data(schema, parts, _sha256(corpora), lines, remarks)


def read_later(schema: Schema, source: Any) -> LanguageData:
    """Read other text with the tokens that were fitted; all of it is the test part. Raises DataError."""
    raw = schema.tokens.unit == "bytes"
    paths, remarks = _text_files(source, raw)
    corpus = Corpus.read(paths, raw)
    none, whole = (corpus, 0, 0), (corpus, 0, corpus.characters)
    parts = dict(zip(PARTS, encode_parts([none, none, whole], schema.tokens, schema.documents), strict=True))
    remarks += told.odd([corpus])
    lines = told.describe_later(corpus, parts, remarks)
    return _data(schema, parts, _sha256({"train": corpus}), lines, remarks)


def _data(
    schema: Schema, parts: dict[str, Part], sha256: str, lines: list[str], remarks: list[str]
) -> LanguageData:
    train, valid, test = (parts[name].tokens for name in PARTS)
    counts = parts["test"].counts
    return LanguageData(
        schema, tuple(lines), sha256, train, valid, test, counts, remarks=tuple(remarks), parts=parts
    )


def _groups(config: LanguageConfig, source: Any) -> tuple[dict[str, list[Path]], list[str]]:
    """The files of each part that has files of its own."""
    raw = config.unit == "bytes"
    paths, remarks = _text_files(source, raw)
    folder = Path(source) if isinstance(source, str | Path) and Path(source).is_dir() else None
    groups = named_parts(paths, folder) or {"train": paths}
    others = groups.pop("", [])
    if others and folder is not None:
        remarks.append(told.named("not read", others, "whose names tell no part"))
    elif others:
        learnt = {*groups["train"], *others}
        groups["train"] = [path for path in paths if path in learnt]
        remarks.append(told.named("to learn from", others, "whose names tell no part"))
    for name, given in (("valid", config.valid), ("test", config.test)):
        if name in groups and given:
            raise ConfigError(
                f"expected a {name} part by files that are called so or by the option, got both: "
                f"{groups[name][0].name} and {given}. Leave the option out, or name the other files alone."
            )
        if name in groups and given == 0:
            groups.pop(name)
        if isinstance(given, str):
            groups[name], more = _text_files(given, raw)
            remarks += more
    return groups, remarks


def _text_files(source: Any, raw: bool) -> tuple[list[Path], list[str]]:
    """The files of a source; of a folder, those that are text, where some are."""
    paths, folder = find_paths(source)
    if folder is None or raw:
        return paths, []
    text: list[Path] = []
    others: list[Path] = []
    for path in paths:
        (text if is_text(path) else others).append(path)
    if not text or not others:
        return paths, []
    return text, [told.named("not read", others, "not text")]


def _read(groups: dict[str, list[Path]], asked: Unit | None) -> tuple[dict[str, Corpus], Unit, str]:
    """Each part's files read once, what they are to be cut into, and why where nobody asked for it."""
    corpora = {name: Corpus.read(paths, asked == "bytes") for name, paths in groups.items()}
    if asked is not None:
        return corpora, asked, ""
    train = corpora["train"]
    sample = "".join(train.texts(0, SAMPLE))
    unit, reason = choose_tokens(sample, train.characters, train.invalid)
    if unit == "bytes":
        corpora = {name: Corpus.read(paths, raw=True) for name, paths in groups.items()}
    return corpora, unit, reason


def _spans(config: LanguageConfig, corpora: dict[str, Corpus]) -> dict[str, Span]:
    """Which characters of which text each part is."""
    train = corpora["train"]
    end = train.characters
    spans = {}
    for name, given in (("test", config.test), ("valid", config.valid)):
        if name in corpora:
            spans[name] = (corpora[name], 0, corpora[name].characters)
            continue
        share = SHARE if given is None else given
        assert isinstance(share, int | float)
        begin = cut_off(train, end, share, config.documents) if share else end
        spans[name] = (train, begin, end)
        end = begin
    return {"train": (train, 0, end), **spans}


def _check_lengths(parts: dict[str, Part], config: LanguageConfig) -> None:
    for name, part in parts.items():
        if part.counts.tokens < LEAST[name] and not (name == "test" and config.test == 0):
            many = ", ".join(f"{parts[one].counts.tokens} to {one}" for one in PARTS)
            raise DataError(
                f"expected text to train, validate and test on, got too little: tokens {many}. "
                "Give more text, or files for each part.",
            )


def _schema(config: LanguageConfig, tokens: Tokens, train: Counts) -> Schema:
    return Schema(
        tokens=tokens,
        documents=config.documents,
        train_tokens=train.tokens,
        characters_per_token=train.characters / train.tokens,
        shape=sizes(config, tokens=len(tokens), unit=tokens.unit, train_tokens=train.tokens),
    )


def _sha256(corpora: Mapping[str, Corpus]) -> str:
    """Of the content; where parts have files of their own, of their sums in order."""
    if len(corpora) == 1:
        return corpora["train"].sha256.hex()
    digest = hashlib.sha256()
    for name in PARTS:
        if name in corpora:
            digest.update(f"{name}\0".encode() + corpora[name].sha256)
    return digest.hexdigest()
