"""What is said as tokens: characters, pieces of words, words or phones."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from recurra.data.frequency import Array
from recurra.data.tokens import FIRST, UNKNOWN, WORD, Tokens, Unit
from recurra.data.units import MOST_WORDS, fit_tokens
from recurra.data.vocabulary import MOSTLY, UNSPACED

if TYPE_CHECKING:
    from recurra.tasks.transcribe.config import TranscribeConfig

# Seconds of speech from which on pieces of words come again often enough, and how many pieces there are:
# fewer than for reading, since each must be known by its sound.
PIECES_FROM, PIECES = 20 * 3600, 1_000
NEWLINE = "\n"


def normal(text: str, lower: bool) -> str:
    """A text with one space between words."""
    text = " ".join(text.split())
    return text.lower() if lower else text


def choose_unit(config: TranscribeConfig, texts: Sequence[str], seconds: float) -> tuple[Unit, str]:
    """What texts are spelt in, and why. seconds: of speech to learn from."""
    if config.unit is not None:
        return config.unit, ""
    hours = f"{seconds / 3600:,.0f} hours of speech"
    letters = sum(map(len, texts))
    if seconds < PIECES_FROM:
        return "characters", "less than 20 hours of speech"
    if sum(len(UNSPACED.findall(text)) for text in texts) > MOSTLY * letters:
        return "characters", "no spaces between words"
    if importlib.util.find_spec("tokenizers") is None:
        return "characters", "bpe needs the package tokenizers"
    return "bpe", hours


def fit_texts(texts: Sequence[str], unit: Unit, most: int | None) -> Tokens:
    """The tokens of texts. Every character or word of them is one, unless there are more than `most`.

    Unlike in text alone, what occurs once is kept: what has no token can never be written. Raises ConfigError
    where `most` has no room for the bytes of bpe.
    """
    if unit == "bpe":
        return fit_tokens((f" {text}\n" for text in texts), "bpe", most or PIECES)
    cut = WORD.findall if unit == "words" else list
    counts = Counter(one for text in texts for one in cut(text) if one != NEWLINE)
    most = most or (MOST_WORDS if unit == "words" else len(counts) + 1)
    usual = sorted(counts, key=lambda one: (-counts[one], one))[: most - 1]
    return Tokens(unit=unit, tokens=(*FIRST, *usual, NEWLINE))


def encode_text(text: str, tokens: Tokens) -> Array:
    """The tokens (T,) int32 of a normal text; a piece at its beginning is the one that follows a space."""
    return tokens.encode(f" {text}" if tokens.unit == "bpe" and text else text)


def decode_text(numbers: Iterable[int], tokens: Tokens) -> str:
    """The text of some tokens."""
    return tokens.decode(numbers).strip()


def target_of(text: str, tokens: Tokens) -> Array:
    """The tokens (T,) int32 that should be heard: those of a text, but for what has none."""
    found = encode_text(text, tokens)
    return np.asarray(found[found != UNKNOWN])


def steps_needed(target: Array) -> int:
    """Steps in which tokens (T,) can be said: one each, and one of none between two that are the same."""
    return len(target) + int(np.count_nonzero(target[1:] == target[:-1]))
