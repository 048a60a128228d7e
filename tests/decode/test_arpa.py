"""Files of n-grams: what they say, by hand, and what is wrong with them."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy as np
import pytest

from recurra.decode.arpa import read_arpa
from recurra.decode.kneser_ney import KneserNey
from recurra.decode.ngrams import Backoff
from recurra.errors import DataError

SMALL = r"""
\data\
ngram 1=6
ngram 2=4
ngram 3=2

\1-grams:
-99	<s>	-0.3
-0.9	</s>
-1.5	<unk>	-0.1
-0.6	the	-0.25
-0.8	cat	-0.15
-1.1	schläft

\2-grams:
-0.2	<s> the	-0.05
-0.4	the cat	-0.35
-0.7	cat schläft
-0.5	<unk> cat

\3-grams:
-0.1	<s> the cat
-0.3	the cat </s>

\end\
"""
LOG10 = math.log(10)


def put(folder: Path, text: str, name: str = "small.arpa") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["small.arpa", "small.arpa.gz"])
def test_chances_by_hand(tmp_path: Path, name: str) -> None:
    model, words, left_out = read_arpa(put(tmp_path, SMALL, name))
    assert words == ["", "<unknown>", "the", "cat", "schläft", ""]
    assert (model.order, model.end, model.begin, left_out) == (3, 5, 0, 0)
    the, cat, sleeps = 2, 3, 4
    for text, expected in (
        ([the, cat], [-0.2, -0.1, -0.3]),
        ([the, cat, sleeps], [-0.2, -0.1, -0.35 - 0.7, -0.9]),
        ([cat, the], [-0.3 - 0.8, -0.15 - 0.6, -0.25 - 0.9]),
        ([1, cat], [-0.3 - 1.5, -0.5, -0.15 - 0.9]),
        ([77, cat], [-0.3 - 1.5, -0.5, -0.15 - 0.9]),
        ([the, the, cat, sleeps], [-0.2, -0.05 - 0.25 - 0.6, -0.4, -0.35 - 0.7, -0.9]),
        ([], [-0.3 - 0.9]),
    ):
        np.testing.assert_allclose(model.logarithms(text), LOG10 * np.array(expected), rtol=1e-6)


def test_words_that_are_wanted_keep_their_numbers(tmp_path: Path) -> None:
    model, words, left_out = read_arpa(put(tmp_path, SMALL), {"cat": 7, "the": 2, "dog": 4})
    assert (words[7], words[2], words[4], words[8], len(words)) == ("cat", "the", "dog", "", 9)
    assert (model.end, model.size, left_out) == (8, 9, 2)  # "schläft", and what it stands in
    found = model.logarithms([2, 7, 4, 7])
    # A word that the file does not have is unknown, also before others.
    expected = [-0.2, -0.1, -0.35 - 0.15 - 1.5, -0.5, -0.15 - 0.9]
    np.testing.assert_allclose(found, LOG10 * np.array(expected), rtol=1e-6)


def test_a_file_without_the_unknown_or_ends(tmp_path: Path) -> None:
    text = "\\data\\\nngram 1=2\n\\1-grams:\n-0.2 a\n-1.7 b\n\\end\\\n"
    model, words, _ = read_arpa(put(tmp_path, text))
    assert (words, model.end) == (["", "<unknown>", "a", "b"], None)
    np.testing.assert_allclose(model.logarithms([2, 3, 1]), LOG10 * np.array([-0.2, -1.7, -1.7]), rtol=1e-6)


def test_white_space_and_what_stands_before_the_data(tmp_path: Path) -> None:
    expected = read_arpa(put(tmp_path, SMALL)).model.arrays()
    other = "Made by hand\n" + SMALL.replace("\t", " ").replace("\n", "\r\n").replace(
        "ngram 1=6", "ngram  1 = 6"
    )
    for name, array in read_arpa(put(tmp_path, other)).model.arrays().items():
        np.testing.assert_array_equal(array, expected[name])


def test_logarithms_that_are_infinite_are_very_small(tmp_path: Path) -> None:
    model = read_arpa(put(tmp_path, SMALL.replace("-99\t<s>", "-inf\t<s>"))).model
    assert np.isfinite(model.log_p).all()
    assert model.log_p[0] <= -1e4


def test_n_grams_without_their_ends(tmp_path: Path) -> None:
    """A pruned file may have `<s> the cat`, but not `the cat`."""
    text = SMALL.replace("-0.4\tthe cat\t-0.35\n", "").replace("-0.3\tthe cat </s>\n", "")
    text = text.replace("ngram 2=4", "ngram 2=3").replace("ngram 3=2", "ngram 3=1")
    model = read_arpa(put(tmp_path, text)).model
    expected = [-0.2, -0.1, -0.7, -0.9]
    np.testing.assert_allclose(model.logarithms([2, 3, 4]), LOG10 * np.array(expected), rtol=1e-6)


def test_a_counted_model_as_a_file_is_the_same_model(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    text = np.concatenate([[0, *(2 + rng.geometric(0.4, 6).clip(max=5))] for _ in range(80)]).astype(np.int32)
    model = Backoff.of(KneserNey.fit(text, 3, 8))
    names = {0: "<s>", 1: "<unk>"} | {n: f"w{n}" for n in range(2, 8)}
    grams: dict[int, list[str]] = {}
    of_node: list[tuple[int, ...]] = [()]
    for key, log_p, back_off in zip(model.keys, model.log_p, model.back_off, strict=True):
        gram = (*of_node[key // model.size], int(key % model.size))
        of_node.append(gram)
        line = [str(log_p / LOG10), " ".join(names[one] for one in gram), str(back_off / LOG10)]
        grams.setdefault(len(gram), []).append("\t".join(line))
    lines = ["\\data\\", *(f"ngram {n}={len(some)}" for n, some in grams.items())]
    for n, some in grams.items():
        lines += [f"\\{n}-grams:", *some]
    again = read_arpa(put(tmp_path, "\n".join([*lines, "\\end\\"])), {names[n]: n for n in range(2, 8)}).model
    other = [2, 5, 3, 3, 7, 1, 2, 4, 4]
    np.testing.assert_allclose(again.logarithms(other), model.logarithms(other), rtol=1e-5)
    np.testing.assert_array_equal(again.keys, model.keys)
    np.testing.assert_array_equal(again.shorter, model.shorter)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            SMALL,
            "",
            "small.arpa: expected \\data\\ at the beginning of an ARPA file, got the end of the file.",
        ),
        ("\\data\\", "data", "line 25: expected \\data\\ at the beginning of an ARPA file, got the end of"),
        (
            "ngram 1=6\nngram 2=4\nngram 3=2\n",
            "",
            'line 4: expected the number of n-grams, such as "ngram 1=20"',
        ),
        ("ngram 2=4\n", "", "line 4: expected the number of 2-grams, got 'ngram 3=2'. Write the file anew."),
        (
            "\\2-grams:",
            "\\3-grams:",
            "line 15: expected \\2-grams:, got '\\\\3-grams:'. Write the file anew.",
        ),
        ("\\2-grams:\n", "", "line 15: expected a logarithm of 0 or less, a word and perhaps a number, got"),
        ("ngram 2=4", "ngram 2=5", "line 21: expected 5 2-grams, got 4. Write the file anew."),
        ("\\end\\", "", "line 25: expected \\end\\ after the 3-grams, got the end of the file. Write"),
        (
            "-0.4\tthe",
            "0.4\tthe",
            "line 17: expected a logarithm of 0 or less, 2 words and perhaps a number, got",
        ),
        (
            "-0.4\tthe",
            "nan\tthe",
            "line 17: expected a logarithm of 0 or less, 2 words and perhaps a number, got",
        ),
        ("-0.35", "inf", "line 17: expected a logarithm of 0 or less, 2 words and perhaps a number, got"),
        (
            "-0.35",
            "x",
            "line 17: expected a logarithm of 0 or less, 2 words and perhaps a number, got '-0.4\\t",
        ),
        ("-0.4\tthe cat\t-0.35", "-0.4\tthe", "line 17: expected a logarithm of 0 or less, 2 words and"),
        ("-0.35", "-0.35 1", "line 17: expected a logarithm of 0 or less, 2 words and perhaps a number, got"),
        ("cat schläft", "cat runs", "line 18: expected words that are among the 1-grams, got 'runs'. Write"),
        (
            "cat schläft",
            "the cat",
            "line 18: expected each n-gram once, got two of them. Delete one of them.",
        ),
        ("-1.1\tschläft", "-1.1\tcat", "line 13: expected each word once, got 'cat'. Delete one of them."),
        (
            "-0.3\tthe cat </s>",
            "-0.3\tcat the </s>",
            "line 23: expected the first 2 words of a 3-gram among the",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(DataError) as caught:
        read_arpa(put(tmp_path, SMALL.replace(old, new)))
    assert told in str(caught.value)
    assert str(caught.value).startswith("small.arpa")


def test_words_of_other_files(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"expected words that are wanted, got none of them\. Give a file of the s"
    ):
        read_arpa(put(tmp_path, SMALL), {"dog": 2})
    path = tmp_path / "latin.arpa"
    path.write_bytes(SMALL.encode("latin-1"))
    with pytest.raises(
        DataError, match=r"latin.arpa, line 13: expected words in UTF-8, got b'schl\\xe4ft'. Save"
    ):
        read_arpa(path)


def test_files_that_are_not_there_or_not_whole(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"expected an ARPA file, got nothing at '.*none\.arpa'\. Check the path\."
    ):
        read_arpa(tmp_path / "none.arpa")
    path = tmp_path / "cut.arpa.gz"
    path.write_bytes(gzip.compress(SMALL.encode())[:-20])
    with pytest.raises(DataError, match=r"cut.arpa.gz: expected a whole file, got .*\. Copy it again."):
        read_arpa(path)
