"""Whatever the user points at (files, folders, frames) as pairs of texts, by part."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.data.corpus import find_paths
from recurra.data.files import JSON_ENDINGS, PARQUET_ENDINGS, named_paths
from recurra.data.parts import part_of
from recurra.data.tables import read_table
from recurra.errors import ConfigError, DataError
from recurra.tasks.translate.pairs import Pairs, from_table, has_tabs, joined, side_by_side, tab_separated

if TYPE_CHECKING:
    from recurra.tasks.translate.config import TranslateConfig
    from recurra.tasks.translate.schema import Schema

TABLES = (".csv", *JSON_ENDINGS, *PARQUET_ENDINGS)


@dataclass
class Found:
    """Pairs by part ("train", "valid", "test"), what the two sides are called, what had to be assumed."""

    parts: dict[str, Pairs]
    names: tuple[str, str]
    remarks: list[str] = field(default_factory=list)


def read_sources(config: TranslateConfig, source: Any) -> Found:
    """Pairs to fit on, with those of parts that have files of their own. Raises DataError, ConfigError."""
    named = None if config.source is None or config.target is None else (config.source, config.target)
    paths = named_paths(source)
    if not paths and paths is not None:
        found = _two_files(named)
    elif paths is None or (
        all(is_table(path) or has_tabs(path) for path in paths if not path.is_dir())
        and (not paths[0].is_dir())
    ):
        found = _columns(source, paths, named)
    else:
        found = _by_ending(*find_paths(source), named)
    for part, given in (("valid", config.valid), ("test", config.test)):
        if isinstance(given, str):
            if part in found.parts:
                raise ConfigError(
                    f"expected a {part} part by files that are called so or by the option, got both. "
                    "Leave the option out, or name the other files alone."
                )
            found.parts[part] = _like(found, named, config, paths, Path(given))
        elif given == 0:
            found.parts.pop(part, None)
    return found


def read_like(schema: Schema, source: Any, alone: bool) -> tuple[Pairs, list[str]]:
    """Pairs of other files for a model of this schema. alone: sources without targets will do."""
    names = schema.names
    paths = named_paths(source)
    if paths is None or (paths and all(is_table(path) for path in paths)):
        pairs, _ = from_table(read_table(source), _known(source, names), alone)
        return pairs, []
    if any(path.is_dir() for path in paths):
        raise DataError("expected files, got a folder. Name the files in it.")
    if all(has_tabs(path) for path in paths):
        found = [tab_separated(path, schema.columns, names, alone) for path in paths]
        return joined([one[0] for one in found]), [remark for one in found for remark in one[2]]
    if len(paths) == 2 and not alone:
        if ending(paths[0]) == names[1] and ending(paths[1]) == names[0]:
            paths = paths[::-1]
        return side_by_side(*paths), []
    if not alone:
        raise DataError(
            f"expected two files of lines, or a table of pairs, got {len(paths)} of lines. "
            "Name the source's file and the target's."
        )
    return joined([side_by_side(path, None) for path in paths]), []


def _known(source: Any, names: tuple[str, str]) -> tuple[str, str] | None:
    """The columns as they were called in training, where a table has the source's."""
    return names if names[0] in read_table(source).frame.columns else None


def is_table(path: Path) -> bool:
    """Whether a file's name is that of a table."""
    return Path(path.name.lower().removesuffix(".gz")).suffix in TABLES


def ending(path: Path) -> str:
    """What a file's name ends with after its last dot, but for .gz."""
    return Path(path.name.removesuffix(".gz")).suffix.removeprefix(".")


def _stem(path: Path) -> str:
    return str(path.with_name(Path(path.name.removesuffix(".gz")).stem))


def _two_files(named: tuple[str, str] | None) -> Found:
    if named is None:
        raise DataError(
            "expected pairs of texts, got no file. Name a file of pairs, or two of lines with source and "
            "target."
        )
    paths = Path(named[0]), Path(named[1])
    return Found({"train": side_by_side(*paths)}, _names(*paths))


