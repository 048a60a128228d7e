"""Text files of any size: what is read, what is odd, and the tokens on disk."""

import gzip
import hashlib
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.data.corpus import Corpus, find_paths, is_text, read_text
from recurra.data.documents import Borders, ended, without_white_lines
from recurra.data.tokenfile import encode_parts, texts_by_file
from recurra.data.tokens import BORDER
from recurra.data.units import fit_tokens
from recurra.errors import DataError

UNITS = ["characters", "bytes", "words", "bpe"]
PROSE = "Die Würde: 日本語, 😀!\nund  so\n\n \t\nweiter\r\nund weiter\n" * 9


def written(folder, content, name="a.txt"):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def text_of(path, block=1 << 20, raw=False):
    file = read_text(path, raw, block)
    return "".join(file.texts(0, file.characters, block))


def encoded(paths, unit="characters", documents="file", block=1 << 20, cuts=()):
    """Parts of a corpus whose tokens are fitted on all of it."""
    corpus = Corpus.read(paths, unit == "bytes", block)
    by_file = texts_by_file(corpus, 0, corpus.characters, unit, documents)
    tokens = fit_tokens((text for _, blocks in by_file for text in blocks), unit, 300)
    ends = [0, *cuts, corpus.characters]
    return tokens, encode_parts([(corpus, a, b) for a, b in pairwise(ends)], tokens, documents)


@pytest.mark.parametrize("block", [4, 5, 7, 1 << 20])
def test_what_stands_in_a_file(tmp_path, block):
    plain = read_text(written(tmp_path, "one\ntwo ü"), block=block)
    assert (plain.size, plain.characters, plain.lines, plain.encoding) == (10, 9, 2, "utf-8")
    assert (plain.crlf, plain.invalid, plain.blank) == (False, 0, False)
    assert plain.sha256 == hashlib.sha256("one\ntwo ü".encode()).digest()
    packed = read_text(written(tmp_path, gzip.compress("one\ntwo ü".encode()), "b.gz"), block=block)
    assert (packed.sha256, packed.size, packed.characters) == (plain.sha256, 10, 9)
    assert read_text(written(tmp_path, " \n\t"), block=block).blank


@pytest.mark.parametrize("block", [4, 5, 7, 1 << 20])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_byte_order_marks_are_no_text(tmp_path, encoding, block):
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    path = written(tmp_path, mark + "Grüße, 日本語 😀\n".encode(encoding))
    assert text_of(path, block) == "Grüße, 日本語 😀\n"
    assert read_text(path, block=block).invalid == 0
    assert text_of(path, block, raw=True).encode("latin-1") == path.read_bytes()


@pytest.mark.parametrize("block", [4, 5, 7, 1 << 20])
def test_line_ends(tmp_path, block):
    path = written(tmp_path, "a\r\nbcd\r\n\re\nf\r")
    assert text_of(path, block) == "a\nbcd\n\re\nf\r"
    found = read_text(path, block=block)
    assert (found.crlf, found.characters, found.lines) == (True, 11, 4)
    assert text_of(path, block, raw=True) == "a\r\nbcd\r\n\re\nf\r"


@pytest.mark.parametrize("block", [4, 5, 7, 1 << 20])
def test_what_cannot_be_decoded(tmp_path, block):
    path = written(tmp_path, "gut\nü\ufffd\n".encode() + b"na\xefve \xff\xff\nM\xfcnchen \xe2\x82")
    found = read_text(path, block=block)
    assert text_of(path, block) == "gut\nü\ufffd\nna\ufffdve \ufffd\ufffd\nM\ufffdnchen \ufffd"
    assert (found.invalid, found.line, found.at) == (5, 3, 12)
    wide = written(tmp_path, "\ufeffa\nb".encode("utf-16-le") + b"\x00\xd8c\0")
    found = read_text(wide, block=block)
    assert (found.invalid, found.line, found.at) == (1, 2, 8)
    assert text_of(wide, block) == "a\nb\ufffdc"


