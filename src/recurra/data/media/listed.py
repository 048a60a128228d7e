"""Tables that name files, and the texts of each: CSV, TSV, Parquet, frames."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from recurra.data.media.cells import Cells
from recurra.data.media.medium import Medium
from recurra.data.media.places import Places, is_there
from recurra.data.parts import NAMES
from recurra.data.tables import listed
from recurra.errors import DataError

SPLIT = "split"


@dataclass(frozen=True, slots=True)
class Names:
    """What the user calls the columns of tables; None for the usual names."""

    path: str | None = None
    text: str | None = None
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Clip:
    """A file (a recording, a picture), and what is known of it before it is read.

    path: where it should be.  name: what the user's files call it.  text: None where there is none.
    place: where it is named, for errors.  part: "train", "valid" or "test", where a table says so.
    """

    path: Path
    name: str
    text: str | None
    speaker: str | None = None
    place: str = ""
    part: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """Files that a table names, one for each text; remarks: what had to be assumed."""

    clips: list[Clip]
    remarks: list[str]


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which columns are meant, by their numbers."""

    path: int
    texts: tuple[int, ...]
    speaker: int | None = None
    split: int | None = None


def read_listed(cells: Cells, wanted: Names, places: Places, later: bool, alone: bool) -> Listed:
    """The files that a table names. Raises DataError.

    wanted: what columns are called.  later: they may have the usual names instead.  alone: texts need not
    be there.
    """
    medium = places.medium
    cells, at = _named(cells, wanted, places, later, alone)
    assert cells.names is not None
    clips = []
    for line, row in zip(cells.lines, cells.rows, strict=True):
        name = medium.name(row[at.path])
        if not name:
            raise DataError(
                f"expected the path of a {medium.one}, got an empty cell. Fill it in, or take the row out.",
                file=cells.name,
                row=line,
                column=cells.names[at.path],
            )
        path, place = places.find(name), f"{name} ({cells.place(line)})"
        speaker = None if at.speaker is None else row[at.speaker].strip()
        part = None if at.split is None else _part(row[at.split], cells.name, line)
        texts: list[str | None] = [*medium.texts_in([row[one] for one in at.texts])]
        clips += [Clip(path, name, text, speaker, place, part) for text in texts or [None]]
    return Listed(clips, cells.notes)


def _part(cell: str, name: str, line: int) -> str:
    if cell.strip().lower() not in NAMES:
        raise DataError(
            f"expected train, valid or test, got {cell!r}. Correct the cell.",
            file=name,
            row=line,
            column=SPLIT,
        )
    return NAMES[cell.strip().lower()]


def _named(cells: Cells, wanted: Names, places: Places, later: bool, alone: bool) -> tuple[Cells, _Columns]:
    """A table with the names of its columns, and which of them are meant. Raises DataError."""
    names, medium = cells.names, places.medium
    if names is None:
        first = [cell.strip() for cell in cells.rows[0]]
        own = {one for one in (wanted.path, wanted.text, wanted.speaker) if one is not None}
        header = own & {*first} or {cell.lower() for cell in first} & {*medium.paths}
        at = next((at for at, cell in enumerate(first) if _is_path(places, cell)), None)
        if not header and at is not None:
            return _without_header(cells, at, medium, alone)
        cells = replace(cells, names=first, rows=cells.rows[1:], lines=cells.lines[1:])
        names = first
        if not cells.rows:
            raise DataError(
                f"expected rows below the header of {len(first)} columns, got none. Give a file with rows.",
                file=cells.name,
                row=1,
            )
    found: dict[str, tuple[int, ...]] = {}
    for option, usual, what, need in (
        ("path", medium.paths, f"paths of {medium.many}", True),
        ("text", medium.texts, medium.said, not alone),
        ("speaker", medium.speakers, "who speaks", wanted.speaker is not None and not later),
    ):
        own_name = getattr(wanted, option)
        several = medium.several and option == "text"
        found[option] = _find(names, own_name, usual if own_name is None or later else (), several)
        if not found[option] and need:
            raise DataError(
                f"expected a column of {what}, called {own_name or _or(usual[:4])}, got "
                f"{listed(list(names))}. Name it with {option}.",
                file=cells.name,
            )
    split = next((at for at, name in enumerate(names) if name.strip().lower() == SPLIT), None)
    speaker = next(iter(found["speaker"]), None)
    return cells, _Columns(found["path"][0], found["text"], speaker, split)


def _find(names: Sequence[str], wanted: str | None, usual: Sequence[str], several: bool) -> tuple[int, ...]:
    """The columns that are meant: one, or `several` of a name that differ in a number at the end."""
    lower = [name.strip().lower() for name in names]
    if wanted is not None and wanted in names:
        return (names.index(wanted),)
    if several and wanted is not None:
        usual = (wanted.lower(), *usual)
    for one in usual:
        same = re.compile(rf"{re.escape(one)}[ _-]?\d*" if several else re.escape(one))
        found = tuple(at for at, name in enumerate(lower) if same.fullmatch(name))
        if found:
            return found if several else found[:1]
    return ()


def _or(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _is_path(places: Places, cell: str) -> bool:
    name = places.medium.name(cell)
    plain = Path(name.replace("\\", "/"))
    return bool(name) and (places.medium.is_it(plain) or is_there(places.find(name)))


def _without_header(cells: Cells, at: int, medium: Medium, alone: bool) -> tuple[Cells, _Columns]:
    """A table whose first row names a file in column `at`; the columns after it have the texts."""
    first = cells.rows[0]
    # A number counts the texts of a file.
    texts = [
        one for one in range(at + 1, len(first)) if not (medium.several and first[one].strip().isdigit())
    ]
    texts = (texts if medium.several else texts[:1]) or [0] * (at > 0)
    if not texts and not alone:
        raise DataError(
            f"expected the path of a {medium.one} and its {medium.text}, got one column. Add the "
            f"{medium.text}s.",
            file=cells.name,
            row=cells.lines[0],
        )
    names = [f"column {n}" for n in range(1, len(first) + 1)]
    notes = list(cells.notes)
    if len(first) > 2:
        read = " and ".join(names[one] for one in (at, *texts))
        notes.append(f"columns: {len(first)} without names, of which {read} are read ({cells.name})")
    return replace(cells, names=names, notes=notes), _Columns(at, tuple(texts))
