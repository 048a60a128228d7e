"""Captions as tokens: words, pieces of words or characters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from recurra.data.frequency import Array
from recurra.data.tokens import FIRST, Tokens, Unit
from recurra.data.units import MOST_WORDS, fit_tokens
from recurra.data.vocabulary import MOSTLY, UNSPACED

if TYPE_CHECKING:
    from recurra.tasks.caption.config import CaptionConfig

# How often a word must occur to be told apart; of fewer captions than MANY it may occur less often.
OFTEN, SELDOM, MANY = 5, 2, 10_000
# Pieces of words, where those are told apart: captions are short and say few things.
PIECES = 3_000
NEWLINE = "\n"
# What tells left from right, and the share of captions up to which that is by the way.
SIDES = re.compile(r"\b(?:left|right)(?:most|hand|ward)?\b", re.IGNORECASE)
SAID = 0.02
# A word with what joins its parts; an English ending may stand apart, as some files have them cut.
WORD = re.compile(r"(?:(?<!\w)['’](?=(?:s|re|ve|ll|d|m|t)\b))?\w+(?:['’.,-]\w+)*")


def choose_unit(config: CaptionConfig, captions: Sequence[str]) -> tuple[Unit, str]:
    """What captions are cut into, and why."""
    if config.unit is not None:
        return config.unit, ""
    letters = sum(map(len, captions))
    if sum(len(UNSPACED.findall(text)) for text in captions) > MOSTLY * letters:
        return "characters", "no spaces between words"
    return "words", ""


def tell_sides(captions: Sequence[str]) -> bool:
    """Whether captions tell left from right more than now and then, in English."""
    return sum(bool(SIDES.search(text)) for text in captions) > SAID * len(captions)


def normal(text: str, unit: Unit, lower: bool) -> str:
    """A caption with one space between words; where those are the tokens, without punctuation."""
    text = " ".join(WORD.findall(text) if unit == "words" else text.split())
    return text.lower() if lower else text


def fit_texts(texts: Sequence[str], unit: Unit, most: int | None) -> Tokens:
    """The tokens of normal captions, the most frequent first.

    Raises ConfigError where `most` has no room for the bytes of bpe.
    """
    if unit == "bpe":
        return fit_tokens((f" {text}\n" for text in texts), "bpe", most or PIECES)
    counts = Counter(one for text in texts for one in (text.split() if unit == "words" else text))
    least = 1 if unit == "characters" else OFTEN if len(texts) >= MANY else SELDOM
    if max(counts.values(), default=0) < least:
        least = 1
    usual = sorted((one for one in counts if counts[one] >= least), key=lambda one: (-counts[one], one))
    usual = [one for one in usual if one != NEWLINE][: (most or MOST_WORDS) - 1]
    return Tokens(unit=unit, tokens=(*FIRST, *usual, NEWLINE))


def encode_text(text: str, tokens: Tokens) -> Array:
    """The tokens (T,) int32 of a normal caption; a piece at its beginning is one that follows a space."""
    return tokens.encode(f" {text}" if tokens.unit == "bpe" and text else text)


def decode_text(numbers: Iterable[int], tokens: Tokens) -> str:
    """The text of some tokens."""
    return tokens.decode(numbers).strip()
