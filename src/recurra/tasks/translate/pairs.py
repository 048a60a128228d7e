"""Pairs of texts: from two files of lines, from lines with a tab between, or from two columns of a table."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from recurra.data import textlines
from recurra.data.corpus import TextFile
from recurra.data.frequency import Array
from recurra.data.tables import Table, listed, need_column
from recurra.errors import DataError

# Name of a target that is not there: no table has a column that is called so.
_NO_COLUMN = "\0"
# What the columns of files with tabs are called where there is a header.
HEADERS = frozenset(
    [
        "source",
        "target",
        "src",
        "tgt",
        "trg",
        "input",
        "output",
        "from",
        "to",
        "text",
        "translation",
        "sentence1",
        "sentence2",
        "original",
        "english",
        "german",
        "french",
        "spanish",
        "italian",
        "czech",
        "dutch",
        "portuguese",
        "russian",
        "chinese",
        "japanese",
        "en",
        "de",
        "fr",
        "es",
        "it",
        "cs",
        "nl",
        "pt",
        "ru",
        "zh",
        "ja",
        "pl",
        "sv",
        "da",
        "fi",
        "no",
        "tr",
        "ar",
        "he",
        "hi",
        "ko",
    ]
)


@dataclass(frozen=True)
class Pairs:
    """Texts of one part in the order of their files, and where each stands.

    target: None where there are none.  lines: (N,) the number of each in its file, from 1.  files: names of
    the files, and of (N,) which one each is from.
    """

    source: list[str]
    target: list[str] | None
    lines: Array
    files: tuple[str, ...]
    which: Array
    sha256: bytes

    def __len__(self) -> int:
        return len(self.source)

    def take(self, rows: Array) -> Pairs:
        """Some of them."""
        target = None if self.target is None else [self.target[n] for n in rows]
        return Pairs(
            [self.source[n] for n in rows],
            target,
            self.lines[rows],
            self.files,
            self.which[rows],
            self.sha256,
        )

    def where(self, row: int) -> tuple[str, int]:
        """File and line of one."""
        return self.files[int(self.which[row])], int(self.lines[row])


def joined(parts: Sequence[Pairs]) -> Pairs:
    """Several as one."""
    if len(parts) == 1:
        return parts[0]
    target: list[str] | None = []
    for part in parts:
        target = None if target is None or part.target is None else target + part.target
    offsets = np.cumsum([0, *(len(part.files) for part in parts)])[:-1]
    return Pairs(
        [text for part in parts for text in part.source],
        target,
        np.concatenate([part.lines for part in parts]),
        tuple(name for part in parts for name in part.files),
        np.concatenate([part.which + at for part, at in zip(parts, offsets, strict=True)]),
        hashlib.sha256(b"".join(part.sha256 for part in parts)).digest(),
    )


def side_by_side(source: Path, target: Path | None) -> Pairs:
    """Two files, whose lines belong together; or the source's lines alone. Raises DataError."""
    texts, file = read_lines(source)
    if target is None:
        return _pairs(texts, None, file.name, file.sha256)
    others, other = read_lines(target)
    if len(texts) != len(others):
        shorter, longer = sorted([(len(texts), file.name), (len(others), other.name)])
        raise DataError(
            f"expected a line for each line of {longer[1]}, which has {longer[0]:,}, got {shorter[0]:,}. "
            "Give files whose lines belong together.",
            file=shorter[1],
            row=shorter[0] + 1,
        )
    name = f"{file.name} and {other.name}"
    return _pairs(texts, others, name, hashlib.sha256(file.sha256 + other.sha256).digest())


def read_lines(path: Path) -> tuple[list[str], TextFile]:
    """The lines of a text file. Raises DataError where many are damaged, or there is none."""
    _check_path(path)
    file = textlines.checked(path)
    return list(textlines.lines_of(file)), file


def has_tabs(path: Path) -> bool:
    """Whether the first line of a text file has a tab in it."""
    _check_path(path)
    return textlines.has_tabs(path)


