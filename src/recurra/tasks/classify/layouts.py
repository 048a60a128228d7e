"""From tables and archives to examples, each layout in its way."""

from __future__ import annotations

import re

import numpy as np
import polars as pl

from recurra.data import values
from recurra.data.archives import Archive
from recurra.data.columns import text_of
from recurra.data.frequency import Array
from recurra.data.groups import group_rows
from recurra.data.ragged import ends
from recurra.data.tables import Table, need_column
from recurra.data.times import parse_times
from recurra.errors import DataError
from recurra.tasks.classify.labels import one_each, read_labels
from recurra.tasks.classify.raw import Labels, Raw, Steps
from recurra.tasks.classify.roles import PARTS, Roles


def read_rows(table: Table, roles: Roles) -> Raw:
    """A text in each row."""
    texts = [table.frame[column].cast(pl.String).fill_null("") for column in roles.text]
    joined = texts[0] if len(texts) == 1 else pl.select(pl.concat_str(texts, separator="\n")).to_series()
    return _raw(table, roles, texts=joined.to_list())


def read_wide(table: Table, roles: Roles) -> Raw:
    """A sequence in each row; cells missing at its end make it shorter."""
    count = len(roles.channels)
    value = np.stack([table.numbers(column) for column in roles.steps], axis=1)
    value = value.reshape(len(value), count, -1).transpose(0, 2, 1)  # (N, T, C)
    known = ~np.isnan(value).all(axis=2)
    length = np.where(known.any(axis=1), value.shape[1] - np.argmax(known[:, ::-1], axis=1), 0)
    flat = value[np.arange(value.shape[1]) < length[:, None]]
    cells = {name: pl.Series(flat[:, at]) for at, (name, _) in enumerate(roles.channels)}
    return _raw(table, roles, steps=Steps(cells, ends(length)))


def read_long(table: Table, roles: Roles) -> Raw:
    """A step in each row, put in the order of time within each id."""
    names, group = group_rows(table, roles.ids)
    order = np.lexsort((np.arange(len(group)), _clock(table, roles), group))
    cells = {name: channel(table, name, kind).gather(order) for name, kind in roles.channels}
    labels = _labels(table, roles)
    first = np.full(len(names), len(group), dtype=np.int64)
    np.minimum.at(first, group, np.arange(len(group)))
    part = _parts(table, roles)
    notes = list(table.notes)
    if roles.time is not None and (np.diff(order) < 0).any() and _unsorted(order, group):
        notes.append(f"order: rows were not in the order of {roles.time}, sorted")
    return Raw(
        names,
        None,
        Steps(cells, ends(np.bincount(group, minlength=len(names)))),
        None if labels is None else one_each(table, labels, group, names),
        None if part is None else part[first],
        lambda message, n, column: table.error(message, int(first[n]), column),
        tuple(notes),
        table.sha256,
    )


def _unsorted(order: Array, group: Array) -> bool:
    """Whether rows of one sequence change places."""
    mine = group[order]
    return bool(((np.diff(order) < 0) & (np.diff(mine) == 0)).any())


def _clock(table: Table, roles: Roles) -> Array:
    """What orders the rows, (R,)."""
    if roles.time is None:
        return np.zeros(len(table.frame))
    if roles.time_form is None or roles.time_form == "step":
        value = table.numbers(roles.time)
    else:
        stamps = parse_times(table.frame[roles.time], table.problem(roles.time), roles.time_form)
        value = stamps.value
    gone = np.flatnonzero(np.isnan(value)) if value.dtype.kind == "f" else np.zeros(0, dtype=np.int64)
    if len(gone):
        raise table.error(
            "expected a time in every row, got none. Fill it in or remove the row.", int(gone[0]), roles.time
        )
    return np.asarray(value)


def channel(table: Table, name: str, kind: str) -> pl.Series:
    """A column as numbers with NaN, or as text with null, where missing. Raises DataError."""
    if kind == "numeric":
        return pl.Series(table.numbers(name))
    return text_of(table.frame[name])


def read_lists(table: Table, roles: Roles) -> Raw:
    """A sequence in each cell."""
    found: dict[str, pl.Series] = {}
    lengths: Array | None = None
    owner = {name: _owner(table, name) for name, _ in roles.channels}
    for column in dict.fromkeys(owner.values()):
        need_column(table, column)
        kinds: dict[str, str] = {name: kind for name, kind in roles.channels if owner[name] == column}
        cells = _as_lists(table, column)
        count = cells.list.len().fill_null(0).to_numpy().astype(np.int64)
        if lengths is not None and (count != lengths).any():
            row = int(np.flatnonzero(count != lengths)[0])
            raise table.error(
                f"expected lists of the same length in a row, got {count[row]} after {lengths[row]}. "
                "Give every channel a value for each step, null where it is missing.",
                row,
                column,
            )
        lengths = count
        found |= _flat(table, column, cells, count, kinds)
    assert lengths is not None
    return _raw(table, roles, steps=Steps({name: found[name] for name, _ in roles.channels}, ends(lengths)))


