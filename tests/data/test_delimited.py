"""Text files as spreadsheets, loggers and statistics offices write them."""

import gzip

import pytest

from recurra.data.tables import read_table
from recurra.errors import DataError

ROWS = [f"2020-01-{day:02},{day}.5" for day in range(1, 31)]
TEXT = "\n".join(["date,load", *ROWS]) + "\n"


def table(tmp_path, content, name="load.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path)


def refused(tmp_path, content, name="load.csv"):
    with pytest.raises(DataError) as caught:
        table(tmp_path, content, name)
    return str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        b"\xef\xbb\xbf" + TEXT.encode(),
        TEXT.encode("utf-16"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-32"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        TEXT.rstrip().encode(),
        ("\n\n" + TEXT + "\n\n").encode(),
        gzip.compress(TEXT.encode()),
        TEXT.replace(",", ";").encode(),
        TEXT.replace(",", "\t").encode(),
        TEXT.replace(",", "|").encode(),
        TEXT.replace(",", " , ").encode(),
        TEXT.replace("date", '"date"').replace("2020-01-05", '"2020-01-05"').encode(),
        TEXT.replace(",", ";").replace(".5", ",5").encode(),
    ],
    ids=[
        "plain", "bom", "utf16", "utf16be", "utf16 without mark", "utf32", "crlf", "cr", "no last newline",
        "blank lines", "gzip", "semicolon", "tab", "bar", "spaces", "quotes", "decimal comma",
    ],
)  # fmt: skip
def test_the_same_content_in_many_dresses(tmp_path, content):
    found = table(tmp_path, content).without_blank_rows()
    assert found.frame.columns == ["date", "load"]
    assert found.numbers("load").tolist() == [day + 0.5 for day in range(1, 31)]
    assert found.frame["date"].str.strip_chars().to_list()[-1] == "2020-01-30"


def test_latin_1_is_said(tmp_path):
    found = table(tmp_path, TEXT.replace("load", "Größe €").encode("cp1252"))
    assert found.frame.columns == ["date", "Größe €"]
    assert found.notes == ("encoding: not UTF-8, read as Latin-1 (load.csv)",)
    assert table(tmp_path, TEXT.replace("load", "\x81ä").encode("latin-1")).frame.columns[1] == "\x81ä"


def test_thousands_and_decimal_commas(tmp_path):
    grouped = table(tmp_path, 'date,load\n2020-01-01,"1,234,567.5"\n2020-01-02,"12"\n')
    assert grouped.numbers("load").tolist() == [1234567.5, 12]
    assert grouped.notes == ("numbers: thousands comma (1,234 means 1234)",)
    assumed = table(tmp_path, 'date,load\n2020-01-01,"1,234"\n2020-01-02,"9,876"\n')
    assert assumed.numbers("load").tolist() == [1234, 9876]
    assert assumed.notes == ("numbers: thousands comma (1,234 means 1234, assumed)",)
    decimal = table(tmp_path, "date;a;b\n01.02.2020;1.234,5;0,125\n02.02.2020;-12;3,250\n")
    assert decimal.numbers("a").tolist() == [1234.5, -12]
    assert decimal.numbers("b").tolist() == [0.125, 3.25]
    assert decimal.frame["date"].to_list() == ["01.02.2020", "02.02.2020"]
    swiss = table(tmp_path, "date;a\n2020-01-01;1'234'567,5\n2020-01-02;7,25\n")
    assert swiss.numbers("a").tolist() == [1234567.5, 7.25]
    mixed = table(tmp_path, 'date,a,b\n2020-01-01,"1,5",1.234\n2020-01-02,"7,25",0.5\n')
    assert mixed.numbers("a").tolist() == [1.5, 7.25]
    assert mixed.numbers("b").tolist() == [1.234, 0.5]
    three = table(tmp_path, "date;a\n2020-01-01;1,125\n2020-01-02;7,250\n")
    assert three.numbers("a").tolist() == [1.125, 7.25]
    assert three.notes == ("numbers: decimal comma (1,5 means 1.5, assumed)",)


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("1,2\n3,4\n", ["column_1", "column_2"]),
        ("2020-01-01,4\n2020-01-02,5\n", ["column_1", "column_2"]),
        ("A,2020-01-01,4\nA,2020-01-02,5\n", ["column_1", "column_2", "column_3"]),
        (",0,1\n1821,2,3\n1822,4,5\n", ["column_1", "0", "1"]),
        ("0,1\n5.5,2\n6.5,3\n", ["0", "1"]),
        ("Country,1990,1991\nA,1,2\nB,3,4\n", ["Country", "1990", "1991"]),
        ("date,y,\n2020-01-01,4,\n", ["date", "y", "column_3"]),
        ("y\n1\n2\n", ["y"]),
        ("1\n2\n3\n", ["column_1"]),
    ],
)
def test_headers_are_told_from_data(tmp_path, content, columns):
    assert table(tmp_path, content).frame.columns == columns


