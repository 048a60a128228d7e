"""Plain text files and folders of them."""

import pytest

from recurra.data.texts import folder_table, lines_table
from recurra.errors import DataError


def test_a_file_for_each_class(tmp_path):
    (tmp_path / "pos.txt").write_bytes("good\n\ncaf\xe9 \n".encode("latin-1"))
    (tmp_path / "neg.txt").write_text("bad\n")
    (tmp_path / "README.txt").write_text("about\n")
    (tmp_path / "SOURCE.md").write_text("about\n")
    (tmp_path / ".hidden.txt").write_text("no\n")
    found = folder_table(tmp_path)
    assert found.frame.rows() == [("bad", "neg"), ("good", "pos"), ("café", "pos")]
    assert [found.where(row) for row in range(3)] == [("neg.txt", 1), ("pos.txt", 1), ("pos.txt", 3)]
    assert found.notes == ("encoding: not UTF-8, read as Latin-1 (pos.txt)",)


def test_the_ending_is_the_class(tmp_path):
    for ending, text in (("pos", "good\n"), ("neg", "bad\n")):
        (tmp_path / f"reviews.{ending}").write_text(text)
    assert folder_table(tmp_path).frame.rows() == [("bad", "neg"), ("good", "pos")]


def test_a_folder_for_each_class_and_part(tmp_path):
    for part in ("train", "test"):
        for label in ("pos", "neg"):
            (tmp_path / part / label).mkdir(parents=True)
            (tmp_path / part / label / "1.txt").write_text(f"{part}\n{label}\n")
    found = folder_table(tmp_path)
    assert found.frame.columns == ["text", "label", "part"]
    assert found.frame.rows()[0] == ("train\nneg", "neg", "train")
    assert found.frame["part"].to_list() == ["train", "train", "test", "test"]
    assert found.sha256 != folder_table(tmp_path / "train").sha256


def test_what_is_no_such_folder(tmp_path):
    (tmp_path / "one.txt").write_text("a text\n")
    with pytest.raises(DataError) as caught:
        folder_table(tmp_path)
    assert str(caught.value) == (
        f"expected a folder with a file or a folder for each class, got 1 text files in {str(tmp_path)!r}. "
        "Name a table, or a folder with pos.txt and neg.txt and the like."
    )
    (tmp_path / "blank.txt").write_text("\n \n")
    with pytest.raises(DataError) as caught:
        lines_table([tmp_path / "blank.txt"])
    assert str(caught.value) == "expected a text in some line, got none. Give a file with texts."