def _owner(table: Table, name: str) -> str:
    """The column that holds a channel: its own, or, as in "signal 3", that of lists of lists."""
    return name if name in table.frame.columns else re.sub(r" \d+$", "", name)


def _as_lists(table: Table, column: str) -> pl.Series:
    cells = table.frame[column]
    if isinstance(cells.dtype, pl.Array):
        cells = cells.arr.to_list()
    if not isinstance(cells.dtype, pl.List):
        raise table.error(f"expected lists, got {cells.dtype}. Write each sequence as a list.", None, column)
    return cells


def _flat(
    table: Table, column: str, cells: pl.Series, count: Array, kinds: dict[str, str]
) -> dict[str, pl.Series]:
    """The channels of one column of lists, all rows end to end."""
    flat = cells.filter(pl.Series(count > 0)).explode()
    if column in kinds:
        if kinds[column] == "categorical":
            return {column: text_of(flat.cast(pl.String))}
        return {column: _numbers(table, column, flat, count)}
    if isinstance(flat.dtype, pl.Array):
        flat = flat.arr.to_list()
    width = flat.list.len().fill_null(len(kinds)).to_numpy()
    odd = np.flatnonzero(width != len(kinds))
    if len(odd):
        raise table.error(
            f"expected {len(kinds)} values at each step, got {width[odd[0]]}. "
            "Give every step all channels, null where one is missing.",
            _row_of(int(odd[0]), count),
            column,
        )
    return {name: _numbers(table, column, flat.list.get(at), count) for at, name in enumerate(kinds)}


def _numbers(table: Table, column: str, flat: pl.Series, count: Array) -> pl.Series:
    value, bad = values.parse(flat)
    if len(bad):
        raise table.error(
            f"expected finite numbers, got {str(flat[int(bad[0])])!r}. "
            "Correct it, or write null if the value is missing.",
            _row_of(int(bad[0]), count),
            column,
        )
    return pl.Series(value)


def _row_of(step: int, count: Array) -> int:
    return int(np.searchsorted(np.cumsum(count), step, side="right"))


def read_archives(archive: Archive, part: int | None) -> Raw:
    """The cases of a .ts or .arff file."""
    value = archive.series.values
    endless = np.flatnonzero(np.isinf(value).any(axis=1))

    def problem(message: str, n: int, column: str | None) -> DataError:
        return DataError(message, file=archive.name, row=archive.lines[n], column=column)

    if len(endless):
        n = int(np.searchsorted(archive.series.offsets, endless[0], side="right")) - 1
        raise problem(
            "expected finite numbers, got an infinite one. Write ? if the value is missing.", n, None
        )
    labels = None
    if archive.labels is not None:
        labels = Labels([None if one is None else (one,) for one in archive.labels])
    cells = {name: pl.Series(value[:, at]) for at, name in enumerate(archive.channels)}
    return Raw(
        [str(n) for n in range(1, len(archive.lines) + 1)],
        None,
        Steps(cells, archive.series.offsets),
        labels,
        None if part is None else np.full(len(archive.lines), part, dtype=np.int8),
        problem,
        archive.notes,
        archive.sha256.hex(),
    )


def _raw(table: Table, roles: Roles, texts: list[str] | None = None, steps: Steps | None = None) -> Raw:
    """Examples of a table with one in each row."""
    count = len(table.frame)
    return Raw(
        _names(table, roles.ids) or [str(n) for n in range(table.before + 1, table.before + count + 1)],
        texts,
        steps,
        _labels(table, roles),
        _parts(table, roles),
        table.error,
        tuple(table.notes),
        table.sha256,
    )


def _names(table: Table, ids: tuple[str, ...]) -> list[str]:
    if not ids:
        return []
    keys = table.frame.select(pl.col(one).cast(pl.String).fill_null("") for one in ids)
    return ["/".join(key) for key in keys.rows()]


def _labels(table: Table, roles: Roles) -> Labels | None:
    there = [column for column in roles.label if column in table.frame.columns]
    return (
        read_labels(table, roles.label, roles.separator) if roles.label and there == [*roles.label] else None
    )


def _parts(table: Table, roles: Roles) -> Array | None:
    """What the split column says of each row, (R,) int8."""
    if roles.split is None:
        return None
    cells = text_of(table.frame[roles.split]).str.to_lowercase()
    odd = [row for row, cell in enumerate(cells.to_list()) if cell not in PARTS]
    if odd:
        raise table.error(
            f"expected train, valid or test, got {table.frame[roles.split][odd[0]]!r}. Correct the cell.",
            odd[0],
            roles.split,
        )
    return np.array([PARTS[cell] for cell in cells.to_list()], dtype=np.int8)
