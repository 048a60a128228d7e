"""The report of a classifier: its sections, on texts, series, events and several labels."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from judging import examples, guesses, reviews, waves
from planted import Small, trained

from recurra.report import figures
from recurra.report.page import SHADES, Page
from recurra.tasks.classify import explained, pictures, report
from recurra.tasks.classify.evaluate import evaluate, judged

pytest.importorskip("matplotlib", reason="needs the extra [text]")
pytest.importorskip("sklearn", reason="needs the extra [text]")

SECTIONS = (
    "The verdict", "Class by class", "How sure, and how often right", "The most certain mistakes",
    "What decided", "While it reads", "What was found in the data", "How to use it",
)  # fmt: skip


def fitted(data, steps=60):
    """A small model of the training part."""
    torch.manual_seed(0)
    series = data.schema.kind == "series"
    tokens = None if series else int(data.examples.x.values.max()) + 1
    model = Small(tokens, channels=3, classes=len(data.schema.classes), output="mean")
    return trained(model, data.examples.x.take(data.train), data.examples.y[data.train], steps)


def written(data, model=None, *, found=None, temperature=1.0):
    """The page, and the evaluation that it shows."""
    if found is None:
        with torch.no_grad():
            logits = model(*data.examples.x.padded(judged(data)))
        found = model.probabilities(logits).double().numpy()
    evaluation = evaluate(found, data, resamples=100, temperature=temperature)
    page = Page("Classes", bundle="runs/x")
    report.write(page, SimpleNamespace(), data, evaluation, model)
    return page.html(), evaluation


@pytest.fixture(scope="module")
def words():
    """Texts with a model, and the page of both."""
    data = reviews()
    model = fitted(data)
    return (data, model, *written(data, model, temperature=1.3))


def test_ticks_of_shares_are_not_rounded_away():
    told = [pictures._tick(share) for share in (0.0, 0.925, 0.95, 1.0, 1.05)]
    assert told == ["0 %", "92.5 %", "95 %", "100 %", ""]


def test_a_report_on_texts_has_every_section_and_stays_small(words):
    _, _, html, found = words
    for title in (*SECTIONS, "What speaks for each class"):
        assert f">{title}</h2>" in html
    assert html.count("<svg") >= 4
    assert len(html) < 1_000_000
    assert found.words[0].split(":")[0] in html
    assert "recurra predict runs/x new.csv --out classes.csv" in html
    assert "examples: some" in html
    assert found.signature in html
    assert "without the temperature" in html
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', html)) <= set(ids)


def test_the_words_that_decide_are_marked_and_listed(words):
    _, _, html, _ = words
    assert re.search(r'<mark class="for4">(superb|dreadful)</mark>', html)
    spoken = html[html.index(">What speaks for each class</h2>") :]
    assert re.search(r'row">bad</th><td>dreadful \d', spoken)
    assert re.search(r'row">good</th><td>superb \d', spoken)


def test_the_confusion_matrix_is_there_in_numbers(words):
    data, _, html, found = words
    said = found.detail.found.argmax(1)
    right = int(((said == 0) & (data.examples.y[100:] == 0)).sum())
    whole = int((data.examples.y[100:] == 0).sum())
    assert f">{right} · {100 * right / whole:.0f} %</td>" in html


def test_a_report_on_series_draws_them():
    data = waves()
    html, _ = written(data, fitted(data, 10))
    for title in SECTIONS:
        assert f">{title}</h2>" in html
    assert "what decided most is around step" in html


def test_a_report_on_events():
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    x = [np.append(rng.integers(2, 6, 5), 6 + label).astype(np.int32) for label in y]
    texts = [" ".join("abcdefgh"[token] for token in one) for one in x]
    data = examples(x, y, kind="events", classes="ab", train=np.arange(60), test=np.arange(60, 120))
    data.examples.texts = texts
    html, _ = written(data, fitted(data, 10))
    assert 'class="marked"' in html


def test_a_report_on_several_labels():
    data = reviews()
    y = np.stack([data.examples.y, 1 - data.examples.y], 1).astype(float)
    several = reviews(y=y, several=True)
    found = np.clip(y[100:] * 0.9, 0.05, 0.95)
    found[0] = 1 - found[0]
    model = fitted(data, 5)
    html, _ = written(several, model, found=found)
    assert "All labels right" in html
    assert "Is, and was taken for" not in html
    assert re.search(r"row \d+: said (good|bad); is (good|bad)", html)


@pytest.mark.parametrize("classes", [12, 40])
def test_many_classes_have_a_matrix_or_the_worst_pairs(classes):
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, 600)
    names = [f"class {k}" for k in range(classes)]
    x = [np.full((3, 3), k, dtype=np.float32) for k in y]
    data = examples(x, y, kind="series", classes=names, train=np.arange(300), test=np.arange(300, 600))
    html, _ = written(data, found=guesses(y[300:], classes, 0.7))
    assert ("Was taken for" in html) == (classes == 40)
    assert ('<table class="tight tall">' in html) == (classes == 12)
    everything_right, _ = written(data, found=np.eye(classes)[y[300:]] * 0.9 + 0.1 / classes)
    assert ("No class was taken for another." in everything_right) == (classes == 40)


def test_unseen_labels_have_a_row():
    y = np.random.default_rng(0).integers(0, 2, 200)
    y[190:] = -1
    data = reviews(y=y, unseen={"odd": 10})
    html, _ = written(data, fitted(reviews(), 5), found=guesses(np.maximum(y[100:], 0), 2))
    assert '<th scope="row">unseen labels</th>' in html
    assert "something that training did not have" in html


def test_no_mistakes_are_said():
    data = reviews()
    found = np.eye(2)[data.examples.y[100:]] * 0.8 + 0.1
    assert "There are none: every answer was right." in written(data, fitted(data, 5), found=found)[0]


def test_without_matplotlib_the_report_is_written_and_says_why_nothing_is_drawn(monkeypatch, words):
    monkeypatch.setattr(figures, "missing", lambda: "The report will have no figures.")
    html, _ = written(*words[:2])
    assert "<svg" not in html
    assert "The report will have no figures." in html
    data = waves()
    assert "said" in written(data, fitted(data, 5))[0]


def test_nothing_to_judge_still_has_a_page():
    html, _ = written(reviews(test=[]), found=np.zeros((0, 2)))
    assert "Nothing could be evaluated" in html


def test_the_same_evaluation_is_the_same_page(words):
    data, model, html, _ = words
    assert written(data, model, temperature=1.3)[0] == html


def test_long_texts_are_shortened_around_what_decides():
    text = " ".join(f"word{n}" for n in range(5000))
    data = examples(None, [0, 0], kind="text", classes="ab", train=[0], test=[1], texts=[text, ""])
    found = np.zeros(3000)  # no more was read
    found[2000], found[10] = 2.0, -1.0
    shown = explained.marked(data, 0, found)
    assert ("word2000", SHADES) in shown
    assert ("word10", -SHADES // 2) in shown
    assert (" … ", 0) in shown
    assert shown[-1] == (" …", 0)
    assert sum(len(piece) for piece, _ in shown) < 400
    assert explained.marked(data, 1, np.zeros(1)) == [("(empty)", 0)]
    beginning = "".join(piece for piece, _ in explained.marked(data, 0, np.zeros(3000)))
    assert beginning.startswith("word0 word1 ")


def test_texts_keep_their_spaces_and_signs():
    texts = ["It's  good — \n really, GOOD.", "x"]
    for unit in ("words", "characters"):
        data = examples(None, [0, 0], kind="text", classes="ab", train=[0], test=[1], texts=texts, unit=unit)
        shown = explained.marked(data, 0, np.ones(len(explained.pieces_of(data, 0))))
        assert "".join(piece for piece, _ in shown) == texts[0]


def test_what_does_not_matter_is_not_marked():
    assert explained.strengths(np.array([0.01, -0.005])) == [0, 0]
    assert explained.strengths(np.array([2.0, -2.0, 0.9, 0.1])) == [4, -4, 2, 0]
    assert explained.strengths(np.zeros(0)) == []


def test_chances_are_those_of_the_running_model():
    data = reviews()
    model = fitted(data, 5).train()
    found = explained.chances(model, data, 3)
    assert found.shape == (int(data.examples.x.lengths[3]), 2)
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-6)
    assert model.training
