"""What the translator makes of files: two of lines, lines with tabs, tables; and what is wrong with some."""

from __future__ import annotations

import gzip
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pairs_of_words import pairs, written

from recurra.errors import ConfigError, DataError
from recurra.fit import configure
from recurra.tasks.translate.config import TranslateConfig
from recurra.tasks.translate.data import TranslateData, decode_text, encode_text, read_later, read_pairs


def read(source: object, /, **options: object) -> TranslateData:
    return read_pairs(configure(TranslateConfig, {"unit": "words", **options}), source)


def test_two_files_of_lines_are_read_together(tmp_path: Path) -> None:
    source, target = pairs(200)
    data = read(list(written(tmp_path, source, target)))
    assert data.schema.names == ("de", "en")
    assert len(data.train) + len(data.valid) + len(data.test) == 200
    assert len(data.valid) == len(data.test) == 10
    texts = dict(zip(source, target, strict=True))
    for part in (data.train, data.valid, data.test):
        assert part.pairs.target is not None
        assert all(texts[a] == b for a, b in zip(part.pairs.source, part.pairs.target, strict=True))
    assert not set(data.train.pairs.source) & set(data.test.pairs.source)


def test_options_name_the_files_too(tmp_path: Path) -> None:
    de, en = written(tmp_path, *pairs(100))
    assert read(None, source=de, target=en).sha256 == read([de, en]).sha256


def test_the_same_pairs_in_every_form_are_the_same(tmp_path: Path) -> None:
    source, target = pairs(60)
    paths = list(written(tmp_path, source, target))
    tabs = tmp_path / "pairs.tsv"
    tabs.write_text("".join(f"{a}\t{b}\n" for a, b in zip(source, target, strict=True)))
    packed = tmp_path / "packed.tsv.gz"
    packed.write_bytes(gzip.compress(tabs.read_bytes()))
    frame = pl.DataFrame({"german": source, "english": target})
    frame.write_csv(tmp_path / "pairs.csv")
    frame.write_parquet(tmp_path / "pairs.parquet")
    frame.write_ndjson(tmp_path / "pairs.ndjson")
    first = read(paths)
    for other in (
        str(tabs),
        str(packed),
        *(str(tmp_path / f"pairs.{e}") for e in ("csv", "parquet", "ndjson")),
        frame,
    ):
        found = read(other)
        assert found.train.pairs.source == first.train.pairs.source
        np.testing.assert_array_equal(found.test.target.values, first.test.target.values)


def test_columns_are_named_or_numbered_either_way_round(tmp_path: Path) -> None:
    source, target = pairs(40)
    path = tmp_path / "pairs.tsv"
    path.write_text("en\tnote\tde\n" + "".join(f"{b}\tx\t{a}\n" for a, b in zip(source, target, strict=True)))
    by_name = read(str(path), source="de", target="en")
    by_number = read(str(path), source="3", target="1")
    assert by_name.schema.names == by_number.schema.names == ("de", "en")
    assert by_name.train.pairs.source == by_number.train.pairs.source
    assert set(by_name.train.pairs.source) <= set(source)


def test_files_of_a_folder_are_told_apart_by_their_names(tmp_path: Path) -> None:
    for name, many, seed in (("train", 50, 0), ("val", 6, 1), ("test_2016", 7, 2), ("test_2017", 8, 3)):
        written(tmp_path, *pairs(many, seed), name)
    (tmp_path / "train.fr").write_text("rien\n")
    with pytest.raises(ConfigError, match="translate from and to"):
        read(str(tmp_path))
    data = read(str(tmp_path), source="de", target="en")
    assert [len(part) for part in (data.train, data.valid, data.test)] == [50, 6, 15]
    assert any("files that end in fr" in line for line in data.found)
    assert read(str(tmp_path), source="en", target="de").schema.names == ("en", "de")


