"""What lies in folders."""

from __future__ import annotations

import os
from pathlib import Path

from recurra.data.corpus import ABOUT
from recurra.data.files import JSON_ENDINGS, PARQUET_ENDINGS
from recurra.data.media.medium import Medium
from recurra.errors import DataError

TABLES = (".csv", ".tsv", *JSON_ENDINGS, *PARQUET_ENDINGS)


def is_table(path: Path) -> bool:
    """Whether a file's name is that of a table."""
    return Path(path.name.lower().removesuffix(".gz")).suffix in TABLES


def files_in(folder: Path) -> list[Path]:
    """Files of a folder and its folders in the order of their names, hidden ones left out."""
    found = []
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(where, name) for name in names if not name.startswith(".")]
    return sorted(found)


def is_about(path: Path) -> bool:
    """Whether a file tells of the data, rather than is some."""
    return path.name.split(".")[0].lower() in ABOUT


def stem(path: Path) -> str:
    """The path without the ending."""
    return str(path.with_suffix(""))


def text_of(path: Path) -> Path:
    """Where the text of a file lies."""
    return path.with_suffix(".txt")


def check_some(medium: Medium, folder: Path, inside: list[Path]) -> None:
    """Raises DataError where no file is one that can be read."""
    if any(medium.is_it(path) for path in inside):
        return
    foreign = [path for path in inside if path.suffix.lower() in medium.unreadable]
    if foreign:
        raise DataError(
            f"expected {medium.many} as {medium.formats} in {str(folder)!r}, got {len(foreign):,} as "
            f"{foreign[0].suffix}. Convert them, for instance with {medium.converter}."
        )
    raise DataError(
        f"expected {medium.many} ({medium.formats}) in {str(folder)!r}, got none. Name a folder that holds "
        "some, or a table of their paths."
    )
