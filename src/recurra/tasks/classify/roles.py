"""Which column is the label, and what makes up the sequences: text, or steps in columns, rows or cells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from recurra.data import values
from recurra.data.columns import text_of
from recurra.data.groups import group_rows
from recurra.data.tables import Table, listed, need_column
from recurra.data.times import is_time, parse_times
from recurra.errors import ConfigError, DataError
from recurra.tasks.classify.labels import label_text
from recurra.tasks.classify.wide import channels_of, step_columns

if TYPE_CHECKING:
    from recurra.tasks.classify.config import ClassifyConfig
    from recurra.tasks.classify.schema import Layout, Schema

# A clearer name comes first: y may be a coordinate where there is a label.
LABEL_NAMES = (("label",), ("class", "target"), ("category", "sentiment"), ("y",))
SPLIT_NAMES = ("split", "set", "subset", "partition", "part", "fold")
PARTS = {
    "train": 0, "training": 0, "valid": 1, "validation": 1, "val": 1, "dev": 1, "test": 2, "testing": 2,
}  # fmt: skip
ID_NAMES = (
    "id", "uid", "uuid", "key", "index", "row", "idx", "series", "sequence", "subject", "session", "case",
    "sample", "trial", "unnamed: 0", "rownames", "column_1",
)  # fmt: skip
TIME_NAMES = (
    "time", "timestamp", "datetime", "date", "t", "step", "frame", "tick", "position", "index", "seconds",
)  # fmt: skip
# Cells of more letters than these on average are text rather than names of categories.
LONG_CELLS = 20
# Of a table without names: labels take no more different values than this.
MOST_CLASSES = 100
# Rows per id from which a row is a step.
CROWDED = 1.5

Kind = Literal["numeric", "categorical"]


@dataclass(frozen=True, slots=True)
class Roles:
    """The part that each column plays.

    channels: names and kinds, for layouts other than rows.  notes: what was found, one line each.
    """

    layout: Layout
    label: tuple[str, ...]
    separator: str | None = None
    text: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    time: str | None = None
    time_form: str | None = None
    channels: tuple[tuple[str, Kind], ...] = ()
    steps: tuple[str, ...] = ()
    split: str | None = None
    notes: list[str] = field(default_factory=list)

    @staticmethod
    def of(schema: Schema) -> Roles:
        """Those that training found."""
        return Roles(
            schema.layout,
            schema.label,
            schema.separator,
            schema.text,
            schema.ids,
            schema.time,
            schema.time_form,
            tuple((channel.name, channel.kind) for channel in schema.channels),
            schema.steps,
        )


def find_roles(table: Table, config: ClassifyConfig) -> Roles:
    """The roles that the user names, and those of other columns by name and content. Raises DataError."""
    named = (*(config.label or ()), *(config.text or ()), *(config.id or ()), *(config.channels or ()))
    single = [one for one in (config.time, config.split) if one is not None]
    for column in (*named, *single):
        need_column(table, column)
    for column in (*named, *single):
        if [*named, *single].count(column) > 1:
            raise ConfigError(f"expected one role for the column {column!r}, got two. Name it once.")
    split = config.split or _find_split(table, named)
    label = config.label or _find_label(table, {*named, *single, split})
    taken = {*label, split}
    free = [one for one in table.frame.columns if one not in taken and not values.is_empty(table.frame[one])]
    roles = _find_sequences(table, config, label, free)
    used: set[str | None] = {
        *taken,
        *roles.text,
        *roles.ids,
        roles.time,
        *roles.steps,
        *(name for name, _ in roles.channels),
    }
    if roles.layout == "lists":
        used |= set(_lists(table.frame, config, free))
    left = [one for one in table.frame.columns if one not in used]
    notes = [f"left out: {listed(left)}"] if left else []
    return Roles(
        roles.layout, label, config.label_separator, roles.text, roles.ids, roles.time, roles.time_form,
        roles.channels, roles.steps, split, notes,
    )  # fmt: skip


def _find_split(table: Table, named: tuple[str, ...]) -> str | None:
    """A column whose name and cells say train, valid or test."""
    for column in table.frame.columns:
        if column.lower() in SPLIT_NAMES and column not in named:
            said = set(text_of(table.frame[column]).str.to_lowercase().drop_nulls().unique().to_list())
            if len(said) > 1 and said <= PARTS.keys():
                return column
    return None


def _find_label(table: Table, taken: set[str | None]) -> tuple[str, ...]:
    """The column with a telling name; else, of columns without names, the one with the classes."""
    frame = table.frame
    free = [one for one in frame.columns if one not in taken]
    ranked = ([one for one in free if one.strip().lower() in names] for names in LABEL_NAMES)
    hinted = next((some for some in ranked if some), [])
    if len(hinted) == 1:
        return (hinted[0],)
    if not hinted:
        found = _label_among_two(frame, free) or _label_first(frame, free)
        if found is not None:
            return (found,)
    told = f"{listed(hinted)}, which all may be" if hinted else listed(free)
    raise DataError(f"expected a column with the class, got {told}. Name it with label.", file=table.name)


def _label_among_two(frame: pl.DataFrame, free: list[str]) -> str | None:
    """Of a text and another column, the one with few different cells."""
    if len(free) != 2:
        return None
    kinds = sorted(free, key=lambda one: frame[one].n_unique())
    few, many = (frame[one] for one in kinds)
    if few.n_unique() > min(MOST_CLASSES, len(few) / 2) or few.n_unique() == many.n_unique():
        return None
    return few.name if many.dtype == pl.String and not values.is_number(many) else None


def _label_first(frame: pl.DataFrame, free: list[str]) -> str | None:
    """A first column of few whole numbers or words before many figures, none with a name: UCR's form."""
    if len(free) < 3 or not all(one == f"column_{at}" for at, one in enumerate(free, 1)):
        return None
    first = label_text(frame[free[0]])
    whole = bool(first.drop_nulls().str.contains(r"^[+-]?\d+$|^\D+$").all())
    few = first.n_unique() <= min(MOST_CLASSES, len(first) / 2)
    return free[0] if whole and few and all(values.is_number(frame[one]) for one in free[1:]) else None


