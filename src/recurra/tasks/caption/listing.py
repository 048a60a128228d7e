"""How pictures are listed beyond what all media have: folders beside files of captions, lists of names."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recurra.data.files import named_paths
from recurra.data.media.cells import Cells
from recurra.data.media.folders import check_some, files_in, is_table
from recurra.data.media.found import Found, by_column
from recurra.data.media.listed import Clip, Names
from recurra.data.media.medium import Medium
from recurra.data.media.places import Places
from recurra.data.media.problems import Problems
from recurra.data.media.sources import Reading
from recurra.data.parts import named_parts, part_of
from recurra.errors import DataError
from recurra.tasks.caption.formats import read_captions
from recurra.tasks.caption.medium import PICTURES, picture_name

# As in captions_train2017.json.
YEAR = re.compile(r"(?<=[a-z])20\d\d(?!\d)")

# Endings of files of captions that are no tables elsewhere.
TEXTS = (".txt", ".token")


class Listing(Reading):
    """Reads pictures and captions. Folders beside files of captions are where their pictures lie."""

    def __init__(self, medium: Medium, names: Names, problems: Problems, later: bool = False) -> None:
        super().__init__(medium, names, problems, later)
        # Folders of the source; and the pictures in them, where they stand beside files of captions.
        self.given: list[Path] = []
        self.beside: list[Path] = []

    def read(self, source: Any) -> Found:
        """Pictures and captions by part; where nothing tells of parts, all are "train"."""
        paths = named_paths(source) or []
        folders, tables, pictures = self._sorted(paths)
        self.given = folders
        self.behind = [*folders, *(path.parent for path in tables)]
        if not all(path.exists() for path in paths) or not tables or len(tables) == len(paths):
            return super().read(source)
        self._look_in(folders, pictures)
        found = self.each(tables)
        return found if folders else self._of(pictures, found)

    def read_alone(self, source: Any) -> tuple[list[Clip], list[str]]:
        """Pictures in the order in which they are named; of folders beside tables, those that these name."""
        folders, tables, pictures = self._sorted(named_paths(source) or [])
        if folders and tables:
            self._look_in(folders, pictures)
            return super().read_alone([*tables, *pictures])
        return super().read_alone(source)

    def folder(self, folder: Path) -> Found:
        """What a folder holds, by part; tables in it may name pictures without the folders between."""
        before = self.behind, self.inside
        self.behind, self.inside = [folder], self._pictures(folder)
        found = super().folder(folder)
        self.behind, self.inside = before
        return found

    def apart(self, found: Found, given: str) -> list[Clip]:
        """What an option names for a part: captions, or a list of the source's pictures."""
        path = Path(given)
        if path.is_dir() or self.medium.is_it(path):
            other = Listing(self.medium, self.names, self.problems).read(given)
        else:
            cells = self.cells(path)
            if len(cells.rows[0]) == 1:
                return self._picked(found, cells)
            self.inside = [one for folder in self.given for one in self._pictures(folder)]
            other = by_column(self.listed(path, cells=cells))
        found.remarks += [one for one in other.remarks if one not in found.remarks]
        return other.all()

    def unnamed(self, clips: Sequence[Clip]) -> list[str]:
        """A line of pictures in folders beside files of captions that none of these names."""
        named = {os.path.abspath(clip.path) for clip in clips}
        rest = [path for path in self.beside if os.path.abspath(path) not in named]
        return [f"not read: {PICTURES.count(len(rest))} without a caption, as {rest[0]}"] if rest else []

    def cells(self, source: Any) -> Cells:
        """A file of captions as text."""
        return read_captions(source)

    def by_name(self, paths: Sequence[Path]) -> dict[str, list[Path]] | None:
        """Tables by the parts that their names tell of, a year or not."""
        real = {path.with_name(YEAR.sub("", path.name.lower())): path for path in paths}
        if len(real) < len(paths):
            return super().by_name(paths)
        found = named_parts(list(real), None)
        return found and {part: [real[path] for path in some] for part, some in found.items()}

    def tables(self, folder: Path, inside: list[Path]) -> tuple[list[Path], list[Path]]:
        """Tables of a folder that may have the captions, and others; further below if they are called so."""
        found = [path for path in inside if path.parent == folder and (is_table(path) or _is_called_so(path))]
        if not found:
            found = [path for path in inside if _is_called_so(path) and part_of(path, folder) is None]
        usual = [path for path in found if _is_called_so(path)] or found
        return usual, [path for path in found if path not in usual]

    def _sorted(self, paths: list[Path]) -> tuple[list[Path], list[Path], list[Path]]:
        """Folders, tables and pictures; what is not there is none of them."""
        files = [path for path in paths if path.is_file()]
        pictures = [path for path in files if self.medium.is_it(path)]
        return (
            [path for path in paths if path.is_dir()],
            [path for path in files if path not in pictures],
            pictures,
        )

    def _look_in(self, folders: list[Path], pictures: list[Path]) -> None:
        """Tables name what lies in these folders, and these pictures."""
        for folder in folders:
            check_some(self.medium, folder, files_in(folder))
        self.beside = [path for folder in folders for path in self._pictures(folder)]
        around = [*folders, *dict.fromkeys(path.parent for path in pictures)]
        places = Places(self.medium, around, [*self.beside, *pictures])
        # What lies beside a table is not meant where folders are named.
        if folders:
            self.only = places
        else:
            self.first = places

    def _pictures(self, folder: Path) -> list[Path]:
        return self.medium.among(files_in(folder))

    def _of(self, pictures: list[Path], found: Found) -> Found:
        """Those pictures alone, of all that tables name."""
        wanted = {os.path.abspath(path) for path in pictures}
        parts = {
            part: [clip for clip in clips if os.path.abspath(clip.path) in wanted]
            for part, clips in found.parts.items()
        }
        named = {os.path.abspath(clip.path) for clips in parts.values() for clip in clips}
        for path in pictures:
            if os.path.abspath(path) not in named:
                self.problems.add("unwritten", str(path))
        return Found({part: clips for part, clips in parts.items() if clips}, found.remarks)

    def _picked(self, found: Found, cells: Cells) -> list[Clip]:
        """Pictures of the training part that a list names, a line each, taken out of it."""
        train = found.parts.get("train", [])
        exact = {clip.name: clip.path for clip in train}
        short: dict[str, Path | None] = {}
        for clip in train:
            for name in (Path(clip.name).name, Path(clip.name).stem):
                short[name] = clip.path if short.get(name, clip.path) == clip.path else None
        picked = set()
        header = cells.names is None and cells.rows[0][0].strip().lower() in self.medium.paths
        for line, row in zip(cells.lines[header:], cells.rows[header:], strict=True):
            name = picture_name(row[0])
            path = exact.get(name) or short.get(Path(name).name)
            if path is not None:
                picked.add(path)
            else:
                place = f"{name} ({cells.place(line)})"
                self.problems.add("unwritten", place, "the source has no caption of it")
        taken = {clip.name for part, clips in found.parts.items() if part != "train" for clip in clips}
        if not picked and any(picture_name(row[0]) in taken for row in cells.rows):
            raise DataError(
                "expected names that no other part has, got those of another list. Name each in one.",
                file=cells.name,
            )
        if not picked:
            raise DataError(
                f"expected names of the source's pictures, such as {train[0].name if train else 'none'}, got "
                f"{len(cells.rows):,} others. Name pictures that it has captions of.",
                file=cells.name,
            )
        found.parts["train"] = [clip for clip in train if clip.path not in picked]
        return [clip for clip in train if clip.path in picked]


def _is_called_so(path: Path) -> bool:
    """Whether a file is called as those of captions are: captions_train2017.json, Flickr8k.token.txt."""
    words = re.split(r"[^a-z0-9]+", path.name.lower())
    told = words[0] in PICTURES.tables or ("token" in words and "lemma" not in words)
    return told and (is_table(path) or path.suffix.lower() in TEXTS)
