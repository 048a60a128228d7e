"""The text of one file in blocks, whatever its encoding, and what was odd in it."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from recurra.data.delimited import BOMS
from recurra.data.files import GZIP
from recurra.errors import DataError

# Bytes that are read at once. What is made of them on the way to numbers takes up to 40 times as much memory.
BLOCK = 1 << 20
LONGEST_BOM = 4
LOST, LOST_UTF8 = "\ufffd", b"\xef\xbf\xbd"


class TextReader:
    """The text of a file in blocks, with lines that end in \\n; and what has been found in it so far.

    What cannot be decoded becomes U+FFFD. A byte order mark is not part of the text.

    raw: the bytes as they are, each as the character of its number.
    most: bytes to read, so that a file that grows stays what it was when it was first read.

    size: bytes that were read, unpacked.  lines: ends of lines.  crlf: whether some were CRLF.
    invalid: characters that could not be decoded; the first is in line `line`, `at` bytes into the file.
    """

    def __init__(self, path: Path, raw: bool = False, block: int = BLOCK, most: int = sys.maxsize) -> None:
        self.path, self.raw, self.block, self.most = path, raw, block, most
        self.digest = hashlib.sha256()
        self.size = self.lines = self.invalid = self.line = self.at = 0
        self.crlf = False
        self.encoding = "latin-1" if raw else "utf-8"

    def __iter__(self) -> Iterator[str]:
        held = ""
        for block in self._decoded():
            text = held + block
            # A carriage return waits for what follows it.
            held = "\r" if text.endswith("\r") and not self.raw else ""
            text = text[: len(text) - len(held)]
            if not self.raw and "\r\n" in text:
                self.crlf, text = True, text.replace("\r\n", "\n")
            self.lines += text.count("\n")
            if text:
                yield text
        if held:
            yield held

    def _decoded(self) -> Iterator[str]:
        blocks = self._blocks()
        first = next(blocks, b"")
        bom = b""
        if not self.raw:
            bom, self.encoding = next(((b, e) for b, e in BOMS if first.startswith(b)), (b"", "utf-8"))
        data, at, last = first[len(bom) :], len(bom), False
        while True:
            text, used = self._decode(data, at, last)
            yield text
            if last:
                return
            block = next(blocks, None)
            data, at, last = data[used:] + (block or b""), at + used, block is None

    def _decode(self, data: bytes, at: int, last: bool) -> tuple[str, int]:
        """The text of bytes that lie at `at` in the file, and how many make it; not all, unless `last`."""
        decode = _decoder(self.encoding)
        try:
            return decode(data, "strict", last)
        except UnicodeDecodeError as error:
            text, used = decode(data, "replace", last)
            if not self.invalid:
                before = decode(data[: error.start], "strict", True)[0]
                self.at, self.line = at + error.start, self.lines + before.count("\n") + 1
            # Less those that stand in the file.
            self.invalid += text.count(LOST)
            self.invalid -= data.count(LOST_UTF8) if self.encoding == "utf-8" else 0
            return text, used

    def _blocks(self) -> Iterator[bytes]:
        for block in content_blocks(self.path, max(self.block, LONGEST_BOM), self.most):
            self.size += len(block)
            self.digest.update(block)
            yield block


def _decoder(encoding: str) -> Callable[[bytes, str, bool], tuple[str, int]]:
    """(bytes, what to do about errors, whether all) -> (text, bytes that were used)."""
    return {
        "latin-1": lambda data, errors, _: codecs.latin_1_decode(data, errors),
        "utf-8": codecs.utf_8_decode,
        "utf-16-le": codecs.utf_16_le_decode,
        "utf-16-be": codecs.utf_16_be_decode,
        "utf-32-le": codecs.utf_32_le_decode,
        "utf-32-be": codecs.utf_32_be_decode,
    }[encoding]


def content_blocks(path: Path, size: int, most: int = sys.maxsize) -> Iterator[bytes]:
    """The first `most` bytes of a file, unpacked, `size` at a time. Raises DataError where it is damaged."""
    left = most
    try:
        with path.open("rb") as plain:
            packed = plain.read(len(GZIP)) == GZIP
            plain.seek(0)
            stream: Any = gzip.GzipFile(fileobj=plain) if packed else plain
            while left > 0 and (block := stream.read(min(size, left))):
                left -= len(block)
                yield block
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"expected a whole file, got {error}. Copy it again.", file=path.name) from error
