"""What was found in the files, in plain words."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from recurra.data.frequency import Array
from recurra.data.tables import listed
from recurra.tasks.classify.labels import shares
from recurra.tasks.classify.raw import Raw

if TYPE_CHECKING:
    from recurra.tasks.classify.data import ClassifyData
    from recurra.tasks.classify.roles import Roles
    from recurra.tasks.classify.schema import Schema

# What may stand between several labels in a cell.
SEPARATORS = ("|", ";", ",")


def describe(roles: Roles, raw: Raw, data: ClassifyData, reason: str) -> tuple[str, ...]:
    """One line for each thing that the user may want to check."""
    return (
        *raw.notes,
        *_sequences(data.schema, raw, data, reason),
        *_labels(raw, data),
        _parts(data),
        *_missing(data.schema, raw),
        *_lengths(raw, data),
        *_twice(raw, data),
        *_unlabelled(raw, data),
        *_unseen(data),
        *roles.notes,
    )


def describe_later(raw: Raw, data: ClassifyData) -> tuple[str, ...]:
    """What a later file is, and what in it training did not have."""
    gone = len(raw) - len(data.test)
    lines = (
        [f"without a label: {_count(gone, 'example')}, not judged"] if raw.labels is not None and gone else []
    )
    return (*lines, *_missing(data.schema, raw), *_lengths(raw, data), *_unseen(data))


def _count(number: int, one: str, several: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def _sequences(schema: Schema, raw: Raw, data: ClassifyData, reason: str) -> list[str]:
    lengths = data.examples.x.lengths
    steps = (
        f"{lengths.min():,} to {lengths.max():,}" if lengths.min() < lengths.max() else f"{lengths.max():,}"
    )
    word = "step" if lengths.max() == 1 else "steps"
    if schema.vocabulary is not None:
        column = f"column {', '.join(schema.text)}, " if schema.text != ("text",) else ""
        unit = "pieces of words (bpe)" if schema.vocabulary.unit == "bpe" else schema.vocabulary.unit
        return [
            f"text: {column}{_count(len(raw), 'text')} of {steps} {unit} ({reason})",
            f"vocabulary: {len(schema.vocabulary) - 2:,} different {unit}",
        ]
    if schema.kind == "events":
        (channel,) = schema.channels
        kinds = f"{len(channel.categories):,} different {channel.name}"
        return [f"events: {_count(len(raw), 'sequence')} of {steps} {word}, {kinds}"]
    names = [
        f"{one.name} ({len(one.categories)} categories)" if one.categories else one.name
        for one in schema.channels
    ]
    what = f"{_count(len(names), 'channel')}: {listed(names)}"
    apart = f" told apart by {', '.join(schema.ids)}" if schema.layout == "long" else ""
    order = f" in the order of {schema.time}" if schema.time else ""
    columns = f", columns {schema.steps[0]} to {schema.steps[-1]}" if schema.steps else ""
    return [
        f"series: {_count(len(raw), 'sequence')}{apart} of {steps} {word}{order}{columns}",
        f"channels: {what}, scaled to mean 0 and deviation 1",
    ]


def _labels(raw: Raw, data: ClassifyData) -> list[str]:
    assert raw.labels is not None
    schema = data.schema
    said = np.sort(np.concatenate([data.train, data.valid]))
    told = schema.label not in {(), ("label",)} and not raw.labels.columns
    where = f" of {schema.label[0]}" if told else ""
    how = " that may hold at once" if schema.several else ""
    number = _count(len(schema.classes), "class", "classes")
    lines = [f"classes: {number}{where}{how}: {shares(raw, said, schema.classes)}"]
    if schema.several:
        none = sum(raw.labels.sets[n] == () for n in said)
        return [*lines, f"none of them: {_count(none, 'example')}"] if none else lines
    counts = Counter(one for said in raw.labels.sets for one in said or ())
    single = [one for one in schema.classes if counts[one] == 1]
    if single:
        lines.append(f"one example alone: {listed(single)}, which cannot be tested")
    return [*lines, *_separators(schema)]


def _separators(schema: Schema) -> list[str]:
    """A hint where classes look like several others joined."""
    lines = []
    for separator in SEPARATORS:
        parts = [one.split(separator) for one in schema.classes]
        alone = {part[0] for part in parts if len(part) == 1}
        joined = [part for part in parts if len(part) > 1]
        if joined and alone and all({one.strip() for one in part} <= alone for part in joined):
            lines.append(
                f"labels such as {separator.join(joined[0])!r} count as one class; "
                f"--label-separator {separator!r} splits them"
            )
    return lines


def _parts(data: ClassifyData) -> str:
    valid = f", {len(data.valid):,} to validate" if len(data.valid) else ""
    test = f", {len(data.test):,} to test" if len(data.test) else ", none to test"
    return f"examples: {len(data.train):,} to learn from{valid}{test}"


def _missing(schema: Schema, raw: Raw) -> list[str]:
    if raw.steps is None:
        return []
    gone = {
        name: int(np.isnan(cells.to_numpy()).sum()) if cells.dtype.is_numeric() else cells.null_count()
        for name, cells in raw.steps.cells.items()
    }
    total = sum(map(len, raw.steps.cells.values()))
    lines = []
    if sum(gone.values()):
        where = f", in {listed([name for name in gone if gone[name]])}" if len(gone) > 1 else ""
        many, share = sum(gone.values()), sum(gone.values()) / total
        lines.append(f"missing: {many:,} of {total:,} values ({share:.1%}){where}")
    constant = [one.name for one in schema.channels if one.kind == "numeric" and _is_constant(raw, one.name)]
    if constant and len(constant) < len(schema.channels):
        lines.append(f"constant: {listed(constant)}")
    return lines


def _is_constant(raw: Raw, name: str) -> bool:
    assert raw.steps is not None
    value = raw.steps.cells[name].to_numpy()
    known = value[~np.isnan(value)]
    return len(known) == 0 or bool(known.min() == known.max())


def _lengths(raw: Raw, data: ClassifyData) -> list[str]:
    lines = []
    longest = data.schema.longest
    whole = _whole_lengths(raw, data.schema, np.flatnonzero(data.examples.x.lengths == longest))
    cut = int((whole > longest).sum())
    if cut:
        lines.append(
            f"cut: {_count(cut, 'sequence')} after {longest:,} steps, the longest has {int(whole.max()):,} "
            "(--longest reads more)"
        )
    empty = raw.empty
    if empty:
        lines.append(
            f"empty: {_count(empty, 'sequence')} of no steps, each kept as one of which nothing is known"
        )
    return lines


def _whole_lengths(raw: Raw, schema: Schema, which: Array) -> Array:
    """Steps of these examples before any were cut."""
    if schema.vocabulary is not None and raw.texts is not None:
        return np.array([len(schema.vocabulary.encode(raw.texts[n])) for n in which], dtype=np.int64)
    assert raw.steps is not None
    return np.asarray(np.diff(raw.steps.offsets)[which])


def _twice(raw: Raw, data: ClassifyData) -> list[str]:
    """Test examples that training has, too."""

    def key(n: int) -> object:
        return raw.texts[n].strip().lower() if raw.texts is not None else data.examples.x[n].tobytes()

    learnt = {key(n) for n in (*data.train.tolist(), *data.valid.tolist())}
    again = sum(key(n) in learnt for n in data.test.tolist())
    tests = _count(len(data.test), "test example")
    return [f"twice: {again:,} of {tests} are among the training examples, too"] if again else []


def _unlabelled(raw: Raw, data: ClassifyData) -> list[str]:
    assert raw.labels is not None
    gone = sum(one is None for one in raw.labels.sets)
    lines = [f"without a label: {_count(gone, 'example')}, left out of training and test"] if gone else []
    if data.unlabelled is not None:
        many = _count(len(data.unlabelled), "text")
        lines.append(f"unlabelled: {many} to learn the language from before training starts")
    return lines


def _unseen(data: ClassifyData) -> list[str]:
    unseen = data.examples.unseen
    if not unseen:
        return []
    names = listed([f"{one!r}" for one in sorted(unseen)])
    times = _count(sum(unseen.values()), "example")
    return [f"unseen: {names}, which training did not have ({times}, counted as wrong)"]
