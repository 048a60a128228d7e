"""Whatever the user points at (folders, tables, recordings, frames) as recordings and texts, by part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recurra.data.media.found import Found
from recurra.data.media.listed import Clip, Names
from recurra.data.media.problems import Problems
from recurra.data.media.sources import Reading
from recurra.tasks.transcribe.medium import RECORDINGS
from recurra.tasks.transcribe.schema import Columns

if TYPE_CHECKING:
    from recurra.tasks.transcribe.config import TranscribeConfig


def read_sources(config: TranscribeConfig, source: Any, problems: Problems) -> Found:
    """Recordings to fit on, with those of parts of their own. Raises DataError, ConfigError."""
    names = Names(config.path, config.text, config.speaker)
    return Reading(RECORDINGS, names, problems).read_parts(source, config.valid, config.test)


def read_like(columns: Columns, source: Any, alone: bool, problems: Problems) -> tuple[list[Clip], list[str]]:
    """Recordings of another source; where it has a test part, those. alone: of all parts, texts or none."""
    names = Names(columns.path, columns.text, columns.speaker)
    reading = Reading(RECORDINGS, names, problems, later=True)
    return reading.read_alone(source) if alone else reading.read_test(source)
