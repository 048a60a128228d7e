"""Plain text files: a text a line, and folders whose files or folders are classes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from recurra.data.delimited import decode
from recurra.data.files import Part, content
from recurra.data.tables import Table
from recurra.errors import DataError

# Columns of the table that a folder is read as.
TEXT, LABEL, PART = "text", "label", "part"
# Files beside the data that are about it.
ABOUT = (".md", ".rst", ".json", ".html", ".pdf", ".py")
PARTS = ("train", "valid", "test")


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of one file that are not blank.  numbers: as an editor counts them."""

    name: str
    texts: list[str]
    numbers: list[int]
    notes: tuple[str, ...]
    sha256: bytes


def read_lines(path: Path, whole: bool = False) -> Lines:
    """A text for each line, or the whole file as one text. Raises DataError."""
    return _lines(path.name, content(path), whole)


def _lines(name: str, raw: bytes, whole: bool = False, before: int = 0) -> Lines:
    """Of what a file holds, or of whole lines of it after so many others."""
    text, notes = decode(raw, name)
    decoded = text.decode()
    lines = [decoded] if whole else decoded.split("\n")
    kept = [(one.strip(), number) for number, one in enumerate(lines, 1 + before) if one.strip()]
    texts, numbers = [one for one, _ in kept], [number for _, number in kept]
    return Lines(name, texts, numbers, tuple(notes), hashlib.sha256(raw).digest())


def lines_in(name: str, raw: bytes, column: str, before: int) -> Table:
    """Lines of a text file, the first of which comes after so many others, as one column of texts."""
    table = _table([(_lines(name, raw, before=before), None, None)])
    return Table(table.frame.rename({TEXT: column}), table.parts, table.notes, table.sha256)


def lines_table(paths: list[Path]) -> Table:
    """Lines of files as a table with one column of texts."""
    return _table([(read_lines(path), None, None) for path in paths])


def folder_table(folder: Path) -> Table:
    """Texts of a folder by class, from the names: a file a class with a text a line, or a folder a class.

    Folders called train, valid and test hold either. Raises DataError where there are no two classes.
    """
    inside = {part: folder / part for part in PARTS if (folder / part).is_dir()}
    read: list[tuple[Lines, str | None, str | None]] = []
    for part, where in (inside if "train" in inside else {None: folder}).items():
        read += [(lines, label, part) for label, lines in _classes(where)]
    if len({label for _, label, _ in read}) < 2:
        raise DataError(
            f"expected a folder with a file or a folder for each class, got {len(read)} text files in "
            f"{str(folder)!r}. Name a table, or a folder with pos.txt and neg.txt and the like."
        )
    return _table(read)


def _classes(folder: Path) -> list[tuple[str, Lines]]:
    """Class and lines of each file."""
    folders = sorted(one for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))
    documents = [(one.name, path) for one in folders for path in sorted(one.glob("*.txt"))]
    if documents:
        return [(label, read_lines(path, whole=True)) for label, path in documents]
    files = [one for one in sorted(folder.iterdir()) if one.is_file() and not one.name.startswith(".")]
    named = [one for one in files if one.suffix == ".txt" and one.stem.lower() != "readme"]
    # reviews.pos and reviews.neg: the ending is the class.
    others = [
        one for one in files if one.suffix not in ABOUT and one.stem.lower() not in ("readme", "license")
    ]
    alike = len({one.stem for one in others}) == 1 and len(others) > 1
    if alike and len(named) < 2:
        return [(one.suffix[1:], read_lines(one)) for one in others]
    return [(one.stem, read_lines(one)) for one in named]


def _table(read: list[tuple[Lines, str | None, str | None]]) -> Table:
    texts = [text for lines, _, _ in read for text in lines.texts]
    columns = {TEXT: pl.Series(texts, dtype=pl.String)}
    for name, at in ((LABEL, 1), (PART, 2)):
        if read and read[0][at] is not None:
            columns[name] = pl.Series([one[at] for one in read for _ in one[0].texts], dtype=pl.String)
    if not texts:
        raise DataError("expected a text in some line, got none. Give a file with texts.")
    digest, notes = hashlib.sha256(), []
    for lines, label, part in read:
        digest.update(f"{label}\0{part}\0".encode() + lines.sha256)
        notes += [note for note in lines.notes if note not in notes]
    parts = tuple(Part(lines.name, len(lines.texts), _numbered(lines)) for lines, _, _ in read)
    return Table(pl.DataFrame(columns), parts, tuple(notes), digest.hexdigest())


def _numbered(lines: Lines) -> Callable[[int], int]:
    return lines.numbers.__getitem__
