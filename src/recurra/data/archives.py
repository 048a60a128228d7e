"""Time-series archives: the .ts files of aeon and sktime, the .arff files of Weka."""

from __future__ import annotations

import csv
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recurra.data.delimited import decode
from recurra.data.files import content
from recurra.data.frequency import Array
from recurra.data.ragged import Ragged
from recurra.errors import DataError

ENDINGS = (".ts", ".arff")
# What a series of one channel calls it; those of several are numbered.
ALONE = "value"


@dataclass(frozen=True, slots=True)
class Archive:
    """Labelled series of one file.

    series: values (S, C) float64, NaN where missing.  labels: None for each case without one; None if the
    file says that it has none.  lines: the line of each case.
    """

    name: str
    channels: tuple[str, ...]
    series: Ragged
    labels: list[str | None] | None
    lines: list[int]
    notes: tuple[str, ...]
    sha256: bytes


def is_archive(path: Path) -> bool:
    """Whether the name says that this is such a file."""
    return path.name.lower().removesuffix(".gz").endswith(ENDINGS)


def read_archive(path: Path) -> Archive:
    """Read one file. Raises DataError with the line."""
    raw = content(path)
    text, notes = decode(raw, path.name)
    lines = text.decode().splitlines()
    read = _read_arff if path.name.lower().removesuffix(".gz").endswith(".arff") else _read_ts
    cases, labels, numbers = read(lines, path.name)
    if not cases:
        raise DataError(
            "expected cases below @data, got none. Give a file with some.", file=path.name, row=len(lines)
        )
    width = len(cases[0])
    for case, line in zip(cases, numbers, strict=True):
        if len(case) != width:
            raise DataError(
                f"expected {width} channels as in the first case, got {len(case)}. Correct the line.",
                file=path.name,
                row=line,
            )
    series = Ragged.of([_joined(case) for case in cases])
    names = (ALONE,) if width == 1 else tuple(f"channel {at}" for at in range(1, width + 1))
    return Archive(path.name, names, series, labels, numbers, tuple(notes), hashlib.sha256(raw).digest())


def _joined(case: list[Array]) -> Array:
    """Channels of a case side by side, (T, C); the shorter ones end with missing values."""
    longest = max(map(len, case))
    if all(len(channel) == longest for channel in case):
        return np.stack(case, axis=1)
    return np.stack(
        [np.pad(channel, (0, longest - len(channel)), constant_values=np.nan) for channel in case], axis=1
    )


Cases = tuple[list[list[Array]], list[str | None] | None, list[int]]


def _read_ts(lines: list[str], name: str) -> Cases:
    said, first = _header(lines, name)
    if "targetlabel" in said and said["targetlabel"][:1] == ["true"]:
        raise DataError(
            "expected classes, got @targetlabel, a number for each case. Give a file with @classLabel true.",
            file=name,
        )
    labelled = said.get("classlabel", ["false"])[0] == "true"
    stamped = said.get("timestamps", ["false"])[0] == "true"
    cases, labels, numbers = [], [], []
    for number, line in enumerate(lines[first:], first + 1):
        if not line.strip() or line.startswith(("#", "%")):
            continue
        cells = _dimensions(line) if stamped else line.strip().split(":")
        if labelled:
            label = cells.pop().strip()
            labels.append(None if label in ("?", "") else label)
        cases.append([_figures(cell, stamped, name, number) for cell in cells])
        numbers.append(number)
    return cases, (labels if labelled else None), numbers


def _header(lines: list[str], name: str) -> tuple[dict[str, list[str]], int]:
    """What lines with @ say, in lower case, and the number of lines down to @data."""
    said: dict[str, list[str]] = {}
    for at, line in enumerate(lines):
        words = line.strip().lower().split()
        if not words or words[0].startswith(("#", "%")):
            continue
        if words[0] == "@data":
            return said, at + 1
        if not words[0].startswith("@"):
            raise DataError(
                f"expected a line with @ above @data, got {line[:40]!r}. Correct the line.",
                file=name,
                row=at + 1,
            )
        said[words[0][1:]] = words[1:]
    raise DataError("expected a line @data, got none. Give a whole file.", file=name)


def _dimensions(line: str) -> list[str]:
    """The parts of a line with time stamps: at colons outside of brackets."""
    return re.split(r":(?![^(]*\))", line.strip())


def _figures(cell: str, stamped: bool, name: str, line: int) -> Array:
    """The values of one channel, (T,) float64; of (time, value) pairs, in the order of the file."""
    if stamped:
        cells = [pair.rsplit(",", 1)[-1] for pair in re.findall(r"\(([^)]*)\)", cell)]
    else:
        cells = cell.split(",") if cell.strip() else []
    if "?" in cell:
        cells = ["nan" if one.strip() == "?" else one for one in cells]
    try:
        return np.array(cells, dtype=np.float64)
    except ValueError:
        odd = next(one for one in cells if not _is_float(one))
        raise DataError(
            f"expected numbers between commas, got {odd.strip()[:40]!r}. "
            "Correct it, or write ? where a value is missing.",
            file=name,
            row=line,
        ) from None


def _is_float(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _read_arff(lines: list[str], name: str) -> Cases:
    kinds, nested, first = _attributes(lines, name)
    label = len(kinds) - 1 if kinds and kinds[-1].startswith("{") else None
    for at, kind in enumerate(kinds):
        if at != label and kind not in ("numeric", "real", "integer", "relational"):
            raise DataError(
                f"expected numeric attributes and a last one of classes, got {kind[:40]!r}. "
                "Save the data as CSV, with a header.",
                file=name,
            )
    cases, labels, numbers = [], [], []
    quote = next((one for one in "'\"" if any(line.startswith(one) for line in lines[first:])), "'")
    for number, line in enumerate(lines[first:], first + 1):
        if not line.strip() or line.startswith("%"):
            continue
        cells = [cell.strip() for cell in next(csv.reader([line], quotechar=quote, skipinitialspace=True))]
        if len(cells) != len(kinds):
            raise DataError(
                f"expected {len(kinds)} values as there are attributes, got {len(cells)}. Correct the line.",
                file=name,
                row=number,
            )
        if label is not None:
            text = cells.pop().strip("'\"")
            labels.append(None if text == "?" else text)
        channels = cells[0].replace("\\n", "\n").split("\n") if nested else [",".join(cells)]
        cases.append([_figures(channel, False, name, number) for channel in channels])
        numbers.append(number)
    return cases, (labels if label is not None else None), numbers


def _attributes(lines: list[str], name: str) -> tuple[list[str], bool, int]:
    """Kinds of the attributes, whether they lie inside a relational one, and the lines down to @data."""
    kinds: list[str] = []
    inside = nested = False
    for at, line in enumerate(lines):
        text = line.strip()
        lower = text.lower()
        if lower.startswith("@data"):
            return kinds, nested, at + 1
        if lower.startswith("@end"):
            inside = False
        if lower.startswith("@attribute") and not inside:
            found = re.fullmatch(r"@attribute\s+('[^']*'|\"[^\"]*\"|\S+?)\s*(\{.*\}|\s\S+).*", text, re.I)
            kind = found[2].strip().lower() if found else text
            kinds.append(kind)
            inside = kind == "relational"
            nested = nested or inside
    raise DataError("expected a line @data, got none. Give a whole file.", file=name)
