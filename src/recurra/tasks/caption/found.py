"""What was found in the pictures, in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from recurra.data.parts import PARTS
from recurra.data.tokens import UNKNOWN
from recurra.report.numbers import count, percent
from recurra.tasks.caption.pictures import Pictures

if TYPE_CHECKING:
    from recurra.tasks.caption.encoded import Encoded
    from recurra.tasks.caption.schema import Schema

WORDS = {"train": "training", "valid": "validation", "test": "test"}
# Letters of a caption that is shown whole.
LONG = 70


def describe(
    parts: Mapping[str, Encoded], schema: Schema, *, reason: str, how: str, remarks: Sequence[str]
) -> list[str]:
    """One line for each thing that the user may want to check."""
    train = parts["train"].pictures
    text = train.captions[0][0]
    shown = text if len(text) <= LONG else text[: LONG - 1] + "…"
    train_n, valid, test = (len(parts[name]) for name in PARTS)
    tested = f"test {test:,}" if test else "no test"
    drawn = f" ({how} drawn)" if how else ""
    return [
        pictures([part.pictures for part in parts.values()]) + f", such as {train.names[0]} “{shown}”",
        _seen(schema, train),
        _unit(schema, reason),
        f"split: train {count(train_n, 'picture')}, valid {valid:,}, {tested}{drawn}",
        *(["mirrored: no picture while training"] if schema.shape.side and not schema.mirror else []),
        *_unknown(parts),
        *remarks,
    ]


def pictures(parts: Sequence[Pictures]) -> str:
    """How many there are, and captions."""
    many = sum(map(len, parts))
    texts = sum(len(some) for part in parts for some in part.captions)
    told = f", {count(texts, 'caption')}" if texts else ""
    return f"pictures: {many:,}{told}"


def leaks(parts: Mapping[str, Pictures]) -> list[str]:
    """Pictures of the other parts that are in the training part, too."""
    learnt = set(parts["train"].digests)
    lines = []
    for name in ("valid", "test"):
        twice = sum(one in learnt for one in parts[name].digests)
        if twice:
            lines.append(
                f"twice: {count(twice, 'picture')} of the {WORDS[name]} part "
                f"{'is' if twice == 1 else 'are'} in the training part, too"
            )
    return lines


def cut(many: int, longest: int) -> list[str]:
    """Captions of which only the beginning is learnt."""
    return [f"cut: {count(many, 'caption')} to the first {longest} tokens"] if many else []


def _seen(schema: Schema, train: Pictures) -> str:
    shape = schema.shape
    rows, columns = shape.grid
    parts = f"{rows} × {columns} parts"
    if schema.backbone is not None:
        side = schema.backbone.side
        return (
            f"seen: {side} × {side} pixels, through the backbone as {parts}, {shape.channels:,} features each"
        )
    if not shape.side:
        return f"seen: features from files, {parts}, {shape.channels:,} of each"
    wide, high = (int(one) for one in np.median(train.sizes, 0))
    return f"seen: {wide} × {high} pixels (median), read as {shape.side} × {shape.side} and {parts}"


def _unit(schema: Schema, reason: str) -> str:
    what = {"bpe": "pieces of words (bpe)"}.get(schema.tokens.unit, schema.tokens.unit)
    why = f" (chosen: {reason})" if reason else ""
    # What ends a text, what is unknown, and a newline, which no caption has.
    without = 2 if schema.tokens.unit == "bpe" else 3
    return f"unit: {what}, {len(schema.tokens) - without:,} of them{why}"


def _unknown(parts: Mapping[str, Encoded]) -> list[str]:
    part = parts["test"] if len(parts["test"]) else parts["valid"]
    many = int((part.target.values == UNKNOWN).sum())
    if not many:
        return []
    return [f"unknown: {percent(many / len(part.target.values))} of the tokens that are kept back"]
