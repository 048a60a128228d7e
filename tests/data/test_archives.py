"""Files of time-series archives."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from recurra.data.archives import read_archive
from recurra.errors import DataError

VOWELS = Path(__file__).parents[2] / "examples" / "data" / "JapaneseVowels_TRAIN.ts.gz"
HEAD = "# about\n@problemName X\n@timeStamps false\n@classLabel true a b\n@data\n"
ARFF = "@relation x\n@attribute v1 numeric\n@attribute v2 REAL\n@attribute 'the class' {a, b}\n@data\n"


def read(tmp_path, content, name="x.ts"):
    (tmp_path / name).write_text(content)
    return read_archive(tmp_path / name)


def refused(tmp_path, content, name="x.ts"):
    with pytest.raises(DataError) as caught:
        read(tmp_path, content, name)
    return str(caught.value)


def test_the_file_of_the_archive():
    found = read_archive(VOWELS)
    assert (found.name, len(found.channels), len(found.series)) == ("JapaneseVowels_TRAIN.ts.gz", 12, 270)
    assert (found.series.lengths.min(), found.series.lengths.max()) == (7, 26)
    assert found.labels[:30] == ["1"] * 30
    assert set(found.labels) == set("123456789")
    lines = gzip.decompress(VOWELS.read_bytes()).decode().splitlines()
    assert lines[found.lines[0] - 1].startswith("1.860936,1.891651")
    np.testing.assert_array_equal(found.series[0][:2, 0], [1.860936, 1.891651])


def test_ragged_missing_and_channels_of_two_lengths(tmp_path):
    found = read(tmp_path, HEAD + "1,2,?:3,4:a\n5:6,NaN:?\n:7:b\n")
    assert found.channels == ("channel 1", "channel 2")
    np.testing.assert_array_equal(found.series[0], [[1, 3], [2, 4], [np.nan, np.nan]])
    np.testing.assert_array_equal(found.series[1], [[5, 6], [np.nan, np.nan]])
    np.testing.assert_array_equal(found.series[2], [[np.nan, 7]])
    assert found.labels == ["a", None, "b"]
    assert found.lines == [6, 7, 8]


def test_time_stamps_and_no_labels(tmp_path):
    head = "@timestamps true\n@classlabel false\n@data\n"
    found = read(tmp_path, head + "(0,1.5),(1,2):(0,3),(1,?)\n(2001-01-01 10:00,7):(2001-01-01 11:00,8)\n")
    np.testing.assert_array_equal(found.series[0], [[1.5, 3], [2, np.nan]])
    np.testing.assert_array_equal(found.series[1], [[7, 8]])
    assert found.labels is None


def test_the_form_of_weka(tmp_path):
    found = read(tmp_path, ARFF + "1,?,a\n% remark\n3,4,b\n", "x.arff")
    assert (found.channels, found.labels, found.lines) == (("value",), ["a", "b"], [6, 8])
    np.testing.assert_array_equal(found.series[0], [[1], [np.nan]])
    nested = (
        "@relation x\n@attribute many relational\n@attribute v1 numeric\n@attribute v2 numeric\n@end many\n"
        "@attribute class {'a b',c}\n@data\n'1,2\\n3,4','a b'\n\"5,6\\n7,8\",c\n"
    ).replace('"', "'")
    found = read(tmp_path, nested, "y.arff")
    assert (found.channels, found.labels) == (("channel 1", "channel 2"), ["a b", "c"])
    np.testing.assert_array_equal(found.series[0], [[1, 3], [2, 4]])


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("x.ts", HEAD, "x.ts, line 5: expected cases below @data, got none. Give a file with some."),
        (
            "x.ts",
            HEAD + "1,2:a\n3:4:b\n",
            "x.ts, line 7: expected 1 channels as in the first case, got 2. Correct the line.",
        ),
        (
            "x.ts",
            "@targetLabel true\n@data\n1,2:0.5\n",
            "x.ts: expected classes, got @targetlabel, a number for each case. "
            "Give a file with @classLabel true.",
        ),
        (
            "x.ts",
            "1,2,3:a\n",
            "x.ts, line 1: expected a line with @ above @data, got '1,2,3:a'. Correct the line.",
        ),
        ("x.ts", "@classLabel true\n", "x.ts: expected a line @data, got none. Give a whole file."),
        (
            "x.ts",
            HEAD + "1,2:a\n3,off:b\n",
            "x.ts, line 7: expected numbers between commas, got 'off'. "
            "Correct it, or write ? where a value is missing.",
        ),
        (
            "x.arff",
            ARFF.replace("REAL", "string") + "1,x,a\n",
            "x.arff: expected numeric attributes and a last one of classes, got 'string'. "
            "Save the data as CSV, with a header.",
        ),
        (
            "x.arff",
            ARFF + "1,a\n",
            "x.arff, line 6: expected 3 values as there are attributes, got 2. Correct the line.",
        ),
        ("x.arff", "@relation x\n", "x.arff: expected a line @data, got none. Give a whole file."),
    ],
)
def test_what_cannot_be_read(tmp_path, name, content, text):
    assert refused(tmp_path, content, name) == text