def test_what_is_text(tmp_path):
    assert is_text(written(tmp_path, "text"))
    assert is_text(written(tmp_path, "text".encode("utf-16")))
    assert not is_text(written(tmp_path, b"\x89PNG\0\0"))


def test_a_file_that_grows_stays_what_it_was(tmp_path):
    path = written(tmp_path, "one\n")
    found = read_text(path)
    with path.open("a") as file:
        file.write("two\n")
    assert "".join(found.texts(0, 99)) == "one\n"


def test_several_files_are_one_text(tmp_path):
    paths = [
        written(tmp_path, text, name) for name, text in (("a", "abc\n"), ("b", ""), ("c", "défg"), ("d", "h"))
    ]
    corpus = Corpus.read(paths, block=4)
    assert (corpus.characters, corpus.empty, [file.name for file in corpus.files]) == (
        9,
        ("b",),
        ["a", "c", "d"],
    )
    for begin in range(10):
        for end in range(begin, 10):
            assert "".join(corpus.texts(begin, end)) == "abc\ndéfgh"[begin:end]
    alone = Corpus.read(paths[:2])
    assert alone.sha256 == hashlib.sha256(b"abc\n").digest()
    assert len({corpus.sha256, Corpus.read(paths[:3]).sha256, Corpus.read(paths[::-1]).sha256}) == 3