def test_a_file_that_an_option_names_has_its_partner_beside_it(tmp_path: Path) -> None:
    de, en = written(tmp_path, *pairs(50))
    later = written(tmp_path, *pairs(9, 1), "later")
    data = read([de, en], test=later[0])
    assert len(data.test) == 9
    assert len(data.train) + len(data.valid) == 50
    (tmp_path / "later.en").unlink()
    with pytest.raises(DataError, match="called likewise"):
        read([de, en], test=later[0])


def test_all_pairs_of_a_source_are_in_one_part(tmp_path: Path) -> None:
    source, target = pairs(30)
    path = tmp_path / "pairs.tsv"
    lines = [f"{a}\t{b} {n}\n" for a, b in zip(source, target, strict=True) for n in range(4)]
    path.write_text("".join(lines))
    data = read(str(path), valid=0.2, test=0.2)
    parts = [set(part.pairs.source) for part in (data.train, data.valid, data.test)]
    assert not any(a & b for a, b in combinations(parts, 2))
    assert sum(map(len, (data.train, data.valid, data.test))) == 120


def test_empty_and_damaged_and_long_lines_are_left_out_and_counted(tmp_path: Path) -> None:
    source, target = pairs(200)
    source[3], target[7], target[9] = "", "   ", " ".join(["one"] * 300)
    de, en = written(tmp_path, source, target)
    raw = Path(de).read_bytes().split(b"\n")
    raw[12] += b" \xff"
    Path(de).write_bytes(b"\n".join(raw))
    data = read([de, en], valid=0.05, test=0)
    told = "\n".join(data.found)
    assert (
        "2 pairs of the training part, in which a side is empty; the first is train.de and train.en, line 4"
        in told
    )
    assert "1 pair of the training part, in which a side is not UTF-8" in told
    assert "more than 250 tokens" in told
    assert len(data.train) + len(data.valid) == 196


@pytest.mark.parametrize(
    ("change", "message", "line"),
    [
        (lambda de, en: en.write_text(en.read_text() + "more\n"), "a line for each line of train.en", 61),
        (lambda de, en: en.write_text(""), "an empty file", None),
        (lambda de, en: en.unlink(), "got nothing", None),
        (
            lambda de, en: de.write_bytes(de.read_text().replace("i", "ü").encode("latin-1")),
            "expected UTF-8",
            1,
        ),
    ],
)
def test_files_that_do_not_go_together_are_refused(tmp_path: Path, change, message, line) -> None:
    de, en = written(tmp_path, *pairs(60))
    change(Path(de), Path(en))
    with pytest.raises(DataError, match=message) as caught:
        read([de, en])
    if line is not None:
        assert f"{line}" in str(caught.value)