def tab_separated(
    path: Path,
    columns: tuple[str, str] | None,
    known: tuple[str, str] | None = None,
    alone: bool = False,
) -> tuple[Pairs, tuple[str, str], list[str]]:
    """A file whose lines have both texts with a tab between, their names, and what had to be assumed.

    columns: names or numbers of the source and the target; by default those that are called as in `known`,
    else the first two.  alone: lines without a target will do. Raises DataError.
    """
    lines, file = read_lines(path)
    first = lines[0].split("\t")
    if columns is None and known is not None and {*known} <= {cell.strip() for cell in first}:
        columns = known
    header = _has_header(first, columns)
    places = _places(first, columns, path.name, header)
    need = 1 + (places[0] if alone else max(*places))
    source, target, numbers = [], [], []
    for number, line in enumerate(lines[header:], 1 + header):
        if not line.strip():
            continue
        cells = line.split("\t")
        if len(cells) < need:
            raise DataError(
                f"expected at least {need} texts with a tab between, got {len(cells)}. "
                "Correct the line, or take it out.",
                file=path.name,
                row=number,
            )
        source.append(cells[places[0]])
        target.append(cells[places[1]] if places[1] < len(cells) else "")
        numbers.append(number)
    if not source:
        raise DataError("expected lines below the header, got none. Give a file with pairs.", file=path.name)
    names = (first[places[0]].strip(), first[places[1]].strip()) if header else ("source", "target")
    remarks = []
    if len(first) > 2 and columns is None:
        taken = f"{names[0]} and {names[1]}" if header else "the first two"
        remarks.append(f"columns: {len(first)}, of which {taken} are read ({path.name})")
    pairs = _pairs(source, target, file.name, file.sha256, np.array(numbers))
    return pairs, names, remarks


def _has_header(first: list[str], columns: tuple[str, str] | None) -> int:
    """How many lines of the file, 0 or 1, name its columns."""
    if columns is not None and not all(one.isdigit() for one in columns):
        return 1
    cells = [cell.strip().lower() for cell in first]
    return int(len(set(cells)) == len(cells) and sum(cell in HEADERS for cell in cells) > 1)


def _places(first: list[str], columns: tuple[str, str] | None, name: str, header: int) -> tuple[int, int]:
    """Where the source and the target stand in a line."""
    if columns is None:
        if len(first) < 2:
            raise DataError(
                "expected two texts with a tab between, got one. Name two files of lines, or columns.",
                file=name,
                row=1,
            )
        return 0, 1
    found = []
    cells = [cell.strip() for cell in first]
    for one in columns:
        if header and one in cells:
            found.append(cells.index(one))
        elif one.isdigit() and 1 <= int(one) <= len(cells):
            found.append(int(one) - 1)
        else:
            had = listed(cells) if header else f"{len(cells)} columns"
            raise DataError(f"expected the column {one!r}, got {had}. Name one of these.", file=name, row=1)
    return found[0], found[1]


def from_table(table: Table, columns: tuple[str, str] | None, alone: bool) -> tuple[Pairs, tuple[str, str]]:
    """Two columns of a table. alone: whether the first may be there without the second. Raises DataError."""
    frame = table.frame
    if columns is None:
        texts = [name for name, dtype in frame.schema.items() if dtype == pl.String]
        texts += [_NO_COLUMN] * (alone and len(texts) == 1)
        if len(texts) != 2:
            raise DataError(
                f"expected two columns of text, got {len(texts)} among {listed(frame.columns)}. "
                "Name them with source and target.",
                file=table.name,
            )
        columns = texts[0], texts[1]
    need_column(table, columns[0])
    if not alone or columns[1] in frame.columns:
        need_column(table, columns[1])
    texts_of = {
        name: frame[name].cast(pl.String).fill_null("").to_list() for name in columns if name in frame.columns
    }
    places = [table.where(row) for row in range(len(frame))]
    names = tuple(dict.fromkeys(file for file, _ in places))
    numbers = {name: number for number, name in enumerate(names)}
    pairs = Pairs(
        texts_of[columns[0]],
        texts_of.get(columns[1]),
        np.array([line for _, line in places], dtype=np.int64),
        names,
        np.array([numbers[file] for file, _ in places], dtype=np.int64),
        bytes.fromhex(table.sha256),
    )
    return pairs, columns


def _pairs(
    source: list[str], target: list[str] | None, name: str, sha256: bytes, lines: Array | None = None
) -> Pairs:
    if lines is None:
        lines = np.arange(1, len(source) + 1)
    return Pairs(source, target, lines, (name,), np.zeros(len(source), dtype=np.int64), sha256)


def _check_path(path: Path) -> None:
    if not path.is_file():
        what = "a folder" if path.is_dir() else "nothing"
        raise DataError(f"expected a file, got {what} at {str(path)!r}. Check the path.")
