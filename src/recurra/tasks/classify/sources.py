"""Whatever the user points at (files, folders, frames, archives) as examples."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from recurra.data.archives import is_archive, read_archive
from recurra.data.files import TEXT_ENDINGS, content
from recurra.data.tables import Table, need_column, read_table
from recurra.data.texts import LABEL, PART, TEXT, folder_table, lines_table
from recurra.errors import ConfigError, DataError
from recurra.tasks.classify.layouts import read_archives, read_lists, read_long, read_rows, read_wide
from recurra.tasks.classify.raw import TEST, TRAIN, VALID, Raw, joined
from recurra.tasks.classify.roles import Roles, find_roles

if TYPE_CHECKING:
    from recurra.tasks.classify.config import ClassifyConfig
    from recurra.tasks.classify.schema import Schema

READ = {"rows": read_rows, "wide": read_wide, "long": read_long, "lists": read_lists}


def read_source(config: ClassifyConfig, source: Any) -> tuple[Raw, Roles]:
    """Examples to fit on, with files for validation and test where the config names them."""
    paths = _paths(source)
    if paths is not None and len(paths) == 1 and paths[0].is_dir():
        paths = sorted(one for one in paths[0].iterdir() if is_archive(one)) or paths
    raws, parts, roles = _first(config, source, paths)
    for given, part in ((config.valid, VALID), (config.test, TEST)):
        if isinstance(given, str):
            raws.append(_labelled(read_like(roles, given), roles, given))
            parts.append(part)
    return joined(raws, parts), roles


def _first(
    config: ClassifyConfig, source: Any, paths: list[Path] | None
) -> tuple[list[Raw], list[int | None], Roles]:
    if paths is not None and any(is_archive(one) for one in paths):
        found = _archives(paths, pair=config.test is None)
        raws = [read_archives(read_archive(path), part) for path, part in found]
        _same_channels(raws, [path for path, _ in found])
        return raws, [part for _, part in found], _archive_roles(raws[0])
    if paths is not None and paths[0].is_dir():
        table = folder_table(paths[0])
        split = PART if PART in table.frame.columns else None
        roles = Roles("rows", (LABEL,), text=(TEXT,), split=split)
    else:
        table = read_table(source).without_blank_rows()
        roles = find_roles(table, config)
    raw = READ[roles.layout](table, roles)
    return [raw], [None], roles


def _paths(source: Any) -> list[Path] | None:
    """The paths, None for a frame."""
    if isinstance(source, str | Path):
        return [Path(source)]
    if isinstance(source, Sequence) and source and all(isinstance(one, str | Path) for one in source):
        return [Path(one) for one in source]
    return None


def _archives(paths: list[Path], pair: bool) -> list[tuple[Path, int | None]]:
    """The files and what they are for, from _TRAIN and _TEST in their names; the other one is found."""
    odd = [one for one in paths if not is_archive(one)]
    if odd:
        raise DataError(f"expected .ts and .arff files alone, got {odd[0].name}. Fit on one kind of file.")
    if len({one.suffix for one in paths}) > 1:  # a folder with the same data twice
        paths = [one for one in paths if one.suffix == ".ts"]
    if len(paths) == 1 and pair and "_TRAIN" in paths[0].name:
        other = paths[0].with_name(paths[0].name.replace("_TRAIN", "_TEST"))
        paths += [other] if other.exists() else []
    if len(paths) == 1:
        return [(paths[0], None)]
    if sum("_TEST" not in one.name for one in paths) != 1:
        raise DataError(
            f"expected one data set, got {len(paths)} files such as {paths[0].name}. Name the one to fit on."
        )
    paths = sorted(paths, key=lambda one: "_TEST" in one.name)
    return [(one, TEST if "_TEST" in one.name else TRAIN) for one in paths]


def _archive_roles(raw: Raw) -> Roles:
    assert raw.steps is not None
    return Roles("archive", (), channels=tuple((name, "numeric") for name in raw.steps.cells))


def _same_channels(raws: list[Raw], paths: list[Path]) -> None:
    first = list(raws[0].steps.cells) if raws[0].steps is not None else []
    for raw, path in zip(raws[1:], paths[1:], strict=True):
        here = list(raw.steps.cells) if raw.steps is not None else []
        if here != first:
            raise DataError(
                f"expected {len(first)} channels as in {paths[0].name}, got {len(here)}. "
                "Give files of the same data set.",
                file=path.name,
            )


def read_like(roles: Roles, source: Any) -> Raw:
    """Examples of another source whose columns play the same roles. Labels may be absent."""
    paths = _paths(source)
    if roles.layout == "archive":
        if paths is None or not all(is_archive(one) for one in paths):
            raise DataError("expected a .ts or .arff file as in training, got another. Give such a file.")
        raws = [read_archives(read_archive(path), None) for path in paths]
        for raw, path in zip(raws, paths, strict=True):
            count = len(raw.steps.cells) if raw.steps is not None else 0
            if count != len(roles.channels):
                raise DataError(
                    f"expected {len(roles.channels)} channels as in training, got {count}. "
                    "Give a file of the same data set.",
                    file=path.name,
                )
        return joined(raws, [None, *[TRAIN] * (len(raws) - 1)])
    table = _table_like(roles, source, paths)
    for column in (*roles.text, *roles.ids, *([roles.time] if roles.time else []), *roles.steps):
        need_column(table, column)
    if roles.layout == "long":
        for column, _ in roles.channels:
            need_column(table, column)
    return READ[roles.layout](table, Roles(**{**_fields(roles), "split": None}))


def _fields(roles: Roles) -> dict[str, Any]:
    return {name: getattr(roles, name) for name in roles.__slots__}


def _table_like(roles: Roles, source: Any, paths: list[Path] | None) -> Table:
    """A table; lines of a text file where it has no column of the text's name."""
    if paths is not None and paths[0].is_dir():
        return folder_table(paths[0])
    if paths is None or len(roles.text) != 1 or any(path.suffix != ".txt" for path in paths):
        return read_table(source).without_blank_rows()
    head = content(paths[0])[:10_000].decode(errors="replace").lstrip("\ufeff").split("\n")[0]
    if roles.text[0] in [cell.strip(' "\r') for cell in re.split("[\t;|,]", head)]:
        return read_table(source).without_blank_rows()
    table = lines_table(paths)
    return Table(table.frame.rename({TEXT: roles.text[0]}), table.parts, table.notes, table.sha256)


