"""Whatever the user points at (folders, tables, recordings, frames) as recordings and texts, by part."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.data.audio import is_audio
from recurra.data.delimited import decode
from recurra.data.files import content, named_paths
from recurra.data.parts import named_parts, part_of
from recurra.errors import ConfigError, DataError
from recurra.report.numbers import count
from recurra.tasks.transcribe.folders import (
    check_sounds,
    files_in,
    is_about,
    is_table,
    stem,
    text_of,
)
from recurra.tasks.transcribe.listed import Clip, Listed, read_listed
from recurra.tasks.transcribe.problems import Problems
from recurra.tasks.transcribe.schema import Columns

if TYPE_CHECKING:
    from recurra.tasks.transcribe.config import TranscribeConfig

# What the table in a folder of recordings is called; any other name will do where there is one table.
USUAL = ("transcripts", "transcript", "transcriptions", "metadata")


@dataclass
class Found:
    """Recordings by part ("train", "valid", "test"), and what had to be assumed."""

    parts: dict[str, list[Clip]]
    remarks: list[str] = field(default_factory=list)


def read_sources(config: TranscribeConfig, source: Any, problems: Problems) -> Found:
    """Recordings to fit on, with those of parts of their own. Raises DataError, ConfigError."""
    columns = Columns(path=config.path, text=config.text, speaker=config.speaker)
    found = _Reading(columns, problems).read(source)
    for part, given in (("valid", config.valid), ("test", config.test)):
        if isinstance(given, str):
            if part in found.parts:
                raise ConfigError(
                    f"expected a {part} part by names or a column of the source, or by the option, got both. "
                    "Leave the option out, or name the other files alone."
                )
            other = _Reading(columns, problems).read(given)
            found.parts[part] = _all(other)
            found.remarks += [one for one in other.remarks if one not in found.remarks]
        elif given == 0:
            found.parts.pop(part, None)
    if "train" not in found.parts:
        raise DataError(
            f"expected recordings to learn from, got those of {' and '.join(found.parts)} alone. Name the "
            "others, too."
        )
    return found


def read_like(columns: Columns, source: Any, alone: bool, problems: Problems) -> tuple[list[Clip], list[str]]:
    """Recordings of another source; where it has a test part, those. alone: of all parts, texts or none."""
    if alone:
        return _only_heard(columns, source, problems)
    found = _Reading(columns, problems, later=True).read(source)
    if "test" in found.parts and len(found.parts) > 1:
        return found.parts["test"], [*found.remarks, "read: the test part alone"]
    return _all(found), found.remarks


def _only_heard(columns: Columns, source: Any, problems: Problems) -> tuple[list[Clip], list[str]]:
    """Recordings in the order in which they are named; those of a folder by their names."""
    paths = named_paths(source)
    if paths is None:
        found = read_listed(source, columns, later=True, alone=True)
        return found.clips, found.remarks
    clips, remarks = [], []
    for path in paths:
        if path.is_dir():
            inside = files_in(path)
            check_sounds(path, inside)
            clips += [_clip(one, path, None) for one in inside if is_audio(one)]
        elif is_table(path) or path.suffix.lower() == ".txt":
            found = read_listed(path, columns, later=True, alone=True)
            clips += found.clips
            remarks += found.remarks
        else:
            clips.append(Clip(path, str(path), None))
    return clips, remarks


class _Reading:
    """Reads sources that name texts. columns: what the user calls them; of `later` ones, or as usual."""

    def __init__(self, columns: Columns, problems: Problems, later: bool = False) -> None:
        self.columns, self.problems, self.later = columns, problems, later

    def read(self, source: Any) -> Found:
        """Recordings by part; where nothing tells of parts, all are "train"."""
        paths = named_paths(source)
        if paths is None:
            return _by_column(self._listed(source))
        if not paths:
            raise DataError("expected a folder or a table of recordings, got no path. Name one.")
        for path in paths:
            if not path.exists():
                raise DataError(f"expected a file or a folder, got nothing at {str(path)!r}. Check the path.")
        if len(paths) == 1:
            return self._one(paths[0])
        sounds = [path for path in paths if is_audio(path) and not path.is_dir()]
        others = [path for path in paths if path not in sounds]
        # The name of a single recording tells of no part: test_1.wav may be anything.
        groups = named_parts(others, None) or {"": others}
        found = [self._as_one(groups[part], part) for part in groups]
        if sounds:
            found.append(self._beside(sounds, Path(), [text_of(one) for one in sounds]))
        return _joined(found)

    def _as_one(self, paths: list[Path], part: str) -> Found:
        """Sources of one part, or of those that they tell of themselves."""
        found = _joined(self._one(path) for path in paths)
        return Found({part: _all(found)}, found.remarks) if part else found

    def _one(self, path: Path) -> Found:
        if path.is_dir():
            return self._folder(path)
        if is_audio(path):
            return self._beside([path], path.parent, [text_of(path)])
        return _by_column(self._listed(path))

    def _listed(self, source: Any) -> Listed:
        return read_listed(source, self.columns, self.later)

    def _folder(self, folder: Path) -> Found:
        inside = files_in(folder)
        sounds = [path for path in inside if is_audio(path)]
        tables = [path for path in inside if is_table(path) and path.parent == folder]
        usual = [path for path in tables if path.name.split(".")[0].lower() in USUAL]
        texts = [path for path in inside if path.suffix.lower() == ".txt" and not is_about(path)]
        if usual:
            return self._with_table(
                usual[0], sounds, [*usual[1:], *(one for one in tables if one not in usual)]
            )
        parts = named_parts(tables, None)
        if parts is not None:
            rest = [path.name for path in parts.pop("", [])]
            found = _joined(self._as_one(paths, part) for part, paths in parts.items())
            found.remarks += [f"not read: {', '.join(rest)}"] if rest else []
            return found
        parts = named_parts([path for path in inside if path.parent != folder], folder)
        if parts is not None:
            return self._parts(
                folder,
                sorted({path.relative_to(folder).parts[0] for path in inside if path.parent != folder}),
            )
        if texts and {stem(one) for one in texts} & {stem(one) for one in sounds}:
            return self._beside(sounds, folder, texts)
        if len(tables) > 1:
            raise DataError(
                "expected one table of texts, or tables called train, valid and test, got "
                f"{', '.join(path.name for path in tables)}. Name the one that is meant."
            )
        if tables:
            return self._with_table(tables[0], sounds, [])
        check_sounds(folder, inside)
        raise DataError(
            f"expected texts beside the recordings, got {count(len(sounds), 'recording')} in {str(folder)!r} "
            "and no text. Write a table transcripts.csv in the folder, with the columns path and text, or a "
            "file of the same name that ends in .txt beside each recording."
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
        whole = _joined(found)
        whole.remarks += (
            [f"not read: the {'folders' if len(rest) > 1 else 'folder'} {', '.join(rest)}"] if rest else []
        )
        return whole

    def _with_table(self, table: Path, sounds: list[Path], others: list[Path]) -> Found:
        """A table and the recordings of its folder, of which it should name all."""
        found = _by_column(self._listed(table))
        if others:
            found.remarks.append(f"not read: {', '.join(path.name for path in others)}")
        named = {os.path.abspath(clip.path) for clip in _all(found)}
        for path in sounds:
            if os.path.abspath(path) not in named:
                self.problems.add(
                    "unwritten", f"{path.relative_to(table.parent)}, which {table.name} does not name"
                )
        return found

    def _beside(self, sounds: list[Path], folder: Path, texts: list[Path]) -> Found:
        """Recordings, each with the text that lies beside it."""
        of = {stem(path): path for path in texts if path.is_file()}
        clips: list[Clip] = []
        notes: list[str] = []
        for path in sounds:
            text = of.get(stem(path))
            if text is None:
                self.problems.add("unwritten", f"{path.name}, which has no {text_of(path).name} beside it")
            else:
                raw, assumed = decode(content(text), text.name)
                clips.append(_clip(path, folder, raw.decode()))
                notes += assumed
        heard = {stem(path) for path in sounds}
        for own, path in of.items():
            if own not in heard:
                self.problems.add("unheard", path.name)
        more = f" and {len(notes) - 1:,} more" if len(notes) > 1 else ""
        return Found({"train": clips}, [f"{notes[0]}{more}"] if notes else [])


def _by_column(listed: Listed) -> Found:
    """The parts that a table tells of in its column `split`."""
    parts: dict[str, list[Clip]] = {}
    for clip in listed.clips:
        parts.setdefault(clip.part or "train", []).append(clip)
    return Found(parts, listed.remarks)


def _joined(found: Iterable[Found]) -> Found:
    whole = Found({})
    for one in found:
        for part, clips in one.parts.items():
            whole.parts.setdefault(part, []).extend(clips)
        whole.remarks += [remark for remark in one.remarks if remark not in whole.remarks]
    return whole


def _all(found: Found) -> list[Clip]:
    return [replace(clip, part=None) for clips in found.parts.values() for clip in clips]


def _clip(path: Path, folder: Path, text: str | None) -> Clip:
    name = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
    return Clip(path, name, text)
