"""Token numbers of texts on disk: as many as it has room for, and read as if they were in memory."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recurra.data.corpus import Corpus, TextFile
from recurra.data.documents import Borders, Documents, ended, without_white_lines
from recurra.data.frequency import Array
from recurra.data.tokens import Encoder, Tokens, Unit
from recurra.errors import DataError

# Numbers below this fit two bytes.
SHORT = 1 << 16
# Tokens whose ends of lines are counted together.
STRIDE = 1 << 16


@dataclass(slots=True)
class Counts:
    """What a part holds. tokens: without BORDERs.  unknown: of them, those that training did not show.

    characters: code points that the tokens stand for.  bytes: the same in UTF-8.  Of a file that is read as
    bytes, a character is a byte that would begin one in UTF-8.
    """

    characters: int = 0
    bytes: int = 0
    lines: int = 0
    tokens: int = 0
    unknown: int = 0


@dataclass(frozen=True)
class Part:
    """Tokens of a text, and where they come from.

    tokens: (T,) uint16 or int32, BORDERs among them.  files: those it is from.  starts: (F,) int64, the first
    token of each file.  lines: (F,) int64, the line of that token.  newline: the number of the end of a line.
    """

    tokens: Array
    counts: Counts
    files: tuple[TextFile, ...]
    starts: Array
    lines: Array
    newline: int

    @property
    def names(self) -> tuple[str, ...]:
        """Of the files; with the folders that tell them apart where two have the same name."""
        plain = [file.name for file in self.files]
        paths = {file.path for file in self.files}
        if len(set(plain)) == len(paths):
            return tuple(plain)
        shared = os.path.commonpath([path.parent for path in paths])
        return tuple(str(file.path.relative_to(shared)) for file in self.files)

    def place(self, token: int) -> tuple[str, int]:
        """The file and the line that a token is in."""
        files, lines = self.places(token, token + 1)
        return self.names[int(files[0])], int(lines[0])

    def places(self, begin: int, end: int) -> tuple[Array, Array]:
        """Numbers of the files, and lines, that the tokens begin to end are in, each (end - begin,) int64."""
        end = min(end, len(self.tokens))
        files = np.searchsorted(self.starts, np.arange(begin, end), side="right") - 1
        ends = self.tokens[begin:end] == self.newline
        before = self._ends_before(begin) + np.cumsum(ends) - ends
        return files, self.lines[files] + before - self._before_files[files]

    def _ends_before(self, token: int) -> int:
        block = token // STRIDE
        return int(self._sums[block] + (self.tokens[block * STRIDE : token] == self.newline).sum())

    @cached_property
    def _sums(self) -> Array:
        """Ends of lines before every STRIDE-th token."""
        blocks = (self.tokens[at : at + STRIDE] for at in range(0, len(self.tokens), STRIDE))
        return np.cumsum([0, *(int((block == self.newline).sum()) for block in blocks)])

    @cached_property
    def _before_files(self) -> Array:
        """(F,) int64, ends of lines before each file."""
        return np.array([self._ends_before(int(at)) for at in self.starts], dtype=np.int64)


def texts_by_file(
    corpus: Corpus, begin: int, end: int, unit: Unit, documents: Documents
) -> Iterator[tuple[int, Iterator[str]]]:
    """The characters begin to end as tokens are made of them: each file's number, and its text in blocks.

    Where ends of lines mean something, the last line of a file has one, too.
    """
    for number, first, last in corpus.within(begin, end):
        file = corpus.files[number]
        blocks = file.texts(first, last, corpus.block)
        if last == file.characters and (documents != "file" or unit == "words"):
            blocks = ended(blocks)
        yield number, blocks if documents == "file" else without_white_lines(blocks)


def encode_parts(
    parts: Sequence[tuple[Corpus, int, int]], tokens: Tokens, documents: Documents
) -> list[Part]:
    """The tokens of parts of texts, each given by its first character and the one after its last.

    They lie in one file without a name, which is gone when nothing uses it any more. Raises DataError where
    there is no room for it.
    """
    kind = np.dtype(np.uint16 if len(tokens) <= SHORT else np.int32)
    lines: Counter[tuple[int, int]] = Counter()
    counted = [_Counted(tokens, documents, lines) for _ in parts]
    try:
        with tempfile.TemporaryFile(prefix="recurra-") as file:
            for part, one in zip(parts, counted, strict=True):
                for numbers in one.encode(*part):
                    file.write(numbers.astype(kind).data)
            file.flush()
            size = sum(one.written for one in counted)
            whole = np.memmap(file, kind, "r", shape=(size,)) if size else np.zeros(0, kind)
    except OSError as error:
        raise DataError(
            f"expected room for the tokens in {tempfile.gettempdir()}, got {error.strerror}. "
            "Set TMPDIR to a folder that has it."
        ) from error
    ends = np.cumsum([one.written for one in counted])
    return [one.part(whole[end - one.written : end]) for one, end in zip(counted, ends, strict=True)]


class _Counted:
    """Encodes one part, and keeps count. lines: ends of lines in earlier parts, by corpus and file."""

    def __init__(self, tokens: Tokens, documents: Documents, lines: Counter[tuple[int, int]]) -> None:
        self.tokens, self.documents, self.lines = tokens, documents, lines
        self.written, self.counts = 0, Counts()
        self.files: list[tuple[TextFile, int, int]] = []  # with the first token and its line

    def encode(self, corpus: Corpus, begin: int, end: int) -> Iterator[Array]:
        """Numbers of the characters begin to end, BORDERs among them, in blocks."""
        for number, blocks in texts_by_file(corpus, begin, end, self.tokens.unit, self.documents):
            file, key = corpus.files[number], (id(corpus), number)
            self.files.append((file, self.written, 1 + self.lines[key]))
            encoder, borders = Encoder(self.tokens), Borders(self.documents, self.tokens.newline)
            last = "\n"
            for text in blocks:
                last = text[-1:] or last
                self.lines[key] += text.count("\n")
                yield self._put(borders, encoder.feed(self._count(text)))
            yield self._put(borders, encoder.feed("", last=True))
            self.counts.lines += last != "\n"
            self.counts.unknown += encoder.unknown

    def _put(self, borders: Borders, numbers: Array) -> Array:
        self.counts.tokens += len(numbers)
        numbers = borders.put(numbers)
        self.written += len(numbers)
        return numbers

    def _count(self, text: str) -> str | bytes:
        """The text, or the bytes it stands for, once counted."""
        counts = self.counts
        counts.lines += text.count("\n")
        if self.tokens.unit == "bytes":
            raw = text.encode("latin-1")
            counts.bytes += len(raw)
            counts.characters += int((np.frombuffer(raw, dtype=np.uint8) & 0xC0 != 0x80).sum())
            return raw
        counts.characters += len(text)
        counts.bytes += len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        return text

    def part(self, tokens: Array) -> Part:
        """What was encoded, with its tokens as they lie in the file."""
        files, starts, lines = zip(*self.files, strict=True) if self.files else ((), (), ())
        first, line = np.array(starts, dtype=np.int64), np.array(lines, dtype=np.int64)
        return Part(tokens, self.counts, files, first, line, self.tokens.newline)