def test_a_line_without_its_partner_is_named(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("ein hund\ta dog\neine katze a cat\nzwei\ttwo\n")
    with pytest.raises(DataError, match=r"pairs\.tsv, line 2: expected at least 2 texts with a tab"):
        read(str(path))


def test_a_first_line_that_is_no_header_is_a_pair(tmp_path: Path) -> None:
    source, target = pairs(30)
    path = tmp_path / "pairs.tsv"
    lines = [f"{a}\t{b}\tsomebody\n" for a, b in zip(source, target, strict=True)]
    path.write_text("".join(lines))
    data = read(str(path))
    assert len(data.train) + len(data.valid) + len(data.test) == 30
    assert any("the first two are read" in line for line in data.found)


def test_what_texts_are_cut_into_is_chosen_and_told() -> None:
    source, target = pairs(300)
    names = pl.DataFrame({"latin": [text.replace(" ", "") for text in source], "other": target})
    names = names.with_columns(pl.col("other").str.replace_all(" ", ""))
    data = read_pairs(TranslateConfig(), names)
    assert data.schema.source.unit == "characters"
    assert any("texts of a word or two" in line for line in data.found)
    data = read_pairs(TranslateConfig(), pl.DataFrame({"a": source, "b": target}))
    assert data.schema.source.unit == "bpe"


def test_sides_that_share_their_words_share_their_tokens() -> None:
    source, target = pairs(200)
    assert not read(pl.DataFrame({"a": source, "b": target})).schema.shared
    alike = pl.DataFrame({"a": source, "b": [text.replace("hund", "HUND") for text in source]})
    data = read(alike)
    assert data.schema.shared
    assert data.schema.source == data.schema.target
    assert not read(alike, shared=False).schema.shared


@pytest.mark.parametrize("unit", ["characters", "words", "bpe"])
def test_texts_come_back_from_their_tokens(unit: str) -> None:
    source, target = pairs(300)
    data = read(pl.DataFrame({"a": source, "b": target}), unit=unit)
    for text in target[:50]:
        assert decode_text(encode_text(text, data.schema.target), data.schema.target) == text


def test_tokens_are_learnt_on_the_training_side_only(tmp_path: Path) -> None:
    source, target = pairs(100)
    de, en = written(tmp_path, source, target)
    written(tmp_path, ["neues wort"] * 5, ["new word"] * 5, "test")
    data = read([de, en], test=str(tmp_path / "test.de"))
    assert "neues" not in data.schema.source.tokens
    assert "new" not in data.schema.target.tokens
    assert any(line.startswith("unknown: 100") for line in data.found)


def test_later_files_are_read_with_the_same_tokens(tmp_path: Path) -> None:
    data = read(list(written(tmp_path, *pairs(100))))
    source, target = pairs(12, 5)
    de, en = written(tmp_path, source, target, "later")
    for given in ([de, en], [en, de]):  # the endings tell which is which
        later = read_later(data.schema, given)
        assert later.test.pairs.source == source
        assert later.test.pairs.target == target
    alone = read_later(data.schema, de, alone=True)
    assert alone.test.pairs.source == source
    assert alone.test.pairs.target is None
    with pytest.raises(DataError, match="two files of lines"):
        read_later(data.schema, de)


def test_later_files_with_tabs_are_read_by_the_names_of_the_columns(tmp_path: Path) -> None:
    def laid(source: list[str], target: list[str], name: str) -> Path:
        rows = [f"{n}\t{b}\t{a}" for n, (a, b) in enumerate(zip(source, target, strict=True))]
        path = tmp_path / name
        path.write_text("\n".join(["id\ten\tde", *rows]) + "\n")
        return path

    data = read(laid(*pairs(100), "pairs.tsv"), source="de", target="en")
    source, target = pairs(12, 5)
    later = read_later(data.schema, laid(source, target, "later.tsv"))
    assert (later.test.pairs.source, later.test.pairs.target) == (source, target)


def test_too_few_pairs_are_refused() -> None:
    with pytest.raises(DataError, match="too few"):
        read(pl.DataFrame({"a": ["x"], "b": ["y"]}))


def test_later_files_are_read_by_the_numbers_of_the_columns(tmp_path: Path) -> None:
    def laid(source: list[str], target: list[str], name: str) -> Path:
        path = tmp_path / name
        rows = [f"{n}\t{b}\t{a}" for n, (a, b) in enumerate(zip(source, target, strict=True))]
        path.write_text("\n".join(rows) + "\n")
        return path

    data = read(laid(*pairs(100), "pairs.tsv"), source="3", target="2")
    source, target = pairs(12, 5)
    later = read_later(data.schema, laid(source, target, "later.tsv"))
    assert (later.test.pairs.source, later.test.pairs.target) == (source, target)


def test_texts_without_a_partner_will_do_to_be_translated(tmp_path: Path) -> None:
    source, target = pairs(100)
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{a}\t{b}\n" for a, b in zip(source, target, strict=True)))
    data = read(path)
    (tmp_path / "later.tsv").write_text(f"{source[0]}\t\n{source[1]}\n{source[2]}\t{target[2]}\n")
    later = read_later(data.schema, tmp_path / "later.tsv", alone=True)
    assert later.test.pairs.source == source[:3]
