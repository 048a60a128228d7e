"""From recordings to what is said in them: the search, words with their times, and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.data.tokens import Tokens
from recurra.decode.ctc import Beam, Hypothesis, Search
from recurra.decode.fusion import Fusion
from recurra.decode.gaps import Gaps
from recurra.decode.lexicon import Words
from recurra.decode.wordtimes import Word, word_times
from recurra.tasks.base import Transcript
from recurra.tasks.transcribe.features import step_seconds
from recurra.tasks.transcribe.phones import BETWEEN

if TYPE_CHECKING:
    from recurra.tasks.transcribe.schema import Schema

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Begun(Transcript):
    """A part of what is said that the next part goes on with, without a space: within a word, or where there
    is no space between words.
    """


def separator(tokens: Tokens) -> Gaps:
    """Where a long text may be cut."""
    return Gaps.of(tokens, BETWEEN)


def utterance(schema: Schema, found: Hypothesis, language: Fusion | None) -> Transcript:
    """What a search found, as words."""
    known = language if isinstance(language, Words) else None
    words = word_times(found, schema.tokens, step_seconds(schema.rate), known, BETWEEN)
    kind = Transcript if found.whole else Begun
    return kind(" ".join(word.text for word in words), tuple(words), found.score)


def searched(log_p: Array, schema: Schema, beam: Beam, language: Fusion | None) -> Transcript:
    """What is said in a whole recording, of which the network said log_p (T, V)."""
    search = Search(beam, language, separator(schema.tokens))
    search.feed(log_p)
    parts = [search.settled(), search.best(1)[0]]
    return joined([utterance(schema, part, language) for part in parts if part is not None])


def joined(parts: Sequence[Transcript]) -> Transcript:
    """Transcripts one after the other, with a space between, unless the first of two is `Begun`."""
    words: list[Word] = []
    text, begun = "", False
    for part in parts:
        if not part.text:
            continue
        if begun and words and part.words:
            words[-1:] = [_one(words[-1], part.words[0]), *part.words[1:]]
        else:
            words += part.words
        text += part.text if begun or not text else f" {part.text}"
        begun = isinstance(part, Begun)
    return Transcript(text, tuple(words), sum(part.score for part in parts))


def _one(first: Word, last: Word) -> Word:
    """A word of its two parts."""
    return Word(first.text + last.text, first.begin, last.end, min(first.confidence, last.confidence))
