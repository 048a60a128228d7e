"""Whatever the user points at (folders, files of captions, frames) as pictures and captions, by part."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.data.files import named_paths
from recurra.data.media.listed import Clip, Names
from recurra.data.media.places import is_there
from recurra.data.media.problems import Problems
from recurra.errors import ConfigError, DataError
from recurra.tasks.caption.listing import Listing
from recurra.tasks.caption.medium import FEATURES, PICTURES, is_picture

if TYPE_CHECKING:
    from recurra.tasks.caption.columns import Columns
    from recurra.tasks.caption.config import CaptionConfig

__all__ = ["FEATURES", "PICTURES", "Captioned", "Found", "read_like", "read_sources"]


@dataclass(frozen=True, slots=True)
class Captioned:
    """A picture and all its captions.

    path: of the picture, or of its features.  name: what the user's files call it.  place: the same, with
    where it is named first, for errors.
    """

    path: Path
    name: str
    captions: tuple[str, ...]
    place: str


@dataclass
class Found:
    """Pictures by part ("train", "valid", "test"), and what had to be assumed."""

    parts: dict[str, list[Captioned]]
    remarks: list[str] = field(default_factory=list)


def read_sources(config: CaptionConfig, source: Any, problems: Problems) -> Found:
    """Pictures to fit on, with those of parts of their own. Raises DataError, ConfigError."""
    reading = Listing(PICTURES, Names(config.path, config.text), problems)
    found = reading.read_parts(_with(source, config.captions), config.valid, config.test)
    remarks = [*found.remarks, *reading.unnamed(found.all())]
    grouping = _Grouping(problems)
    parts = {part: grouping.group(clips) for part, clips in found.parts.items()}
    if not parts["train"]:
        problems.settle(False)
        raise DataError("expected pictures to learn from, got all of them kept back. Name fewer.")
    return Found(parts, [*remarks, *grouping.remarks()])


def read_like(
    columns: Columns, source: Any, alone: bool, problems: Problems, captions: str | None = None
) -> tuple[list[Captioned], list[str]]:
    """Pictures of another source; where it has a test part, those. Raises DataError, ConfigError.

    alone: of all parts, with captions or without.  captions: a file of them.
    """
    reading = Listing(PICTURES, Names(columns.path, columns.text), problems, later=True)
    whole = _with(source, captions)
    clips, remarks = reading.read_alone(whole) if alone else reading.read_test(whole)
    grouping = _Grouping(problems, alone)
    pictures = grouping.group(clips)
    return pictures, [*remarks, *grouping.remarks()]


def _with(source: Any, captions: str | None) -> Any:
    """A source and the file of its captions."""
    if captions is None:
        return source
    if is_picture(Path(captions)):
        raise ConfigError(f"expected a file of captions, got the picture {captions}. Name their file.")
    paths = named_paths(source)
    other = next((path for path in paths or [] if path.is_file() and not is_picture(path)), None)
    if paths is None or other is not None:
        raise ConfigError(
            f"expected captions in one place, got the option captions beside {other or 'a frame'}. Name "
            "folders of pictures alone, or leave the option out."
        )
    return [*paths, Path(captions)]


@dataclass
class _Grouping:
    """Brings the captions of a picture together. alone: it need not have one.

    empty, twice: where the first caption is that is left out, and how many there are.
    """

    problems: Problems
    alone: bool = False
    empty: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)

    def group(self, clips: list[Clip]) -> list[Captioned]:
        """Pictures that are there, in the order in which they are first named."""
        groups: dict[Path, list[Clip]] = {}
        for clip in clips:
            groups.setdefault(clip.path, []).append(clip)
        found = []
        for path, same in groups.items():
            place = same[0].place or same[0].name
            if not is_there(path):
                self.problems.add("missing", place, f"nothing at {path}")
                continue
            captions = self._captions(same)
            if captions or self.alone:
                found.append(Captioned(path, same[0].name, captions, place))
            else:
                self.problems.add("unwritten", place)
        return found

    def _captions(self, same: list[Clip]) -> tuple[str, ...]:
        """Those of a picture, each once; where all are empty, the picture tells."""
        captions: dict[str, None] = {}
        empty = []
        for clip in same:
            text = (clip.text or "").strip()
            if not text:
                empty.append(clip.place or clip.name)
            elif text in captions:
                self.twice.append(clip.place or clip.name)
            else:
                captions[text] = None
        if captions:
            self.empty += empty
        return tuple(captions)

    def remarks(self) -> list[str]:
        """What was left out."""
        told = []
        for places, what in ((self.empty, "without a word"), (self.twice, "that its picture has twice")):
            if places:
                many = f"{len(places):,} caption{'s' * (len(places) > 1)}"
                told.append(f"left out: {many} {what}; the first is of {places[0]}")
        return told
