"""What files of one kind are called, in words and by users."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Medium:
    """A kind of files that have texts.

    one, many: as in "recording" and "recordings".  text: what each has, as in "transcript".  said: what a
    column of texts holds.  formats: which can be read.  converter: a program that makes them of others.

    is_it: whether a name is that of one.  unreadable: endings of those that are, but cannot be read.
    tables: what the table in a folder is called, the usual name first; any other name will do where there
    is one table.  paths, texts, speakers: what columns are called, the usual name first.
    folders: beside a table, in which files may lie.  left_out: endings that a table may leave out.  instead:
    endings of files that are read where the one that is named is not there.
    several: whether a file may have more than one text, in further columns, or in a line each.
    name: the name of a file, as a cell of a table has it.
    problems: what may be wrong, in the order in which it is told: for one, and for several.
    """

    one: str
    many: str
    text: str
    said: str
    formats: str
    converter: str
    is_it: Callable[[Path], bool]
    unreadable: tuple[str, ...]
    tables: tuple[str, ...]
    paths: tuple[str, ...]
    texts: tuple[str, ...]
    problems: Mapping[str, tuple[str, str]]
    speakers: tuple[str, ...] = ()
    folders: tuple[str, ...] = ("",)
    left_out: tuple[str, ...] = ("",)
    instead: tuple[str, ...] = ()
    several: bool = False
    name: Callable[[str], str] = str.strip

    def count(self, quantity: int) -> str:
        """As in "1 recording"."""
        return f"{quantity:,} {self.one if quantity == 1 else self.many}"

    def among(self, paths: Iterable[Path]) -> list[Path]:
        """Those that are of this kind; what can be read instead of another only where that is not there."""
        own = [path for path in paths if self.is_it(path)]
        instead = {path for path in own if path.suffix.lower() in self.instead}
        there = {path.with_suffix("") for path in own if path not in instead}
        return [path for path in own if path not in instead or path.with_suffix("") not in there]

    def texts_in(self, cells: list[str]) -> list[str]:
        """Texts of one file, of several cells or lines; blank ones only where there is no other."""
        return [cell for cell in cells if cell.strip()] or cells[:1] if self.several else cells
