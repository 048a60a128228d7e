"""What was found in the texts, in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from recurra.data.corpus import Corpus, TextFile
from recurra.data.tables import listed
from recurra.data.tokenfile import Part
from recurra.report.numbers import count, percent
from recurra.tasks.language.schema import Schema

WORDS = {"train": "training", "valid": "validation", "test": "test"}
DOCUMENTS = {"line": "each line is one", "blank": "they end with blank lines"}


def describe(
    corpora: Mapping[str, Corpus],
    parts: Mapping[str, Part],
    schema: Schema,
    reason: str,
    remarks: Sequence[str],
) -> list[str]:
    """One line for each thing that the user may want to check."""
    documents = DOCUMENTS.get(schema.documents)
    return [
        _text([file for corpus in corpora.values() for file in corpus.files]),
        _unit(schema, reason),
        *([f"documents: {documents}"] if documents else []),
        _split(corpora, parts),
        *_unknown(parts),
        *remarks,
    ]


def describe_later(corpus: Corpus, parts: Mapping[str, Part], remarks: Sequence[str]) -> list[str]:
    """What a later text is, and how much of it training did not show."""
    return [_text(list(corpus.files)), *_unknown(parts), *remarks]


def named(what: str, paths: Sequence[Path], why: str) -> str:
    """`not read: a.png, b.bin, not text`."""
    return f"{what}: {listed([path.name for path in paths])}, {why}"


def odd(corpora: Sequence[Corpus]) -> list[str]:
    """What had to be assumed of some files."""
    files = [file for corpus in corpora for file in corpus.files]
    lines = []
    for encoding in sorted({file.encoding for file in files} - {"utf-8", "latin-1"}):
        there = [file.name for file in files if file.encoding == encoding]
        lines.append(f"encoding: {encoding[:6].upper()} ({listed(there)})")
    invalid = [file for file in files if file.invalid]
    if invalid:
        first, many = invalid[0], sum(file.invalid for file in invalid)
        lines.append(
            f"invalid: {count(many, 'place')} of {count(len(invalid), 'file')} cannot be decoded and became "
            f"U+FFFD; the first is {first.name}, line {first.line:,}, after {first.at:,} bytes"
        )
    ends = [file.name for file in files if file.crlf]
    if ends:
        lines.append(f"line ends: CRLF, read as LF ({listed(ends)})")
    empty = [name for corpus in corpora for name in corpus.empty]
    return [*lines, f"empty: {listed(empty)}, left out"] if empty else lines


def twice(corpora: Mapping[str, Corpus]) -> list[str]:
    """Files of one part that are in the training part, too."""
    learnt = {file.sha256 for file in corpora["train"].files}
    return [
        f"twice: {file.name} of the {WORDS[name]} part is in the training part, too"
        for name, corpus in corpora.items()
        if name != "train"
        for file in corpus.files
        if file.sha256 in learnt
    ]


def _text(files: Sequence[TextFile]) -> str:
    raw = files[0].encoding == "latin-1"
    many = count(sum(file.characters for file in files), "byte" if raw else "character")
    lines = count(sum(file.lines for file in files), "line")
    return f"text: {count(len(files), 'file')}, {many}, {lines}"


def _unit(schema: Schema, reason: str) -> str:
    unit, many = schema.tokens.unit, f"{len(schema.tokens) - 2:,}"
    what = {"bytes": "bytes", "bpe": f"pieces of words (bpe), {many} of them"}.get(
        unit, f"{unit}, {many} of them"
    )
    return f"unit: {what} (chosen: {reason})" if reason else f"unit: {what}"


def _split(corpora: Mapping[str, Corpus], parts: Mapping[str, Part]) -> str:
    train, valid, test = (parts[name].counts.tokens for name in ("train", "valid", "test"))
    tested = f"test {test:,}" if test else "no test"
    given = [name for name in ("valid", "test") if name in corpora]
    names = [file.name for name in ("train", *given) for file in corpora[name].files]
    how = f"files {listed(names)}" if given else "in this order"
    return f"split: train {count(train, 'token')}, valid {valid:,}, {tested} ({how})"


def _unknown(parts: Mapping[str, Part]) -> list[str]:
    name = "test" if parts["test"].counts.tokens else "valid"
    counts = parts[name].counts
    if not counts.unknown:
        return []
    return [f"unknown: {percent(counts.unknown / counts.tokens)} of the {WORDS[name]} tokens"]
