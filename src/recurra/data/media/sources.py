"""Whatever the user points at (folders, tables, files, frames) as files and their texts, by part."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recurra.data.delimited import decode
from recurra.data.files import content, named_paths
from recurra.data.media.cells import Cells, read_cells
from recurra.data.media.folders import check_some, files_in, is_about, is_table, stem, text_of
from recurra.data.media.found import Found, by_column, clip_of, joined
from recurra.data.media.listed import Clip, Listed, Names, read_listed
from recurra.data.media.medium import Medium
from recurra.data.media.places import Places
from recurra.data.media.problems import Problems
from recurra.data.parts import named_parts, part_of
from recurra.errors import ConfigError, DataError


class Reading:
    """Reads sources of one medium.

    names: what the user calls columns; of `later` sources, or as usual.  problems: takes what cannot be used.
    only: where files are looked for and nowhere else.  first: where they are before the folder of the table
    that names them.  behind: folders after that.  inside: files that a table may name without their folders.
    """

    def __init__(self, medium: Medium, names: Names, problems: Problems, later: bool = False) -> None:
        self.medium, self.names, self.problems, self.later = medium, names, problems, later
        self.only: Places | None = None
        self.first: Places | None = None
        self.behind: list[Path] = []
        self.inside: list[Path] = []

    def read_parts(self, source: Any, valid: float | str | None, test: float | str | None) -> Found:
        """Files to fit on, with those of parts of their own. Raises DataError, ConfigError."""
        found = self.read(source)
        for part, given in (("valid", valid), ("test", test)):
            if isinstance(given, str):
                if part in found.parts:
                    raise ConfigError(
                        f"expected a {part} part by names or a column of the source, or by the option, got "
                        "both. Leave the option out, or name the other files alone."
                    )
                found.parts[part] = self.apart(found, given)
            elif given == 0:
                found.parts.pop(part, None)
        if "train" not in found.parts:
            raise DataError(
                f"expected {self.medium.many} to learn from, got those of {' and '.join(found.parts)} alone. "
                "Name the others, too."
            )
        return found

    def apart(self, found: Found, given: str) -> list[Clip]:
        """What an option names for a part."""
        other = self.read(given)
        found.remarks += [one for one in other.remarks if one not in found.remarks]
        return other.all()

    def read_test(self, source: Any) -> tuple[list[Clip], list[str]]:
        """Files of another source, and remarks; where it has a test part, those."""
        found = self.read(source)
        if "test" in found.parts and len(found.parts) > 1:
            return found.parts["test"], [*found.remarks, "read: the test part alone"]
        return found.all(), found.remarks

    def read_alone(self, source: Any) -> tuple[list[Clip], list[str]]:
        """Files in the order in which they are named, with or without texts; those of a folder by name."""
        paths = named_paths(source)
        if paths is None:
            found = self.listed(source, alone=True)
            return found.clips, found.remarks
        clips, remarks = [], []
        for path in paths:
            if path.is_dir():
                inside = files_in(path)
                check_some(self.medium, path, inside)
                clips += [clip_of(one, path, None) for one in self.medium.among(inside)]
            elif is_table(path) or path.suffix.lower() == ".txt":
                found = self.listed(path, alone=True)
                clips += found.clips
                remarks += found.remarks
            elif path.suffix.lower() in self.medium.unreadable:
                raise DataError(
                    f"expected {self.medium.formats}, got {path.suffix}. Convert it, for instance with "
                    f"{self.medium.converter}.",
                    file=path.name,
                )
            else:
                clips.append(Clip(path, str(path), None))
        return clips, remarks

    def read(self, source: Any) -> Found:
        """Files and texts by part; where nothing tells of parts, all are "train"."""
        paths = named_paths(source)
        if paths is None:
            return by_column(self.listed(source))
        if not paths:
            raise DataError(f"expected a folder or a table of {self.medium.many}, got no path. Name one.")
        for path in paths:
            if not path.exists():
                raise DataError(f"expected a file or a folder, got nothing at {str(path)!r}. Check the path.")
        if len(paths) == 1:
            return self._one(paths[0])
        own = [path for path in paths if self.medium.is_it(path) and not path.is_dir()]
        others = [path for path in paths if path not in own]
        found = [self.each(others)]
        if own:
            found.append(self._beside(own, Path(), [text_of(one) for one in own]))
        return joined(found)

    def each(self, paths: list[Path]) -> Found:
        """Sources by the parts that their names tell of."""
        # The name of a single file tells of no part: test_1.wav may be anything.
        groups = self.by_name(paths) or {"": paths}
        return joined(self._as_one(groups[part], part) for part in groups)

    def by_name(self, paths: Sequence[Path]) -> dict[str, list[Path]] | None:
        """Tables by the parts that their names tell of; None where they do not."""
        return named_parts(paths, None)

    def cells(self, source: Any) -> Cells:
        """A table as text."""
        return read_cells(source, self.medium)

    def _places(self, source: Any) -> Places:
        own = Path(source).parent if isinstance(source, str | Path) else Path()
        return Places(self.medium, [own, *self.behind], self.inside, self.first)

    def listed(self, source: Any, alone: bool = False, cells: Cells | None = None) -> Listed:
        """The files that a table names. cells: of the table, where they are read already."""
        places = self.only or self._places(source)
        return read_listed(cells or self.cells(source), self.names, places, self.later, alone)

    def tables(self, folder: Path, inside: list[Path]) -> tuple[list[Path], list[Path]]:
        """Tables of a folder that may have the texts, and others."""
        return [path for path in inside if is_table(path) and path.parent == folder], []

    def _as_one(self, paths: list[Path], part: str) -> Found:
        """Sources of one part, or of those that they tell of themselves."""
        found = joined(self._one(path) for path in paths)
        return Found({part: found.all()}, found.remarks) if part else found

    def _one(self, path: Path) -> Found:
        if path.is_dir():
            return self.folder(path)
        if self.medium.is_it(path):
            return self._beside([path], path.parent, [text_of(path)])
        return by_column(self.listed(path))

    def folder(self, folder: Path) -> Found:
        """What a folder holds, by part."""
        inside = files_in(folder)
        own = self.medium.among(inside)
        tables, rest = self.tables(folder, inside)
        usual = [path for path in tables if path.name.split(".")[0].lower() in self.medium.tables]
        texts = [path for path in inside if path.suffix.lower() == ".txt" and not is_about(path)]
        if usual:
            others = [one for one in tables if one not in usual]
            return self._with_table(usual[0], folder, own, [*usual[1:], *others, *rest])
        parts = self.by_name(tables)
        if parts is not None:
            rest = [*parts.pop("", []), *rest]
            found = joined(self._as_one(paths, part) for part, paths in parts.items())
            found.remarks += _not_read(rest)
            return found
        lower = [path for path in inside if path.parent != folder]
        if named_parts(lower, folder) is not None:
            return self._parts(folder, sorted({path.relative_to(folder).parts[0] for path in lower}))
        if texts and {stem(one) for one in texts} & {stem(one) for one in own}:
            return self._beside(own, folder, texts)
        if len(tables) > 1:
            raise DataError(
                f"expected one table of {self.medium.text}s, or tables called train, valid and test, got "
                f"{', '.join(path.name for path in tables)}. Name the one that is meant."
            )
        if tables:
            return self._with_table(tables[0], folder, own, rest)
        check_some(self.medium, folder, inside)
        raise self._untold(folder, len(own))

    def _untold(self, folder: Path, many: int) -> DataError:
        medium = self.medium
        return DataError(
            f"expected {medium.text}s beside the {medium.many}, got {medium.count(many)} in {str(folder)!r} "
            f"and no {medium.text}. Write a table {medium.tables[0]}.csv in the folder, with the columns "
            f"{medium.paths[0]} and {medium.texts[0]}, or a file of the same name that ends in .txt beside "
            f"each {medium.one}."
        )

    def _parts(self, folder: Path, names: list[str]) -> Found:
        """Folders that are called train, valid and test."""
        found, rest = [], []
        for name in names:
            part = part_of(folder / name / "x", folder)
            if part is None:
                rest.append(name)
            else:
                found.append(self._as_one([folder / name], part))
        whole = joined(found)
        whole.remarks += (
            [f"not read: the {'folders' if len(rest) > 1 else 'folder'} {', '.join(rest)}"] if rest else []
        )
        return whole

    def _with_table(self, table: Path, folder: Path, own: list[Path], others: list[Path]) -> Found:
        """A table and the files of its folder, of which it should name all."""
        found = by_column(self.listed(table))
        found.remarks += _not_read(others)
        named = {os.path.abspath(clip.path) for clip in found.all()}
        for path in own:
            if os.path.abspath(path) not in named:
                self.problems.add(
                    "unwritten", f"{path.relative_to(folder)}, which {table.name} does not name"
                )
        return found

    def _beside(self, own: list[Path], folder: Path, texts: list[Path]) -> Found:
        """Files, each with the text that lies beside it."""
        of = {stem(path): path for path in texts if path.is_file()}
        clips: list[Clip] = []
        notes: list[str] = []
        for path in own:
            text = of.get(stem(path))
            if text is None:
                self.problems.add("unwritten", f"{path.name}, which has no {text_of(path).name} beside it")
            else:
                raw, assumed = decode(content(text), text.name)
                whole = raw.decode()
                lines = self.medium.texts_in(whole.splitlines() or [""]) if self.medium.several else [whole]
                clips += [clip_of(path, folder, line) for line in lines]
                notes += assumed
        known = {stem(path) for path in own}
        for one, path in of.items():
            if one not in known:
                self.problems.add("unpaired", path.name)
        more = f" and {len(notes) - 1:,} more" if len(notes) > 1 else ""
        return Found({"train": clips}, [f"{notes[0]}{more}"] if notes else [])


def _not_read(paths: list[Path]) -> list[str]:
    return [f"not read: {', '.join(path.name for path in paths)}"] if paths else []
