"""Texts of any size: the files they are in, what one reading of them finds, their characters in blocks."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recurra.data.textreader import BLOCK, TextReader
from recurra.errors import DataError

# Files of a folder that are about the data, by their names without endings.
ABOUT = ("readme", "license", "licence", "copying", "source", "sources")
# Bytes of a file that tell whether it is text.
HEAD = 1 << 16


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file, and what one reading of it has found; see `TextReader`.

    characters, lines: of the text; a last line without an end counts.  blank: nothing but white space.
    """

    path: Path
    sha256: bytes
    size: int
    characters: int
    lines: int
    blank: bool
    encoding: str
    crlf: bool = False
    invalid: int = 0
    line: int = 0
    at: int = 0

    @property
    def name(self) -> str:
        return self.path.name

    def texts(self, begin: int, end: int, block: int = BLOCK) -> Iterator[str]:
        """The characters begin to end in blocks, as they were when the file was first read."""
        at = 0
        for text in TextReader(self.path, self.encoding == "latin-1", block, self.size):
            if at + len(text) > begin:
                yield text[max(0, begin - at) : end - at]
            at += len(text)
            if at >= end:
                return


def read_text(path: Path, raw: bool = False, block: int = BLOCK) -> TextFile:
    """Read a file once, to know what is in it. Raises DataError."""
    reader = TextReader(path, raw, block)
    characters, blank, end = 0, True, "\n"
    for text in reader:
        characters += len(text)
        blank = blank and not raw and text.isspace()
        end = text[-1]
    return TextFile(
        path=path,
        sha256=reader.digest.digest(),
        size=reader.size,
        characters=characters,
        lines=reader.lines + (end != "\n"),
        blank=blank,
        encoding=reader.encoding,
        crlf=reader.crlf,
        invalid=reader.invalid,
        line=reader.line,
        at=reader.at,
    )


@dataclass(frozen=True, slots=True)
class Corpus:
    """Text files one after the other.  empty: names of files without a character, which are left out."""

    files: tuple[TextFile, ...]
    empty: tuple[str, ...] = ()
    block: int = BLOCK

    @staticmethod
    def read(paths: Sequence[Path], raw: bool = False, block: int = BLOCK) -> Corpus:
        """Read files once; raw: as bytes, each the character of its number. Raises DataError without text."""
        read = [read_text(path, raw, block) for path in paths]
        files = tuple(file for file in read if file.characters)
        if all(file.blank for file in files):
            what = "white space alone" if files else "an empty file" if len(read) == 1 else "empty files"
            raise DataError(
                f"expected text, got {what}. Give a file with text.",
                file=read[0].name if len(read) == 1 else None,
            )
        return Corpus(files, tuple(file.name for file in read if not file.characters), block)

    @property
    def characters(self) -> int:
        """Code points of all files, or bytes."""
        return sum(file.characters for file in self.files)

    @property
    def invalid(self) -> float:
        """Share of the characters that could not be decoded."""
        return sum(file.invalid for file in self.files) / max(1, self.characters)

    @property
    def sha256(self) -> bytes:
        """Of the content; of several files, of their sums in order."""
        if len(self.files) == 1:
            return self.files[0].sha256
        return hashlib.sha256(b"".join(file.sha256 for file in self.files)).digest()

    def within(self, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Numbers of the files that the characters begin to end are in, and which of each file's they are."""
        at = 0
        for number, file in enumerate(self.files):
            first, last = max(begin - at, 0), min(end - at, file.characters)
            if first < last:
                yield number, first, last
            at += file.characters

    def texts(self, begin: int, end: int) -> Iterator[str]:
        """The characters begin to end in blocks."""
        for number, first, last in self.within(begin, end):
            yield from self.files[number].texts(first, last, self.block)


def find_paths(source: Any) -> tuple[list[Path], Path | None]:
    """The files that a source names, and the folder if it is one. Raises DataError where there is none."""
    named = [source] if isinstance(source, str | Path) else source
    if not isinstance(named, Sequence) or not all(isinstance(one, str | Path) for one in named):
        raise DataError(
            f"expected a path, several paths or a folder, got {type(source).__name__}. "
            "Save the text as a file."
        )
    if not named:
        raise DataError("expected at least one file, got none. Name a file.")
    paths = [Path(one) for one in named]
    if len(paths) == 1 and paths[0].is_dir():
        return _inside(paths[0]), paths[0]
    for path in paths:
        if not path.exists():
            raise DataError(f"expected a file, got nothing at {str(path)!r}. Check the path.")
        if path.is_dir():
            raise DataError(
                f"expected files, or one folder alone, got the folder {str(path)!r} among {len(paths)} "
                "paths. Name the files in it."
            )
        if not path.is_file():
            raise DataError(
                f"expected a file, which can be read again, got {str(path)!r}, which is none. "
                "Save its text as a file."
            )
    return paths, None


def _inside(folder: Path) -> list[Path]:
    """The files in a folder and its folders, in the order of their names."""
    found = []
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(where, name) for name in names if not name.startswith(".")]
    found = sorted(path for path in found if path.is_file() and path.name.split(".")[0].lower() not in ABOUT)
    if not found:
        raise DataError(
            f"expected a folder with text files, got none in {str(folder)!r}. Name one that holds some."
        )
    return found


def is_text(path: Path) -> bool:
    """Whether a file looks like text: no character 0 at its beginning, or in it UTF-16 that says so."""
    reader = TextReader(path, most=HEAD)
    text = "".join(reader)
    return "\0" not in text
