"""From recordings to what is said in them: the search, words with their times, and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.data.tokens import Tokens
from recurra.decode.ctc import Beam, Hypothesis, Search
from recurra.decode.fusion import Fusion
from recurra.decode.lexicon import Words
from recurra.decode.wordtimes import Word, word_times
from recurra.tasks.base import Transcript
from recurra.tasks.transcribe.features import step_seconds
from recurra.tasks.transcribe.phones import BETWEEN

if TYPE_CHECKING:
    from recurra.tasks.transcribe.schema import Schema

Array = np.ndarray[Any, np.dtype[Any]]


def separator(tokens: Tokens) -> int | None:
    """The token between two words, where there is one."""
    between = {"characters": " ", "words": BETWEEN}.get(tokens.unit)
    return tokens.tokens.index(between) if between in tokens.tokens else None


def utterance(schema: Schema, found: Hypothesis, language: Fusion | None) -> Transcript:
    """What a search found, as words."""
    known = language if isinstance(language, Words) else None
    words = word_times(found, schema.tokens, step_seconds(schema.rate), known, BETWEEN)
    return Transcript(" ".join(word.text for word in words), tuple(words), found.score)


def searched(log_p: Array, schema: Schema, beam: Beam, language: Fusion | None) -> Transcript:
    """What is said in a whole recording, of which the network said log_p (T, V)."""
    search = Search(beam, language, separator(schema.tokens))
    search.feed(log_p)
    parts = [search.settled(), search.best(1)[0]]
    return joined([utterance(schema, part, language) for part in parts if part is not None])


def joined(parts: Sequence[Transcript]) -> Transcript:
    """Transcripts one after the other."""
    words: tuple[Word, ...] = tuple(word for part in parts for word in part.words)
    return Transcript(
        " ".join(part.text for part in parts if part.text), words, sum(part.score for part in parts)
    )