def _find_sequences(table: Table, config: ClassifyConfig, label: tuple[str, ...], free: list[str]) -> Roles:
    frame = table.frame
    if config.text is not None:
        return Roles("rows", label, text=config.text, ids=config.id or ())
    lists = _lists(frame, config, free)
    if lists:
        return Roles("lists", label, ids=config.id or (), channels=_list_channels(table, lists))
    texts = _texts(frame, free)
    ids = config.id if config.id is not None else _find_ids(table, label, free, texts)
    if ids and _recur(frame, ids):
        return _long(table, config, label, ids, [one for one in free if one not in ids])
    if config.channels is None and texts:
        return Roles("rows", label, text=(texts[0],), ids=config.id or ())
    beside = {*ids, config.time, *(one for one in free if _is_id(one) and one != "column_1")}
    steps = step_columns(frame, config.channels, [one for one in free if one not in beside])
    if len(steps) < 2:
        raise DataError(
            f"expected a column of text, two or more columns of numbers, or an id column with several rows "
            f"for each, got {listed(free) or 'none'} beside the label. Name them with text, channels or id.",
            file=table.name,
        )
    channels, steps = channels_of(steps)
    return Roles("wide", label, ids=ids, channels=tuple((one, "numeric") for one in channels), steps=steps)


def _lists(frame: pl.DataFrame, config: ClassifyConfig, free: list[str]) -> list[str]:
    """Columns whose cells are lists."""
    return [one for one in config.channels or free if isinstance(frame[one].dtype, pl.List | pl.Array)]


