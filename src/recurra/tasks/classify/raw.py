"""Examples as they were read, before anything is learnt from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from recurra.data.frequency import Array
from recurra.data.ragged import ends
from recurra.errors import DataError

# Number of an example and a column, to the error at its place.
Problem = Callable[[str, int, str | None], DataError]
TRAIN, VALID, TEST = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Labels:
    """What the examples are said to be.

    sets: the classes of each example, one unless several may hold; None where nothing is said.
    marks: (N, K) float32 of 0, 1 and NaN where labels are columns, named in `columns`.
    """

    sets: list[tuple[str, ...] | None]
    several: bool = False
    columns: tuple[str, ...] = ()
    marks: Array | None = None


@dataclass(frozen=True, slots=True)
class Steps:
    """Channels over time, all examples end to end.

    cells: for each channel (S,) numbers (NaN where missing) or text (null where missing).
    offsets: (N + 1,) int64.
    """

    cells: dict[str, pl.Series]
    offsets: Array

    def take(self, which: Array) -> Steps:
        """Some of the examples."""
        lengths = np.diff(self.offsets)[which]
        offsets = ends(lengths)
        at = np.arange(int(offsets[-1])) + np.repeat(self.offsets[:-1][which] - offsets[:-1], lengths)
        return Steps({name: cells.gather(at) for name, cells in self.cells.items()}, offsets)


@dataclass(frozen=True, slots=True)
class Raw:
    """N examples: texts, or channels over time.

    part: (N,) int8, TRAIN, VALID or TEST where files or a column say so.
    """

    names: list[str]
    texts: list[str] | None
    steps: Steps | None
    labels: Labels | None
    part: Array | None
    problem: Problem
    notes: tuple[str, ...]
    sha256: str

    def __len__(self) -> int:
        return len(self.names)

    @property
    def empty(self) -> int:
        """How many of the texts, or sequences, have nothing in them."""
        if self.texts is not None:
            return sum(not text.strip() for text in self.texts)
        return int((np.diff(self.steps.offsets) == 0).sum()) if self.steps is not None else 0


def joined(raws: Sequence[Raw], parts: Sequence[int | None]) -> Raw:
    """Examples of several sources one after another; `parts` says what those of each are for."""
    if len(raws) == 1 and parts[0] is None:
        return raws[0]
    counts = [len(raw) for raw in raws]
    first = raws[0]
    part = [
        raw.part
        if raw.part is not None and given is None
        else np.full(len(raw), given or TRAIN, dtype=np.int8)
        for raw, given in zip(raws, parts, strict=True)
    ]
    begin = np.concatenate([[0], np.cumsum(counts)])

    def problem(message: str, n: int, column: str | None) -> DataError:
        which = int(np.searchsorted(begin, n, side="right")) - 1
        return raws[which].problem(message, n - int(begin[which]), column)

    notes = [note for raw in raws for note in raw.notes]
    return replace(
        first,
        names=[name for raw in raws for name in raw.names],
        texts=None if first.texts is None else [text for raw in raws for text in raw.texts or ()],
        steps=_joined_steps([raw.steps for raw in raws if raw.steps is not None]),
        labels=_joined_labels([raw.labels for raw in raws], counts),
        part=np.concatenate(part),
        problem=problem,
        notes=tuple(dict.fromkeys(notes)),
        sha256="+".join(raw.sha256 for raw in raws),
    )


def _joined_steps(steps: list[Steps]) -> Steps | None:
    if not steps:
        return None
    cells = {name: pl.concat([one.cells[name] for one in steps]) for name in steps[0].cells}
    return Steps(cells, ends(np.concatenate([np.diff(one.offsets) for one in steps])))


def _joined_labels(labels: list[Labels | None], counts: list[int]) -> Labels | None:
    known = next((one for one in labels if one is not None), None)
    if known is None:
        return None
    sets: list[tuple[str, ...] | None] = []
    for one, count in zip(labels, counts, strict=True):
        sets += [None] * count if one is None else one.sets
    marks = None
    if known.marks is not None:
        width = known.marks.shape[1]
        gone = [np.full((count, width), np.nan, dtype=np.float32) for count in counts]
        marks = np.concatenate(
            [
                none if one is None or one.marks is None else one.marks
                for one, none in zip(labels, gone, strict=True)
            ]
        )
    return replace(known, sets=sets, marks=marks)
