"""Large files of lines: translated part by part, with the translations of the whole."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pairs_of_words import pairs
from polars.testing import assert_frame_equal

from recurra import batch
from recurra.bundle import Bundle
from recurra.data.portions import portions
from recurra.errors import DataError
from untrained import untrained

SOURCES, TARGETS = pairs(80)
LINES = ["", SOURCES[0], "  ein  hund\r", "   ", 'maus "rot', *SOURCES[1:40], "東京 ist blau", ""]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    frame = pl.DataFrame({"de": SOURCES, "en": TARGETS})
    return untrained(
        "translate", frame, tmp_path_factory.mktemp("run") / "bundle", hidden=8, unit="words", beam=2
    )


def parts(bundle: Bundle, source: Any, size: int) -> tuple[pl.DataFrame, int]:
    found = list(batch.answers(bundle, source, size=size))
    return pl.concat([one.frame for one in found]), len(found)


def content(name: str) -> bytes:
    text = "".join(f"{line}\r\n" for line in LINES)
    raw = text.encode("utf-16" if "utf16" in name else "utf-8")
    raw = b"\xef\xbb\xbf" + raw if "bom" in name else raw
    return gzip.compress(raw) if name.endswith(".gz") else raw


@pytest.mark.parametrize(
    "name", ["big.de", "big.de.gz", "big.txt", "big", "big.tsv", "bom.de", "utf16.de", "big.2024.en"]
)
def test_lines_of_any_ending_come_apart(bundle: Bundle, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(content(name))
    whole = bundle.predict(path)
    assert whole["source"].to_list() == LINES
    found, many = parts(bundle, path, 30 if path.suffix == ".gz" else 300)
    assert many > 3
    assert_frame_equal(found, whole)


def test_several_files_and_tables(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "a.de").write_bytes(content("a"))
    (tmp_path / "b.en").write_text("\n".join(SOURCES[40:]))
    both = [tmp_path / "a.de", tmp_path / "b.en"]
    found, many = parts(bundle, both, 400)
    assert many > 4
    assert_frame_equal(found, bundle.predict(both))
    frame = pl.DataFrame({"de": SOURCES, "en": TARGETS, "n": range(80)})
    frame.write_csv(tmp_path / "pairs.csv")
    frame.select("de").write_ndjson(tmp_path / "alone.ndjson")
    for name in ("pairs.csv", "alone.ndjson"):
        found, many = parts(bundle, tmp_path / name, 900)
        assert many > 2
        assert_frame_equal(found, bundle.predict(frame))


def test_lines_with_tabs_are_read_at_once(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("de\ten\n" + "".join(f"{a}\t{b}\n" for a, b in zip(SOURCES, TARGETS, strict=True)))
    found, many = parts(bundle, path, 300)
    assert many == 1
    assert found["source"].to_list() == SOURCES


def test_a_table_with_one_column_of_text(bundle: Bundle) -> None:
    expected = bundle.predict(pl.DataFrame({"de": SOURCES[:3]}))
    assert_frame_equal(bundle.predict(pl.DataFrame({"whatever": SOURCES[:3], "n": [1, 2, 3]})), expected)
    with pytest.raises(DataError, match="expected two columns of text, got 3 among a, b, c"):
        bundle.predict(pl.DataFrame({"a": ["x"], "b": ["y"], "c": ["z"]}))


def test_rows_know_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "big.de"
    path.write_text("".join(f"line {n}\n\n" for n in range(1, 50)))
    tables = [one for one in portions(path, "de", 100, lines=True) if not isinstance(one, Path)]
    assert len(tables) > 3
    places = [table.where(row)[1] for table in tables for row in range(len(table.frame))]
    assert places == list(range(1, 99))


def test_errors_are_those_of_the_whole(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "big.de"
    for raw, message in (
        (b" \n" * 500, "expected texts, a line each, got an empty file"),
        (b"ein hund\n" * 500 + b"\xff\xfe\n" * 20, "got other bytes in 20 of 520 lines"),
    ):
        path.write_bytes(raw)
        with pytest.raises(DataError, match=message) as whole:
            bundle.predict(path)
        with pytest.raises(DataError) as apart:
            parts(bundle, path, 300)
        assert str(apart.value) == str(whole.value)
