"""Text as a row of numbers and back again, nothing lost: characters, bytes, words, or pieces of words."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from functools import cached_property
from itertools import repeat
from typing import Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

from recurra.data.frequency import Array
from recurra.data.pieces import BYTE_OF, NEWLINE, Joiner, runs, to_bytes

Unit = Literal["characters", "bytes", "words", "bpe"]

# Number 0 stands before each document; number 1 for whatever training did not show. Real tokens begin at 2.
BORDER, UNKNOWN = 0, 1
FIRST = ("", "<unknown>")
# What texts that were cut to a closed vocabulary have in the place of other words.
UNKNOWN_WORD = "<unk>"
BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
# A word is what stands between white space. A longer one is read as several, so that a text without any white
# space cannot fill the memory.
LONGEST_WORD = 100
WORD = re.compile(rf"\S{{1,{LONGEST_WORD}}}|\n")
# The same with the white space before it.
SPACED_WORD = re.compile(rf"[^\S\n]*(?:\S{{1,{LONGEST_WORD}}}|\n)")
CODE_POINTS = 0x110000
LOST = "\ufffd"


class Tokens(BaseModel):
    """The tokens of a text in the order of their numbers, and what the text is cut into.

    characters: nothing is changed.  bytes: those of UTF-8, or of whatever a file holds.  words: what stands
    between white space, and "\\n"; between two of them was one space.  bpe: see recurra.data.pieces.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: Unit
    tokens: tuple[str, ...]
    merges: tuple[tuple[str, str], ...] = ()  # of bpe: the pairs that are joined, in order

    @model_validator(mode="after")
    def _whole(self) -> Self:
        real = self.tokens[2:]
        known = set(real)
        sound = self.tokens[:2] == FIRST and len(known) == len(real)
        if self.unit == "bytes":
            sound = sound and real == BYTES
        elif self.unit == "bpe":
            sound = sound and known >= BYTE_OF.keys() and all(a + b in known for a, b in self.merges)
            sound = sound and all(BYTE_OF.keys() >= set(one) for one in real)
        else:
            one = WORD if self.unit == "words" else re.compile(".", re.DOTALL)
            sound = sound and "\n" in known and all(one.fullmatch(token) for token in real)
        if not sound:
            raise ValueError(f"expected whole {self.unit} as tokens, got others. Fit them anew.")
        return self

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def newline(self) -> int:
        """The number of the end of a line, which is a token of its own in every unit."""
        of = {"bytes": BYTES[0x0A], "bpe": NEWLINE}
        return self._numbers[of.get(self.unit, "\n")]

    def encode(self, text: str | bytes) -> Array:
        """The numbers of a text's tokens, (T,) int32."""
        return Encoder(self).feed(text, last=True)

    def decode(self, numbers: Iterable[int]) -> str:
        """The text that has these tokens."""
        return "".join(self.pieces(numbers))

    def split(self, text: str | bytes) -> list[str]:
        """What each token stands for, as it stands in the text; joined, they are the text.

        A word comes with the white space before it; a character of several tokens, with the last of them.
        """
        if self.unit != "words":
            text = self._text(text)
            return list(text) if self.unit == "characters" else self.pieces(self.encode(text))
        text = self._text(text)
        found = SPACED_WORD.findall(text)
        if found:
            found[-1] += text[sum(map(len, found)) :]
        return found

    def pieces(self, numbers: Iterable[int]) -> list[str]:
        """The text that each token adds to those before; joined, they are the decoded text."""
        decoder = self.decoder()
        found = [decoder.feed(int(number)) for number in numbers]
        if found:
            found[-1] += decoder.end()
        return found

    def decoder(self) -> Decoder:
        """Makes text of one token after the other."""
        return WordDecoder(self) if self.unit == "words" else PieceDecoder(self)

    def bytes_of(self, number: int) -> bytes:
        """The bytes that a token stands for; those of U+FFFD for an unknown one, none for BORDER."""
        return self._bytes[number]

    @cached_property
    def _bytes(self) -> list[bytes]:
        real = self.tokens[2:]
        if self.unit == "bytes":
            found = [bytes([byte]) for byte in range(256)]
        elif self.unit == "bpe":
            found = [to_bytes(token) for token in real]
        else:
            found = [token.encode() for token in real]
        return [b"", LOST.encode(), *found]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        """Of real tokens: a word <unknown> in a text is a word."""
        return {token: number for number, token in enumerate(self.tokens[2:], 2)}

    @cached_property
    def _letters(self) -> Letters:
        return Letters(self.tokens)

    @cached_property
    def _joiner(self) -> Joiner:
        return Joiner(self.tokens[2:], self.merges)

    def _text(self, text: str | bytes) -> str:
        return text.decode(errors="replace") if isinstance(text, bytes) else text


