"""Files and their texts by part, as sources tell of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from recurra.data.media.listed import Clip, Listed


@dataclass
class Found:
    """Files by part ("train", "valid", "test"), and what had to be assumed."""

    parts: dict[str, list[Clip]]
    remarks: list[str] = field(default_factory=list)

    def all(self) -> list[Clip]:
        """Those of all parts."""
        return [clip for clips in self.parts.values() for clip in clips]


def by_column(listed: Listed) -> Found:
    """The parts that a table tells of in its column `split`."""
    parts: dict[str, list[Clip]] = {}
    for clip in listed.clips:
        parts.setdefault(clip.part or "train", []).append(clip)
    return Found(parts, listed.remarks)


def joined(found: Iterable[Found]) -> Found:
    """Those of several sources, part by part."""
    whole = Found({})
    for one in found:
        for part, clips in one.parts.items():
            whole.parts.setdefault(part, []).extend(clips)
        whole.remarks += [remark for remark in one.remarks if remark not in whole.remarks]
    return whole


def clip_of(path: Path, folder: Path, text: str | None) -> Clip:
    """A file that no table names, called as it lies in its folder."""
    name = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
    return Clip(path, name, text)