def test_files_of_a_folder(tmp_path):
    for name in (
        "b.txt",
        "a/z.py",
        "a/.hidden",
        ".git/config",
        "README.md",
        "License",
        "a/source.txt",
        "c.gz",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("text")
    found, folder = find_paths(tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in found] == ["a/z.py", "b.txt", "c.gz"]
    assert folder == tmp_path
    assert find_paths([str(found[1]), found[0]]) == ([found[1], found[0]], None)


def refused(call):
    with pytest.raises(DataError) as caught:
        call()
    return str(caught.value)


def test_what_is_no_text_is_refused(tmp_path):
    blank, empty = written(tmp_path, " \n\n", "blank.txt"), written(tmp_path, "", "empty.txt")
    assert refused(lambda: Corpus.read([empty])) == (
        "empty.txt: expected text, got an empty file. Give a file with text."
    )
    assert (
        refused(lambda: Corpus.read([empty, empty]))
        == "expected text, got empty files. Give a file with text."
    )
    assert refused(lambda: Corpus.read([empty, blank])) == (
        "expected text, got white space alone. Give a file with text."
    )
    whole = gzip.compress(PROSE.encode())
    short, wrong = (
        written(tmp_path, whole[:-20], "short.gz"),
        written(tmp_path, whole[:30] + b"x" * 50, "wrong.gz"),
    )
    assert refused(lambda: read_text(short)) == (
        "short.gz: expected a whole file, got Compressed file ended before the end-of-stream marker was "
        "reached. Copy it again."
    )
    assert refused(lambda: read_text(wrong)).startswith("wrong.gz: expected a whole file, got Error -3 while")


def test_what_is_no_file_is_refused(tmp_path):
    here, gone, folder = written(tmp_path, "text"), tmp_path / "gone.txt", tmp_path / "empty"
    folder.mkdir()
    assert (
        refused(lambda: find_paths(gone)) == f"expected a file, got nothing at {str(gone)!r}. Check the path."
    )
    assert refused(lambda: find_paths(folder)) == (
        f"expected a folder with text files, got none in {str(folder)!r}. Name one that holds some."
    )
    assert refused(lambda: find_paths([here, folder])) == (
        f"expected files, or one folder alone, got the folder {str(folder)!r} among 2 paths. "
        "Name the files in it."
    )
    assert refused(lambda: find_paths("/dev/null")) == (
        "expected a file, which can be read again, got '/dev/null', which is none. Save its text as a file."
    )
    assert refused(lambda: find_paths([])) == "expected at least one file, got none. Name a file."
    assert refused(lambda: find_paths({"a": 1})) == (
        "expected a path, several paths or a folder, got dict. Save the text as a file."
    )


def test_no_room_for_the_tokens(tmp_path, monkeypatch):
    corpus = Corpus.read([written(tmp_path, "text\n")])
    tokens = fit_tokens(["text\n"], "bytes", 256)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    assert refused(lambda: encode_parts([(corpus, 0, 5)], tokens, "file")) == (
        f"expected room for the tokens in {tmp_path / 'gone'}, got No such file or directory. "
        "Set TMPDIR to a folder that has it."
    )


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("documents", ["file", "line", "blank"])
def test_tokens_do_not_depend_on_blocks(tmp_path, unit, documents):
    paths = [
        written(tmp_path, PROSE, "a.txt"),
        written(tmp_path, gzip.compress(PROSE[::-1].encode()), "b.txt"),
    ]
    tokens, (whole,) = encoded(paths, unit, documents)
    for block in (4, 5, 11):
        again, (part,) = encoded(paths, unit, documents, block)
        assert again == tokens or unit == "bpe"
        corpus = Corpus.read(paths, unit == "bytes", block)
        (part,) = encode_parts([(corpus, 0, corpus.characters)], tokens, documents)
        assert part.tokens.tolist() == whole.tokens.tolist()
        assert part.counts == whole.counts
    assert whole.tokens.dtype == np.uint16
    assert whole.counts.tokens == (whole.tokens != BORDER).sum()
    if documents == "file":
        assert np.flatnonzero(whole.tokens == BORDER).tolist() == whole.starts.tolist()
        first = tokens.decode(whole.tokens[: whole.starts[1]])
        assert first == (PROSE if unit == "bytes" else text_of(paths[0])) or unit == "words"


def documents_of(tokens, part):
    """The text of each document."""
    text = "|".join(
        tokens.decode(one) for one in np.split(part.tokens, np.flatnonzero(part.tokens == BORDER))
    )
    return text.removeprefix("|").split("|")


TEXT = "\n\na\nb c\n \t\nd\n\n\n e\n\nf"


@pytest.mark.parametrize("unit", ["characters", "bpe"])
def test_where_documents_begin(tmp_path, unit):
    paths = [written(tmp_path, TEXT, "a"), written(tmp_path, "g\n", "b")]
    found = {}
    for documents in ("file", "line", "blank"):
        tokens, (part,) = encoded(paths * 2, unit, documents)
        found[documents] = documents_of(tokens, part)[: part.tokens.tolist().count(BORDER) // 2]
    assert found["file"] == [TEXT, "g\n"]
    assert found["line"] == ["\n\na\n", "b c\n\n", "d\n\n\n", " e\n\n", "f\n", "g\n"]
    assert found["blank"] == ["\n\na\nb c\n\n", "d\n\n\n", " e\n\n", "f\n", "g\n"]


def test_words_have_an_end_of_each_line(tmp_path):
    paths = [written(tmp_path, TEXT, "a"), written(tmp_path, "g g", "b")]
    tokens, (part,) = encoded(paths * 2, "words", "blank")
    assert documents_of(tokens, part)[:5] == ["\n\na\nb c\n\n", "d\n\n\n", "e\n\n", "f\n", "g g\n"]
    assert part.counts.lines == 2 * (11 + 1)
    tokens, (part,) = encoded(paths, "words", "file")
    assert tokens.decode(part.tokens[-4:]) == "g g\n"


@settings(deadline=None)
@given(st.text("a \t\n"), st.integers(1, 4))
def test_white_lines_in_blocks(text, size):
    blocks = [text[at : at + size] for at in range(0, len(text), size)]
    lines = text.split("\n")
    lines[:-1] = ["" if not line.strip() else line for line in lines[:-1]]
    assert "".join(without_white_lines(blocks)) == "\n".join(lines)
    assert "".join(ended(blocks)) == text + "\n" * (not text.endswith("\n") and bool(text))


@settings(deadline=None)
@given(st.lists(st.integers(1, 3), max_size=20), st.sampled_from(["line", "blank"]), st.integers(1, 4))
def test_borders_in_blocks(numbers, documents, size):
    numbers = np.array(numbers, dtype=np.int32)
    whole = Borders(documents, 2).put(numbers).tolist()
    borders = Borders(documents, 2)
    assert [n for at in range(0, len(numbers), size) for n in borders.put(numbers[at : at + size])] == whole
    assert [n for n in whole if n] == numbers.tolist()
    # Each has content, but for a file that has none; and all but the last end as they should.
    inside = "".join(map(str, whole)).split("0")[1:]
    assert all(set(one) - {"2"} for one in inside) or len(inside) <= 1
    assert all(one.endswith("22" if documents == "blank" else "2") for one in inside[:-1])


def test_what_is_counted(tmp_path):
    path = written(tmp_path, "äb\r\nc 😀\r\nd")
    for unit, tokens in (("characters", 8), ("bytes", 14)):
        _, (part,) = encoded([path, path], unit)
        counts = part.counts
        assert (counts.tokens, counts.lines) == (2 * tokens, 6)
        assert (counts.characters, counts.bytes) == ((16, 24) if unit == "characters" else (20, 28))
    _, (part,) = encoded([path], "characters")
    assert part.counts.unknown == 6


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("documents", ["file", "line"])
def test_the_place_of_a_token(tmp_path, unit, documents):
    paths = [
        written(tmp_path, "a a\n\nb b\n", "a"),
        written(tmp_path, "c c", "b"),
        written(tmp_path, "\nd d", "c"),
    ]
    # Cut within a file, at the end of a line and within one.
    tokens, parts = encoded(paths * 2, unit, documents, cuts=(5, 7))
    places = []
    for part in parts:
        files, lines = part.places(0, len(part.tokens))
        for at, number in enumerate(part.tokens.tolist()):
            place = part.place(at)
            assert place == (part.names[files[at]], lines[at])
            text = tokens.decode([number]).strip()
            places += [(*place, text)] if text else []
    single = [("a", 1, "a")] * 2 + [("a", 3, "b")] * 2 + [("b", 1, "c")] * 2 + [("c", 2, "d")] * 2
    assert list(dict.fromkeys(places)) == list(dict.fromkeys(single))


def test_places_far_into_a_text(tmp_path, monkeypatch):
    monkeypatch.setattr("recurra.data.tokenfile.STRIDE", 7)
    _, (part,) = encoded([written(tmp_path, "abc\n" * 50)] * 2)
    files, lines = part.places(30, 310)
    assert files.tolist() == [int(at > 200) for at in range(30, 310)]
    assert lines.tolist() == [
        (at - 1) // 4 + 1 if at < 201 else max(0, at - 202) // 4 + 1 for at in range(30, 310)
    ]


@pytest.mark.parametrize(
    ("unit", "megabytes", "most"), [("characters", 60, 40e6), ("bytes", 60, 40e6), ("words", 15, 12e6)]
)
def test_a_line_of_many_megabytes_takes_little_memory(tmp_path, unit, megabytes, most):
    # Words are slower, and harder where there is no space at all.
    line = b"thequickbrownfoxes" if unit == "words" else b"the quick brown foxes "
    path = tmp_path / "line.txt"
    with path.open("wb") as file:
        for _ in range(megabytes):
            file.write((line * 60_000)[:1_000_000])
    tracemalloc.start()
    try:
        corpus = Corpus.read([path], unit == "bytes")
        tokens = fit_tokens(corpus.texts(0, corpus.characters), unit, 100)
        (part,) = encode_parts([(corpus, 0, corpus.characters)], tokens, "line")
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()
    assert part.counts.characters == megabytes * 1_000_000 + 1
    assert part.counts.lines == 1


def test_the_file_of_tokens_has_no_name(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = written(tmp_path, "text\n")
    _, (part,) = encoded([path])
    assert isinstance(part.tokens, np.memmap)
    assert list(tmp_path.iterdir()) == [path]
    assert len(part.tokens) == 6
