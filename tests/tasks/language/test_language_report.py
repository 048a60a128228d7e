"""The report of a language model: its sections, on letters, words and bytes."""

import re

import numpy as np
import pytest
import torch

import recurra
from recurra.report import figures, run
from recurra.report.page import SHADES, Page
from recurra.tasks.language import hidden, report, sections
from recurra.tasks.language.coloured import Surprised, coloured, visible
from recurra.tasks.language.config import LanguageConfig
from recurra.tasks.language.data import read_corpus
from recurra.tasks.language.evaluate import evaluate, judged
from recurra.tasks.language.insight import Stretch
from recurra.tasks.language.model import LanguageModel
from recurra.tasks.language.scoring import surprise_of
from recurra.tasks.language.task import Language

pytest.importorskip("matplotlib", reason="needs the extra [text]")

SECTIONS = (
    "The verdict", "What it writes", "What surprised it", "Frequent and rare characters",
    "What a short memory costs", "What a few units do", "What was found in the data", "How to use it",
    "How training went", "Options",
)  # fmt: skip


def story(sentences, seed=0):
    """Sentences, some of them quoted, four to a line."""
    rng = np.random.default_rng(seed)
    words = ["the", "cat", "saw", "an", "old", "ship", "go", "home", "zebra"]
    found = []
    for number in range(sentences):
        chosen = rng.choice(words, rng.integers(3, 8), p=[0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.05, 0.045, 0.005])
        sentence = " ".join(chosen)
        found.append(f'"{sentence}," he said.' if rng.random() < 0.4 else sentence.capitalize() + ".")
        found.append("\n" if number % 4 == 3 else " ")
    return "".join(found)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A small model of letters, as `fit` leaves it."""
    folder = tmp_path_factory.mktemp("run")
    path = folder / "story.txt"
    path.write_text(story(1200), encoding="utf-8")
    options = {"hidden": 32, "time_budget": 4, "test": 0.2, "seed": 1}
    return recurra.fit("language", path, out=folder / "run", quiet=True, **options)


@pytest.fixture(name="html", scope="module")
def _html(bundle):
    return (bundle.path / "report.html").read_text(encoding="utf-8")


def test_a_report_has_every_section_and_stays_small(bundle, html):
    for title in SECTIONS:
        assert f">{title}</h2>" in html
    assert len(html) < 1_000_000
    assert html.count("<svg") == 2
    assert bundle.record["words"][0].split(":")[0] in html
    assert "Kneser-Ney 8-gram" in html
    assert "Gain in bits per character" in html
    assert f"recurra score {bundle.path} new.txt --out surprise.csv" in html
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', html)) <= set(ids)


def test_samples_are_those_of_the_log_and_of_the_model_as_it_is(bundle, html):
    log = [record for record in run.read_log(bundle.path) if record.get("sample")]
    shown = [
        int(step.replace(",", ""))
        for step in re.findall(r">Step ([\d,]+), validation loss [\d.]+ nats<", html)
    ]
    assert 1 <= len(shown) <= 4
    assert shown[0] == log[0]["step"]
    assert shown[-1] == log[-1]["step"]
    assert ">Temperature 1</figcaption>" in html
    assert ">Temperature 0.7</figcaption>" in html


def test_surprise_is_in_colour_with_its_bits_and_lines_have_their_numbers(html):
    part = html[html.index(">What surprised it</h2>") : html.index(">Frequent and rare characters</h2>")]
    assert len(re.findall(r'<mark class="for[1-4]" title="\d+\.\d bits">', part)) > 50
    assert 'class="against' not in part
    assert re.search(
        r"A typical passage: half of all surprised it more \(line \d+; [\d.]+ bits per character", part
    )
    assert len(re.findall(r"<figcaption>Line \d+: [\d.]+ bits per character</figcaption>", part)) == 5


def test_the_unit_that_follows_quotes_is_measured(html):
    part = html[html.index(">What a few units do</h2>") :]
    assert re.search(r'row">inside quotes</th><td>layer \d, unit \d+</td><td>[+−]0\.\d\d</td>', part)
    assert re.search(
        r'row">capital letter</th><td>layer \d, unit \d+</td><td>.0\.\d\d</td><td>\+(1\.00|0\.9\d)</td>', part
    )


def written(tmp_path, text, *, records=(), **options):
    """The page on a fresh model of a text, and the evaluation."""
    path = tmp_path / "text.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    config = LanguageConfig(**({"test": 0.3, "hidden": 12} | options))
    data = read_corpus(config, path)
    torch.manual_seed(0)
    model = LanguageModel(data.schema, config.cell).eval()
    _, tokens = judged(data)
    evaluation = evaluate({"Recurra": surprise_of(model, tokens)}, data, resamples=50)
    page = Page("Text", bundle="runs/x")
    with torch.no_grad():
        report.write(page, config, data, evaluation, model, records)
    return page.html(), evaluation, model


@pytest.mark.parametrize(("unit", "token"), [("words", "word"), ("bytes", "byte"), ("bpe", "piece")])
def test_every_unit_has_its_page(tmp_path, unit, token):
    if unit == "bpe":
        pytest.importorskip("tokenizers")
    options = {"vocabulary": 300} if unit == "bpe" else {}
    html, _, _ = written(tmp_path, story(1200).replace("ship", "Schiff‑é"), unit=unit, **options)
    assert f"bits per {token}" in html
    assert f">Frequent and rare {token}s</h2>" in html
    assert ("Bits per byte" in html) == (unit == "bytes")
    assert f"is better than the model here: {'perplexity' if unit == 'words' else 'bits per'}" in html


def test_without_matplotlib_the_report_is_written_and_says_why_nothing_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "missing", lambda: "The report will have no figures.")
    html, _, _ = written(tmp_path, story(300))
    assert "<svg" not in html
    assert "The report will have no figures." in html
    assert "What a short memory costs" not in html


def test_texts_of_a_line_or_two_and_no_test_part_have_a_page(tmp_path):
    html, _, _ = written(tmp_path, "ab " * 40)
    assert "What surprised it" in html
    for title in (
        "The oddest lines",
        "What a few units do",
        "What a short memory costs",
        "Frequent and rare",
    ):
        assert title not in html
    html, _, _ = written(tmp_path, story(100), test=0)
    assert "of the validation part" in html


def test_the_samples_that_are_shown_are_spread_over_training(tmp_path):
    records = [
        {"step": 10 * n, "valid": 3.0 / n, "sample": f"sample\x00 <{n}>\n" + "x" * 500} for n in range(1, 13)
    ]
    html, _, _ = written(tmp_path, story(60), records=[{"step": 1, "loss": 2.0}, *records])
    assert re.findall(r">Step (\d+), validation loss", html) == ["10", "20", "50", "120"]
    assert "sample· &lt;12&gt;\n" in html
    assert "x" * 300 not in html


def test_the_same_evaluation_is_the_same_page(tmp_path):
    assert written(tmp_path, story(200))[0] == written(tmp_path, story(200))[0]


def test_strengths_rise_with_surprise_and_expected_tokens_are_plain(tmp_path):
    _, evaluation, _ = written(tmp_path, story(200))
    detail = evaluation.detail
    detail.methods[0].nats[:] = np.linspace(0, 10, len(detail.tokens) - 1)
    shown = Surprised.of(detail)
    np.testing.assert_allclose(shown.levels, np.array([5, 7.5, 9, 9.7]) / np.log(2), rtol=0.01)
    assert (
        "from 7.2, 10.8, 13.0 and 14.0 bits on, where it had a chance of 1 in 150, 1,800, 8,100 and 16,000"
        in (shown.legend())
    )
    detail.methods[0].nats[:] = 0.01
    assert Surprised.of(detail).levels.tolist() == [0.5] * 4
    assert "from 0.5 bits on, where it had a chance of 1 in 1 or less" in Surprised.of(detail).legend()


def test_long_lines_are_shown_where_they_surprise(tmp_path):
    _, evaluation, _ = written(tmp_path, story(200))
    detail = evaluation.detail
    nats = detail.methods[0].nats
    nats[:] = 0.0
    nats[500:510] = 9.0
    page = Page("Text")
    Surprised.of(detail).show(page, Stretch(0, 1000, 0.1), most=30)
    html = page.html()
    assert html.count('<mark class="for4" title="13.0 bits">') == 10
    (inside,) = re.findall(r"</figcaption><p>(.*?)</p>", html, re.DOTALL)
    assert inside.startswith("… ")
    assert inside.endswith(" …")
    assert len(re.sub(r"<[^>]+>|[ …]*…[ …]*", "", inside)) >= 28


def test_what_a_page_cannot_show_is_a_dot():
    assert visible("a\x00b\tc\n\x7f\r") == "a·b\tc\n··"
    marks, hints = coloured(["a", "\n", "\n", "  b", " "], np.array([0, SHADES, 0, -1, 2]), list("vwxyz"))
    assert marks == [("a", 0), ("↵\n", SHADES), ("\n", 0), ("  ", 0), ("b", -1), (" ", 2)]
    assert hints == ["v", "w", "x", "", "y", "z"]


def test_no_more_is_read_for_units_than_there_is_time_for(tmp_path, monkeypatch):
    """Where no unit is close, the page says so."""
    monkeypatch.setattr(hidden, "READ", 2000)
    monkeypatch.setattr(hidden, "CLOSE", 1.1)
    _, evaluation, model = written(tmp_path, story(400))
    page = Page("Text")
    sections.units(page, evaluation.detail, model)
    html = page.html()
    assert "in the first half of 2,000 characters" in html
    assert "No unit follows closely (a correlation of 1.1 or more): " in html
    assert "<mark" not in html


def test_the_report_is_given_the_log_of_its_run(bundle, monkeypatch):
    given = {}
    monkeypatch.setattr(report, "write", lambda *all_of_them: given.update(records=all_of_them[-1]))
    page = Page("Text", bundle=str(bundle.path))
    Language().report(page, bundle.model, bundle.config, None, None)
    assert given["records"] == run.read_log(bundle.path)
