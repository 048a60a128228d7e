"""Tables that name recordings, and what is said in each: CSV, TSV, Parquet, frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from recurra.data.audio import is_audio
from recurra.data.parts import NAMES
from recurra.data.tables import listed
from recurra.errors import DataError, row_word
from recurra.tasks.transcribe.cells import Cells, read_cells
from recurra.tasks.transcribe.schema import Columns

# What columns are called, the usual name first.
PATHS = ("path", "file", "filename", "file_name", "audio", "wav", "audio_path", "wav_filename", "recording")
TEXTS = ("text", "transcript", "transcription", "sentence", "transcripts", "transcriptions")
SPEAKERS = ("speaker", "client_id", "speaker_id")
SPLIT = "split"
# Folders beside a table in which recordings may lie, and endings that a table may leave out.
FOLDERS = ("", "clips", "wavs", "wav", "audio", "recordings")
LEFT_OUT = ("", ".wav", ".flac", ".mp3", ".ogg", ".opus")


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording, and what is known of it before it is heard.

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
    """Recordings that a table names, and what its columns are called; remarks: what had to be assumed."""

    clips: list[Clip]
    columns: Columns
    remarks: list[str]


def read_listed(source: Any, columns: Columns, later: bool = False, alone: bool = False) -> Listed:
    """The recordings that a file or a frame names. Raises DataError.

    columns: what the user calls them.  later: they may have the usual names instead.  alone: texts need not
    be there.
    """
    folder = Path(source).parent if isinstance(source, str | Path) else Path()
    cells = read_cells(source)
    cells, columns = _named(cells, columns, folder, later, alone)
    assert cells.names is not None
    places = {name: at for at, name in enumerate(cells.names)}
    wanted = (columns.path, columns.text, columns.speaker)
    at_path, at_text, at_speaker = (None if one is None else places.get(one) for one in wanted)
    assert at_path is not None
    at_split = next((at for name, at in places.items() if name.strip().lower() == SPLIT), None)
    clips = []
    for line, row in zip(cells.lines, cells.rows, strict=True):
        name = row[at_path].strip()
        if not name:
            raise DataError(
                "expected the path of a recording, got an empty cell. Fill it in, or take the row out.",
                file=cells.name,
                row=line,
                column=columns.path,
            )
        clips.append(
            Clip(
                _resolved(folder, name),
                name,
                None if at_text is None else row[at_text],
                None if at_speaker is None else row[at_speaker].strip(),
                f"{name} ({cells.name}, {row_word(cells.name)} {line})",
                None if at_split is None else _part(row[at_split], cells.name, line),
            )
        )
    return Listed(clips, columns, cells.notes)


def _part(cell: str, name: str, line: int) -> str:
    if cell.strip().lower() not in NAMES:
        raise DataError(
            f"expected train, valid or test, got {cell!r}. Correct the cell.",
            file=name,
            row=line,
            column=SPLIT,
        )
    return NAMES[cell.strip().lower()]


def _resolved(folder: Path, name: str) -> Path:
    """Where a recording lies that a table names; where it should lie if it is nowhere."""
    plain = Path(name.replace("\\", "/"))
    endings = LEFT_OUT if not is_audio(plain) else LEFT_OUT[:1]
    for inside in FOLDERS:
        for ending in endings:
            path = folder / inside / f"{plain}{ending}"
            if path.is_file():
                return path
    return folder / plain


def _named(cells: Cells, wanted: Columns, folder: Path, later: bool, alone: bool) -> tuple[Cells, Columns]:
    """A table with the names of its columns, and which of them are meant. Raises DataError."""
    names = cells.names
    if names is None:
        first = [cell.strip() for cell in cells.rows[0]]
        own = {one for one in (wanted.path, wanted.text, wanted.speaker) if one is not None}
        header = own & {*first} or {cell.lower() for cell in first} & {*PATHS}
        at = next((at for at, cell in enumerate(first) if _is_path(folder, cell)), None)
        if not header and at is not None:
            return _without_header(cells, at, alone)
        cells = replace(cells, names=first, rows=cells.rows[1:], lines=cells.lines[1:])
        names = first
        if not cells.rows:
            raise DataError(
                f"expected rows below the header of {len(first)} columns, got none. Give a file with rows.",
                file=cells.name,
                row=1,
            )
    found = {}
    for option, usual, what, need in (
        ("path", PATHS, "paths of recordings", True),
        ("text", TEXTS, "what is said", not alone),
        ("speaker", SPEAKERS, "who speaks", wanted.speaker is not None and not later),
    ):
        own = getattr(wanted, option)
        found[option] = _find(names, own, usual if own is None or later else ())
        if found[option] is None and need:
            raise DataError(
                f"expected a column of {what}, called {own or _or(usual[:4])}, got {listed(list(names))}. "
                f"Name it with {option}.",
                file=cells.name,
            )
    return cells, Columns(**found)


def _find(names: Sequence[str], wanted: str | None, usual: Sequence[str]) -> str | None:
    """The column that is meant."""
    lower = {name.strip().lower(): name for name in reversed(names)}
    return wanted if wanted in names else next((lower[one] for one in usual if one in lower), None)


def _or(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _is_path(folder: Path, cell: str) -> bool:
    plain = Path(cell.replace("\\", "/"))
    return bool(cell) and (is_audio(plain) or (len(cell) < 1000 and _resolved(folder, cell).is_file()))


def _without_header(cells: Cells, at: int, alone: bool) -> tuple[Cells, Columns]:
    """A table whose first row names a recording in column `at`; the column after it has the text."""
    width = len(cells.rows[0])
    other = next((one for one in (at + 1, 0) if one < width and one != at), None)
    if other is None and not alone:
        raise DataError(
            "expected the path of a recording and its text, got one column. Add the texts.",
            file=cells.name,
            row=cells.lines[0],
        )
    names = [f"column {n}" for n in range(1, width + 1)]
    text = None if other is None else names[other]
    notes = list(cells.notes)
    if width > 2:
        notes.append(
            f"columns: {width} without names, of which {names[at]} and {text} are read ({cells.name})"
        )
    return replace(cells, names=names, notes=notes), Columns(path=names[at], text=text)
