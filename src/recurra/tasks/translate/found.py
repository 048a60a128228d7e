"""What was found in the pairs, in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from recurra.data.frequency import Array
from recurra.data.tokens import UNKNOWN
from recurra.report.numbers import count, percent
from recurra.tasks.translate.pairs import Pairs

if TYPE_CHECKING:
    from recurra.tasks.translate.data import Encoded
    from recurra.tasks.translate.schema import Schema

WORDS = {"train": "training", "valid": "validation", "test": "test"}


def describe(
    parts: Mapping[str, Encoded], schema: Schema, reason: str, given: Sequence[str], remarks: Sequence[str]
) -> list[str]:
    """One line for each thing that the user may want to check."""
    pairs, (a, b) = parts["train"].pairs, schema.names
    first, second = _short(pairs.source[0]), _short((pairs.target or [""])[0])
    return [
        f"pairs: from {a} to {b}, such as “{first}” to “{second}”",
        _unit(schema, reason),
        _split(parts, given),
        *_unknown(parts, schema),
        *remarks,
    ]


def texts(part: Encoded) -> str:
    """How many later texts there are."""
    what = "text" if part.pairs.target is None else "pair"
    return f"{what}s: {count(len(part), what)}, {count(int(part.source.lengths.sum()), 'token')}"


def left_out(pairs: Pairs, rows: Array, part: str, why: str) -> str:
    """`left out: 3 pairs of the training part, in which a side is empty; the first is a.de, line 7`."""
    name, line = pairs.where(int(rows[0]))
    return (
        f"left out: {count(len(rows), 'pair')} of the {WORDS[part]} part, in which {why}; the first is "
        f"{name}, line {line:,}"
    )


def leaks(parts: Mapping[str, Pairs]) -> list[str]:
    """Sources of the test part that are in the training part, too."""
    learnt = set(parts["train"].source)
    lines = []
    for name in ("valid", "test"):
        twice = sum(text in learnt for text in parts[name].source) if name in parts else 0
        if twice:
            lines.append(
                f"twice: {count(twice, 'source')} of the {WORDS[name]} part "
                f"{'is' if twice == 1 else 'are'} in the training part, too"
            )
    return lines


def _short(text: str, most: int = 60) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"


def _unit(schema: Schema, reason: str) -> str:
    what = {"bpe": "pieces of words (bpe)"}.get(schema.source.unit, schema.source.unit)
    why = f" (chosen: {reason})" if reason else ""
    if schema.shared:
        return f"unit: {what}, {len(schema.source) - 2:,} for both sides{why}"
    a, b = schema.names
    return f"unit: {what}, {len(schema.source) - 2:,} of {a} and {len(schema.target) - 2:,} of {b}{why}"


def _split(parts: Mapping[str, Encoded], given: Sequence[str]) -> str:
    train, valid, test = (len(parts[name]) for name in ("train", "valid", "test"))
    drawn = [name for name in ("valid", "test") if name not in given and len(parts[name])]
    how = f" ({' and '.join(drawn)} drawn, all pairs of a source together)" if drawn else ""
    tested = f"test {test:,}" if test else "no test"
    return f"split: train {count(train, 'pair')}, valid {valid:,}, {tested}{how}"


def _unknown(parts: Mapping[str, Encoded], schema: Schema) -> list[str]:
    part = parts["test"] if len(parts["test"]) else parts["valid"]
    lines = []
    for name, side in zip(schema.names, (part.source, part.target), strict=True):
        many = int((side.values == UNKNOWN).sum())
        if many:
            share = percent(many / len(side.values))
            lines.append(f"unknown: {share} of the tokens of {name} that are kept back")
    return lines