def _names(source: Path, target: Path) -> tuple[str, str]:
    """What two files differ in: their endings, else their names."""
    a, b = ending(source), ending(target)
    return (a, b) if a != b and a and b else (source.name.split(".")[0], target.name.split(".")[0])


def _columns(source: Any, paths: list[Path] | None, named: tuple[str, str] | None) -> Found:
    """Tables and files with tabs; several by what their names tell, or all as one."""
    if paths is None:
        pairs, names = from_table(read_table(source), named, alone=False)
        return Found({"train": pairs}, names)
    groups: dict[str, list[Path]] = {}
    for path in paths:
        groups.setdefault(part_of(path, None) or "train", []).append(path)
    if "train" not in groups:
        groups = {"train": paths}
    parts, names, remarks = {}, ("source", "target"), []
    for part, some in groups.items():
        read = []
        for path in some:
            if is_table(path):
                pairs, names = from_table(read_table(path), named, alone=False)
            else:
                pairs, names, more = tab_separated(path, named)
                remarks += more
            read.append(pairs)
        parts[part] = joined(read)
    return Found(parts, names, remarks)


def _by_ending(paths: list[Path], folder: Path | None, named: tuple[str, str] | None) -> Found:
    """Files of lines that are called alike but for their endings, such as train.de and train.en."""
    if named is None and len(paths) == 2 and folder is None:
        return Found({"train": side_by_side(*paths)}, _names(*paths))
    endings = list(dict.fromkeys(ending(path) for path in paths))
    if named is None:
        if len(endings) != 2 or folder is not None:
            raise ConfigError(
                f"expected to know which texts to translate from and to, got files ending in "
                f"{', '.join(endings)}. Name two of these as source and target."
            )
        named = endings[0], endings[1]
    for one in named:
        if one not in endings:
            raise DataError(
                f"expected files ending in {one!r}, got {', '.join(endings)}. Name two of these as source "
                "and target."
            )
    sides = [{_stem(path): path for path in paths if ending(path) == one} for one in named]
    for a, b, missing in ((0, 1, named[1]), (1, 0, named[0])):
        for stem, path in sides[a].items():
            if stem not in sides[b]:
                raise DataError(
                    f"expected a file of the same name that ends in {missing!r} beside it, got none. "
                    "Name it too, or leave this one out.",
                    file=path.name,
                )
    remarks = []
    others = [one for one in endings if one not in named]
    if others:
        remarks.append(f"not read: files that end in {', '.join(others)}")
    parts: dict[str, list[Pairs]] = {}
    for stem, path in sides[0].items():
        part = part_of(path, folder) or "train"
        parts.setdefault(part, []).append(side_by_side(path, sides[1][stem]))
    if "train" not in parts:
        raise DataError(
            f"expected files to learn from, got {', '.join(parts)} alone. Name those, too.",
        )
    return Found({part: joined(read) for part, read in parts.items()}, named, remarks)


def _like(
    found: Found, named: tuple[str, str] | None, config: TranslateConfig, paths: list[Path] | None, path: Path
) -> Pairs:
    """Pairs of a file that an option names; of two files of lines, the source's."""
    if is_table(path):
        return from_table(read_table(path), named or found.names, alone=False)[0]
    if has_tabs(path):
        return tab_separated(path, named)[0]
    a, b = found.names
    name = path.name
    at = name.rfind(f".{a}")
    other = path.with_name(name[:at] + f".{b}" + name[at + len(a) + 1 :]) if at >= 0 else None
    if other is None or not other.is_file():
        raise DataError(
            f"expected the file of lines that belongs to it, called likewise with {b!r} for {a!r}, got none. "
            "Name the source's file, and keep the other beside it.",
            file=name,
        )
    return side_by_side(path, other)