def _texts(frame: pl.DataFrame, free: list[str]) -> list[str]:
    """Columns of text, the one with the longest cells first."""
    length = {
        one: float(frame[one].str.len_chars().mean() or 0.0)  # type: ignore[arg-type]
        for one in free
        if frame[one].dtype == pl.String and not values.is_number(frame[one]) and not is_time(frame[one])
    }
    ordered = sorted(length, key=lambda one: -length[one])
    # An id of letters is no text where there is another one.
    return [one for one in ordered if not _is_id(one)] or ordered


def _is_id(column: str) -> bool:
    lower = column.strip().lower()
    return lower in ID_NAMES or lower.endswith(("_id", " id", "-id"))


def _recur(frame: pl.DataFrame, ids: tuple[str, ...]) -> bool:
    return frame.select(ids).n_unique() * CROWDED <= len(frame)


def _find_ids(table: Table, label: tuple[str, ...], free: list[str], texts: list[str]) -> tuple[str, ...]:
    """A column with the name of an id: one that recurs with the same label, or that never does."""
    frame = table.frame
    if texts:
        cells = frame[texts[0]]
        if (cells.str.len_chars().mean() or 0) >= LONG_CELLS and 2 * cells.n_unique() > len(cells):  # type: ignore[operator]
            return ()
    hinted = [one for one in free if _is_id(one)]
    for column in hinted:
        pairs = frame.select(column, *label).drop_nulls().unique()
        if _recur(frame, (column,)) and pairs[column].n_unique() == len(pairs):
            return (column,)
    return tuple(one for one in hinted if frame[one].n_unique() == len(frame))[:1]


def _long(
    table: Table, config: ClassifyConfig, label: tuple[str, ...], ids: tuple[str, ...], free: list[str]
) -> Roles:
    """A row for each step."""
    frame = table.frame
    time = config.time or _find_time(table, ids, [one for one in free if one not in (config.channels or ())])
    form = None
    if time is not None and not values.is_number(frame[time]):
        form = parse_times(frame[time], table.problem(time)).form
    names = config.channels or tuple(one for one in free if one != time)
    if not names:
        raise DataError(
            f"expected columns to read at each step, got none beside {listed([*ids, *label])}. Add some.",
            file=table.name,
        )
    kinds = tuple((one, _kind(frame[one])) for one in names)
    return Roles("long", label, ids=ids, time=time, time_form=form, channels=kinds)


def _kind(cells: pl.Series) -> Kind:
    return "numeric" if values.is_number(cells) else "categorical"


def _find_time(table: Table, ids: tuple[str, ...], free: list[str]) -> str | None:
    """A column of time stamps, or of numbers with the name of a time that rise within each sequence."""
    frame = table.frame
    stamped = [one for one in free if is_time(frame[one])]
    if stamped:
        return stamped[0]
    group = group_rows(table, ids)[1]
    for column in free:
        if column.strip().lower() in TIME_NAMES and values.is_number(frame[column]):
            value, bad = values.parse(frame[column])
            pairs = np.stack([group.astype(np.float64), value], axis=1)
            if not len(bad) and not np.isnan(value).any() and len(np.unique(pairs, axis=0)) == len(pairs):
                return column
    return None


def _list_channels(table: Table, lists: list[str]) -> tuple[tuple[str, Kind], ...]:
    """Names and kinds of what lies in cells of lists; lists of lists are a channel for each inner place."""
    channels: list[tuple[str, Kind]] = []
    for column in lists:
        inner = table.frame[column].dtype.inner  # type: ignore[attr-defined]
        if isinstance(inner, pl.List | pl.Array):
            width = max(table.frame[column].explode().drop_nulls().list.len().to_list(), default=0)
            channels += [(f"{column} {at}", "numeric") for at in range(1, width + 1)]
        else:
            channels.append((column, "categorical" if inner == pl.String else "numeric"))
    return tuple(channels)