class Encoder:
    """Makes numbers of text in blocks, as if it came at once.  unknown: tokens that had no number so far."""

    def __init__(self, tokens: Tokens) -> None:
        self.unknown = 0
        self._tokens, self._held = tokens, ""
        self._cut = {"words": WORD.findall, "bpe": runs}.get(tokens.unit)

    def feed(self, text: str | bytes, last: bool = False) -> Array:
        """Numbers (T,) int32 of what is certain by now; of all the rest with the last block."""
        tokens = self._tokens
        if tokens.unit == "bytes":
            raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
            return np.frombuffer(raw, dtype=np.uint8).astype(np.int32) + 2
        text = tokens._text(text)
        if self._cut is None:
            numbers = tokens._letters.find(text)
            self.unknown += int((numbers == UNKNOWN).sum())
            return numbers
        found, self._held = whole(self._held + text, self._cut, last)
        return self._of_words(found) if tokens.unit == "words" else tokens._joiner.join(found) + np.int32(2)

    def _of_words(self, found: list[str]) -> Array:
        numbers = self._tokens._numbers
        known = np.fromiter(map(numbers.get, found, repeat(-1)), dtype=np.int32, count=len(found))
        lost = known < 0
        self.unknown += int(lost.sum())
        known[lost] = numbers.get(UNKNOWN_WORD, UNKNOWN)
        return known


def whole(text: str, cut: Any, last: bool) -> tuple[list[str], str]:
    """What a block of text is cut into, and its end, held back where more might belong to it."""
    found: list[str] = cut(text)
    if last or not found or (text[-1].isspace() and cut is not runs):
        return found, ""
    return found, found.pop()


class Letters:
    """Looks up the numbers of characters."""

    def __init__(self, tokens: tuple[str, ...]) -> None:
        self._numbers = np.full(CODE_POINTS, UNKNOWN, dtype=np.int32)
        self._numbers[[ord(token) for token in tokens[2:]]] = np.arange(2, len(tokens))

    def find(self, text: str) -> Array:
        """(T,) int32, UNKNOWN where a character has none."""
        return np.asarray(self._numbers[code_points(text)])


def code_points(text: str) -> Array:
    """(T,) the number of each character in Unicode."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), dtype=np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


class PieceDecoder:
    """Text of characters, bytes or pieces of words, token by token; whole characters alone."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, number: int) -> str:
        """The text that is certain with this token."""
        # What a document leaves unfinished does not go on in the next.
        before = self._decoder.decode(b"", final=True) if number == BORDER else ""
        return before + self._decoder.decode(self._tokens.bytes_of(number))

    def end(self) -> str:
        """The text of bytes that nothing followed, as U+FFFD."""
        return self._decoder.decode(b"", final=True)


class WordDecoder:
    """Text of words, token by token, with a space between two words."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens, self._space = tokens, ""

    def feed(self, number: int) -> str:
        """The word, with the space before it."""
        token = self._tokens.tokens[number]
        ends = number == BORDER or token == "\n"
        before, self._space = "" if ends else self._space, "" if ends else " "
        return before + token

    def end(self) -> str:
        """Nothing; words are whole."""
        return ""


Decoder = PieceDecoder | WordDecoder
