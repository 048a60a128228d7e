"""Byte-level byte-pair encoding: any text as pieces of words; nothing is unknown, and spaces are kept.

Sennrich, Haddow & Birch (2016), on bytes as in Radford et al. (2019). Text is first cut into runs of one kind
of character, which are then joined from bytes by the package tokenizers; no piece reaches over two runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from typing import Any

import numpy as np

from recurra.data.frequency import Array
from recurra.data.vocabulary import merges_of, need_tokenizers

# Punctuation and signs of ASCII, of Latin-1 and of the blocks of them beyond. All else that is no digit, no
# space and no control character counts as a letter, so that scripts whose vowels are marks stay whole.
SIGNS = "!-/:-@\\[-`{-\u00bf\u2000-\u206f\u3000-\u303f\uff00-\uff0f"
LETTER, SIGN, SPACE = f"[^\x00-@{SIGNS}]", f"[\x00-\x08\x0e-\x1f{SIGNS}]", "[\t\x0b-\r ]"
# A word, up to three digits, or signs, each with the space before it; other spaces; the end of a line by
# itself. Runs are bounded, and no choice looks further ahead than one character: text can be cut in blocks.
RUN = re.compile(
    f" ?(?:'?{LETTER}{{1,99}}|[0-9]{{1,3}}|{SIGN}{{1,99}})|{SPACE}{{1,99}}(?![^\t-\r ])|{SPACE}{{1,99}}|\n"
)
# Half a surrogate pair, which is no character.
HALF = re.compile("[\ud800-\udfff]")
# What runs are joined with on their way to the trainer. A NUL of the text itself merely ends a run, too.
BETWEEN = "\0"
# Of these, so many at a time: the trainer is slow with long texts, and what is said of each takes memory.
AT_ONCE = 500
# Different runs that are learnt from; texts of real words have fewer.
DIFFERENT = 250_000
# Runs that are remembered with their tokens; of more, memory would grow with the text.
REMEMBERED = 500_000


def _characters() -> dict[int, str]:
    """The printable character that stands for each byte in tokens: its own, where it has one."""
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in own]
    return {byte: chr(byte) for byte in own} | {byte: chr(256 + at) for at, byte in enumerate(others)}


CHARACTER_OF = _characters()
BYTE_OF = {character: byte for byte, character in CHARACTER_OF.items()}
# The end of a line, as a token.
NEWLINE = CHARACTER_OF[0x0A]


def runs(text: str) -> list[str]:
    """What a text is cut into before anything is joined; all of it, in order."""
    return RUN.findall(text)


def to_bytes(token: str) -> bytes:
    """The bytes that a token stands for."""
    return bytes(BYTE_OF[character] for character in token)


def fit_pieces(stream: Iterable[str], most: int) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """At most `most` tokens of a text in blocks, and the pairs that are joined, in order."""
    tokenizers = need_tokenizers()
    piecer = tokenizers.Tokenizer(tokenizers.models.BPE())
    pre = tokenizers.pre_tokenizers
    piecer.pre_tokenizer = pre.Sequence([pre.CharDelimiterSplit(BETWEEN), _bytes(tokenizers)])
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=most,
        min_frequency=2,
        show_progress=False,
        special_tokens=[],
        initial_alphabet=pre.ByteLevel.alphabet(),
    )
    piecer.train_from_iterator(_joined(stream), trainer)
    numbers = piecer.get_vocab()
    return tuple(sorted(numbers, key=numbers.__getitem__)), merges_of(piecer)


def _joined(stream: Iterable[str]) -> Iterator[str]:
    """The runs of a stream, many to a text, until there are enough different ones."""
    different: set[str] = set()
    for block in stream:
        found = runs(block)
        different.update(found)
        for at in range(0, len(found), AT_ONCE):
            yield BETWEEN.join(found[at : at + AT_ONCE])
        if len(different) > DIFFERENT:
            return


def _bytes(tokenizers: Any) -> Any:
    return tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)


class Joiner:
    """Joins the bytes of runs to tokens; for a run that comes again and again, once."""

    def __init__(self, tokens: Iterable[str], merges: Iterable[tuple[str, str]]) -> None:
        """tokens: in the order of their numbers, from 0."""
        tokenizers = need_tokenizers()
        numbers = {token: number for number, token in enumerate(tokens)}
        self._piecer = tokenizers.Tokenizer(tokenizers.models.BPE(numbers, list(merges)))
        self._piecer.pre_tokenizer = _bytes(tokenizers)
        self._forget()

    def join(self, found: list[str]) -> Array:
        """Numbers (T,) int32 of the tokens of all these runs."""
        if len(self._places) > REMEMBERED:
            self._forget()
        which = self._find(found)
        missed = np.flatnonzero(which < 0)
        if len(missed):
            self._learn(list(dict.fromkeys(found[at] for at in missed)))
            which = self._find(found)
        lengths = self._lengths[which]
        # Where each run's tokens lie among those of all, one after another.
        ends = np.cumsum(lengths)
        shift = np.repeat(self._starts[which] - ends + lengths, lengths)
        return np.asarray(self._values[shift + np.arange(len(shift))])

    def _find(self, found: list[str]) -> Array:
        """Places of runs, -1 for a new one."""
        return np.fromiter(map(self._places.get, found, repeat(-1)), dtype=np.int64, count=len(found))

    def _forget(self) -> None:
        self._places: dict[str, int] = {}
        self._values, self._starts, self._lengths = (np.zeros(0, dtype=d) for d in (np.int32, "i8", "i8"))

    def _learn(self, new: list[str]) -> None:
        values: list[list[int]] = []
        for at in range(0, len(new), AT_ONCE):
            sound = [HALF.sub("\ufffd", run) for run in new[at : at + AT_ONCE]]
            values += [one.ids for one in self._piecer.encode_batch(sound, add_special_tokens=False)]
        lengths = np.array([len(one) for one in values], dtype=np.int64)
        starts = len(self._values) + np.cumsum(lengths) - lengths
        flat = np.fromiter(chain.from_iterable(values), dtype=np.int32, count=int(lengths.sum()))
        self._places.update(zip(new, range(len(self._places), len(self._places) + len(new)), strict=True))
        self._values = np.concatenate([self._values, flat])
        self._starts = np.concatenate([self._starts, starts])
        self._lengths = np.concatenate([self._lengths, lengths])
