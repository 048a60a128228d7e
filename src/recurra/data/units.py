"""What a text is best cut into, and the tokens that it has."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Iterable
from itertools import islice

import numpy as np

from recurra.data.pieces import BYTE_OF, fit_pieces
from recurra.data.tokens import BYTES, FIRST, UNKNOWN_WORD, WORD, Encoder, Tokens, Unit, code_points, whole
from recurra.data.vocabulary import LONG_WORDS, MOSTLY, UNSPACED
from recurra.errors import ConfigError

# Most tokens where the user names no number. Pieces of words by the characters that there are to learn from.
MOST_CHARACTERS, MOST_WORDS = 10_000, 50_000
MOST_PIECES = ((10_000_000, 4_000), (60_000_000, 8_000))
MOST_PIECES_OF_ALL = 16_000
# How often a token must occur to be told apart: what occurs once teaches how the unknown looks.
LEAST = 2
# Characters that pieces of words are learnt from, spread over the text; more would hardly change them.
PIECES_FROM = 20_000_000
# Different words that are counted. Of more, the rarest so far are forgotten.
COUNTED_WORDS = 1_000_000

# Characters from the beginning of a text that say what it is.
SAMPLE = 4_000_000
# Of these, as many as are looked at one by one.
LOOKED_AT = 200_000
# A text is no text where more than this share of its characters are no UTF-8.
INVALID = 0.005
# Words are a closed vocabulary where there are so many in a row, and hardly any occurs once, or where the
# others have been replaced.
RUNNING, RARE, REPLACED = 200_000, 0.003, 0.001
# Fewer different characters than this are an alphabet of their own: genes, melodies, digits.
SMALL_ALPHABET = 20
# Of less text than this, pieces of words do not come again often enough.
LITTLE = 3_000_000


def choose_tokens(sample: str, characters: int, invalid: float = 0.0) -> tuple[Unit, str]:
    """What a text should be cut into, and why.

    sample: its beginning, SAMPLE characters or all.  characters: of the whole.  invalid: share of them that
    are no UTF-8.
    """
    if invalid > INVALID or "\0" in sample:
        return "bytes", f"{invalid:.1%} of it is not UTF-8" if invalid > INVALID else "it is not text"
    counts = _count_words(sample[at : at + LOOKED_AT] for at in range(0, len(sample), LOOKED_AT))
    counts.pop("\n", None)
    running = counts.total()
    once = sum(count == 1 for count in counts.values())
    closed = once <= RARE * running or counts[UNKNOWN_WORD] >= REPLACED * running
    if running >= RUNNING and closed:
        return "words", "the text is already cut into words"
    why = _for_characters(sample, running, characters)
    return (
        ("characters", why) if why else ("bpe", f"{characters / 1e6:,.0f} million characters of many words")
    )


def _for_characters(sample: str, words: int, characters: int) -> str:
    """Why single characters suit a text that no closed set of words does; "" where they do not."""
    alphabet, some = len(set(sample) - {"\n"}), sample[:LOOKED_AT]
    if alphabet <= SMALL_ALPHABET:
        return f"there are {alphabet} different ones"
    if len(sample) > LONG_WORDS * words or len(UNSPACED.findall(some)) > MOSTLY * len(some):
        return "no spaces between words"
    if characters < LITTLE:
        return f"fewer than {LITTLE // 1_000_000} million of them"
    if importlib.util.find_spec("tokenizers") is None:
        return "bpe needs the package tokenizers"
    return ""


def most_tokens(unit: Unit, characters: int) -> int:
    """How many tokens to tell apart, where nobody says."""
    if unit == "bpe":
        return next((most for below, most in MOST_PIECES if characters < below), MOST_PIECES_OF_ALL)
    return {"characters": MOST_CHARACTERS, "bytes": len(BYTES), "words": MOST_WORDS}[unit]


def fit_tokens(stream: Iterable[str], unit: Unit, most: int, characters: int = 0) -> Tokens:
    """The `most` tokens that a text has most, the most frequent first.

    Of words all are kept where the text has <unk> for the others already. Raises ConfigError where `most` has
    no room for the bytes that pieces of words begin with.

    stream: the text in blocks.  characters: how many it has, if known; bpe then does without some of many.
    """
    if unit == "bytes":
        return Tokens(unit=unit, tokens=(*FIRST, *BYTES))
    if unit == "bpe":
        return _fit_pieces(islice(stream, 0, None, 1 + characters // PIECES_FROM), most)
    counts = _count_characters(stream) if unit == "characters" else _count_words(stream)
    least = 1 if counts[UNKNOWN_WORD] else LEAST
    lines = counts.pop("\n", 0)
    # Ties by the token itself. The end of a line is always one of them.
    usual = sorted((one for one in counts if counts[one] >= least), key=lambda one: (-counts[one], one))
    usual = usual[: most - 1]
    usual.insert(sum(counts[one] > lines for one in usual), "\n")
    return Tokens(unit=unit, tokens=(*FIRST, *usual))


def _count_characters(stream: Iterable[str]) -> Counter[str]:
    counts = np.zeros(0, dtype=np.int64)
    for text in stream:
        some = np.bincount(code_points(text))
        if len(some) > len(counts):
            counts = np.pad(counts, (0, len(some) - len(counts)))
        counts[: len(some)] += some
    return Counter({chr(point): int(counts[point]) for point in np.flatnonzero(counts)})


def _count_words(stream: Iterable[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    held = ""
    for text in stream:
        found, held = whole(held + text, WORD.findall, last=False)
        counts.update(found)
        rare = 0
        while len(counts) > COUNTED_WORDS >> bool(rare):
            rare += 1
            counts = Counter({word: count for word, count in counts.items() if count > rare})
    counts.update([held] if held else [])
    return counts


def _fit_pieces(stream: Iterable[str], most: int) -> Tokens:
    if most < len(BYTE_OF):
        raise ConfigError(
            f"expected at least {len(BYTE_OF)} tokens of bpe, one for each byte, got {most}. Ask for more."
        )
    # Bounded, and kept, since the pieces are counted after they are found, to be put in order.
    blocks = list(stream)
    found, merges = fit_pieces(blocks, most)
    encoder = Encoder(Tokens(unit="bpe", tokens=(*FIRST, *found), merges=merges))
    counts = np.zeros(len(found) + 2, dtype=np.int64)
    for text in blocks:
        counts += np.bincount(encoder.feed(text, last=True), minlength=len(counts))
    order = np.argsort(-counts[2:], kind="stable")
    return Tokens(unit="bpe", tokens=(*FIRST, *(found[at] for at in order)), merges=merges)