def _labelled(raw: Raw, roles: Roles, source: Any) -> Raw:
    if raw.labels is None or all(one is None for one in raw.labels.sets):
        wanted, name = ", ".join(roles.label) or "labels", Path(source).name
        raise DataError(
            f"expected {wanted!r} for each example, got none. Give a file with labels.",
            file=name,
        )
    return raw


def read_unlabelled(schema_text: tuple[str, ...], files: tuple[str, ...]) -> list[str]:
    """Texts of files without labels: lines of a text file, or the text column of a table."""
    texts: list[str] = []
    for name in files:
        path = Path(name)
        ending = Path(path.name.lower().removesuffix(".gz")).suffix
        if ending in TEXT_ENDINGS and ending not in (".csv", ".tsv"):
            texts += lines_table([path]).frame[TEXT].to_list()
            continue
        table = read_table(path)
        for column in schema_text:
            need_column(table, column)
        cells = [table.frame[column].cast(pl.String).fill_null("") for column in schema_text]
        texts += ["\n".join(row) for row in zip(*cells, strict=True) if any(row)]
    return texts


def read_known(schema: Schema, source: Any, *, labels: bool) -> Raw:
    """A later source as the schema says. Raises DataError where a column is missing or labels are."""
    roles = Roles.of(schema)
    raw = read_like(roles, source)
    if labels and (raw.labels is None or all(one is None for one in raw.labels.sets)):
        wanted = ", ".join(roles.label) or "a label"
        raise DataError(
            f"expected {wanted} for each example, got none. Give labels, or use predict, which needs none."
        )
    return raw


def refuse_unlabelled(config: ClassifyConfig, raw: Raw) -> None:
    """Raises ConfigError where texts without labels are given and nothing could be learnt from them."""
    if config.unlabelled is None:
        return
    if config.bidirectional:
        raise ConfigError(
            "expected unlabelled texts for a model that reads in one direction, which foretells the next "
            "word, got bidirectional. Leave one of them out."
        )
    if raw.texts is None:
        raise ConfigError(
            "expected unlabelled texts for a file of texts, got a file of other sequences. Leave it out."
        )


def known(raw: Raw) -> np.ndarray[Any, np.dtype[Any]]:
    """Numbers of the examples with a label."""
    assert raw.labels is not None
    return np.array([n for n, said in enumerate(raw.labels.sets) if said is not None], dtype=np.int64)