def test_what_stands_above_the_table_and_beside_the_header(tmp_path):
    titled = table(
        tmp_path, "Load of the town\n# made by hand, in a hurry, twice\n\n" + TEXT.replace("5.5", "x", 1)
    )
    assert titled.frame.columns == ["date", "load"]
    assert titled.notes == ("above the table: 3 lines, not read",)
    with pytest.raises(DataError, match="line 9, column 'load'"):
        titled.numbers("load")
    r_style = table(tmp_path, 'a,b\n"1",5,6\n"2",7,8\n')
    assert r_style.frame.columns == ["column_1", "a", "b"]
    trailing = table(tmp_path, "a,b\n5,6,\n7,8,\n")
    assert trailing.frame.columns == ["a", "b", "column_3"]


def test_lines_are_counted_as_an_editor_does(tmp_path):
    broken = "\n".join(["date,note,load", *(row.replace(",", ',"a\nb",') for row in ROWS)])
    assert "load.csv, line 10, column 'load'" in refused_number(
        tmp_path, broken.replace(",5.5", ",x").replace("6.5", "y")
    )
    assert "load.csv, line 5, column 'load'" in refused_number(
        tmp_path, "\n\ndate,load\n2020-01-01,1\n2020-01-02,x\n2020-01-03,2\n"
    )
    assert "load.csv, line 1, column 'column_2'" in refused_number(
        tmp_path, "2020-01-01,1e999\n2020-01-02,2\n"
    )


def refused_number(tmp_path, content):
    found = table(tmp_path, content)
    with pytest.raises(DataError) as caught:
        found.numbers(found.frame.columns[-1])
    assert caught.value.file == "load.csv"
    assert str(caught.value.row) in str(caught.value)
    return str(caught.value)


def test_short_lines_are_said_and_long_ones_refused(tmp_path):
    short = table(tmp_path, "date,a,b\n2020-01-01,1\n2020-01-02,2,3\n2020-01-03,4\n")
    assert short.notes == ("short lines: 2 with fewer columns than the header, the rest missing (line 2)",)
    assert short.frame["b"].to_list() == [None, "3", None]
    assert refused(tmp_path, "date,a\n2020-01-01,1\n2020-01-02,2,3\n") == (
        "load.csv, line 3: expected 2 columns as in the lines above, got 3. "
        "Put values that contain ',' in quotes."
    )


def test_what_is_no_table_is_refused(tmp_path):
    assert refused(tmp_path, "") == "load.csv: expected a header and rows, got an empty file. Check the path."
    assert (
        refused(tmp_path, "\n \n")
        == "load.csv: expected a header and rows, got an empty file. Check the path."
    )
    assert refused(tmp_path, "date,load\n") == (
        "load.csv, line 1: expected rows below the header of 2 columns, got none. Give a file with rows."
    )
    assert refused(tmp_path, "a,b,a\n1,2,3\n") == (
        "load.csv, line 1, column 'a': expected different names for the columns, got this one for columns "
        "1 and 3. Rename one of them."
    )
    assert refused(tmp_path, TEXT.replace("5.5", '"5.5', 1)) == (
        "load.csv, line 6: expected quotes around whole values and in pairs, got others. "
        "Correct the quotes in this line."
    )
    assert refused(tmp_path, b"PK\x03\x04\x00\x01,\xff\n") == (
        "load.csv: expected a text file, got bytes that are no text. Give a CSV file."
    )
    assert refused(tmp_path, b"\xff\xfea\x00,\x00b\x00\n\x00\x00\xd8") == (
        "load.csv: expected UTF-16-LE text, got damaged bytes. Save the file as UTF-8."
    )


def test_three_hundred_columns(tmp_path):
    header = ",".join(["date", *(f"c{n}" for n in range(300))])
    rows = [",".join([f"2020-01-{day:02}", *(f"{day + n}" for n in range(300))]) for day in range(1, 31)]
    found = table(tmp_path, "\n".join([header, *rows]))
    assert found.frame.shape == (30, 301)
    assert found.numbers("c299")[29] == 329
