"""`recurra translate` and `recurra predict` with a translator, as they are called."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pairs_of_words import pairs, written

from recurra import cli
from recurra.bundle import Bundle
from recurra.errors import ConfigError
from recurra.tasks import find
from recurra.tasks.translate.evaluate import judged
from recurra.tasks.translate.metrics import Judge
from untrained import untrained

FORECAST = Path(__file__).parents[2] / "legacy" / "format-1-forecast" / "bundle"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A model of pieces of words that has learnt nothing."""
    folder = tmp_path_factory.mktemp("translator")
    files = list(written(folder, *pairs(200)))
    return untrained("translate", files, folder / "bundle", unit="bpe", hidden=24, spread=0.4)


def lines_of(bundle: Bundle, source: list[str]) -> list[str]:
    """Translations as lines: what this model writes has line breaks in it."""
    texts = [one[0].text for one in bundle.translate(source)]
    return ["".join(" " if one.splitlines() == [""] else one for one in text) for text in texts]


def called(arguments: list[str], capsys: Any) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    told = capsys.readouterr()
    return int(caught.value.code or 0), told.out, told.err


def test_a_line_comes_out_for_every_line(bundle: Bundle, tmp_path: Path, capsys: Any) -> None:
    source = [*pairs(300, 1)[0], "", "hund"]
    path = tmp_path / "new.txt"
    path.write_text("\n".join(source), encoding="utf-8")
    code, out, _ = called(["translate", str(bundle.path), str(path)], capsys)
    assert code == 0
    expected = lines_of(bundle, source)
    assert out.split("\n") == [*expected, ""]
    assert expected[300] == ""


def test_lines_of_stdin_are_answered_the_same(bundle: Bundle, monkeypatch: Any, capsys: Any) -> None:
    source = pairs(5, 2)[0]
    expected = lines_of(bundle, source)
    for given in (["translate", str(bundle.path)], ["translate", str(bundle.path), "-", "--beam", "5"]):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\r\n".join(source).encode())))
        code, out, told = called(given, capsys)
        assert (code, out.splitlines(), told) == (0, expected, "")


def test_the_best_ones_come_with_their_scores(bundle: Bundle, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "new.txt"
    path.write_text("ein hund\neine katze\n", encoding="utf-8")
    given = ["translate", str(bundle.path), str(path), "--beam", "4", "--best", "3", "--most", "6"]
    code, out, _ = called(given, capsys)
    rows = [line.split(" ||| ") for line in out.splitlines()]
    assert code == 0
    assert [row[0] for row in rows] == ["0"] * 3 + ["1"] * 3
    scores = [float(row[2]) for row in rows]
    assert scores[:3] == sorted(scores[:3], reverse=True)
    # Two may look alike: one that has learnt little writes parts of characters.
    [found, _] = bundle.translate(["ein hund", "eine katze"], beam=4, best=3, most=6)
    assert [one.score for one in found] == pytest.approx(scores[:3], abs=1e-3)
    assert len({one.score for one in found}) == 3


def test_predictions_are_a_table(bundle: Bundle, tmp_path: Path, capsys: Any) -> None:
    source = pairs(30, 3)[0]
    path, out = tmp_path / "new.de", tmp_path / "answers.csv"
    path.write_text("\n".join(source) + "\n", encoding="utf-8")
    assert called(["predict", str(bundle.path), str(path), "--out", str(out)], capsys)[0] == 0
    frame = pl.read_csv(out)
    assert frame.columns == ["source", "translation", "score", "alignment"]
    assert frame["source"].to_list() == source
    assert frame["translation"].fill_null("").to_list() == [one[0].text for one in bundle.translate(source)]
    for text, links in zip(source, frame["alignment"].fill_null("").to_list(), strict=True):
        assert all(int(link.split("-")[0]) < len(text.split()) for link in links.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.txt"], "expected a file of lines, got nothing at 'nowhere.txt'"),
        (["new.txt", "--beam", "0"], "expected the beam width to be 1 or more"),
        (["new.txt", "--best", "9"], "expected the number of best texts from 1 to the beam's 5"),
    ],
)
def test_mistakes_are_told_in_a_sentence(
    bundle: Bundle, tmp_path: Path, capsys: Any, arguments: list[str], message: str
) -> None:
    (tmp_path / "new.txt").write_text("hund\n")
    path = arguments[0] if arguments[0].startswith("nowhere") else str(tmp_path / arguments[0])
    code, _, told = called(["translate", str(bundle.path), path, *arguments[1:]], capsys)
    assert code == 2
    assert message in told
    assert "Traceback" not in told


def test_bytes_that_are_no_text_are_named_by_their_line(
    bundle: Bundle, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"hund\nk\xffatze\n")))
    code, out, told = called(["translate", str(bundle.path)], capsys)
    assert code == 2
    assert len(out.splitlines()) == 1
    assert "stdin, line 2: expected UTF-8" in told


def test_other_bundles_do_not_translate() -> None:
    import recurra  # noqa: PLC0415

    with pytest.raises(ConfigError, match="fit translate"):
        recurra.load(FORECAST).translate(["hund"])


def test_any_of_several_references_is_right() -> None:
    judge = Judge([["a b c d e", "a b c d f"], ["x y z v w"]], seed=1)
    for first in ("a b c d e", "a b c d f"):
        found = judge.metrics([first, "x y z v w"])
        assert (found["bleu"], found["chrf"], found["exact"]) == pytest.approx((100, 100, 1))
    assert "nrefs:var" in judge.signatures["bleu"]
    assert judge.each(["a b c d f", "x y"])[0] == pytest.approx(100)
    assert judge.draws(["a b c d f", "x y z v w"])["bleu"].min() == pytest.approx(100)
    alone = Judge([["a b c d e"], ["x y z v w"]]).metrics(["a b c d f", "x y z v w"])
    assert alone["bleu"] < 100
    assert alone["exact"] == 0.5


def test_sources_with_several_targets_are_judged_once() -> None:
    frame = pl.DataFrame({"a": ["x", "y", "x", "z", "x"], "b": ["1", "2", "3", "4", "1"]})
    task: Any = find("translate")
    data = task.read(task.Config(unit="words", test=0), pl.concat([frame] * 4))
    whole = task.read(task.Config(unit="words"), frame, data.schema)
    found = judged(whole)
    assert found.pairs.pairs.source == ["x", "y", "z"]
    assert found.references == [["1", "3"], ["2"], ["4"]]
