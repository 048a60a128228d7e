"""A captioner from files to a bundle: fitted, judged, reported, asked, streamed."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

pytest.importorskip("PIL", reason="pictures need Pillow")
pytest.importorskip("sacrebleu", reason="captions are judged by sacrebleu")

from PIL import Image
from things import SMALL, captioner, write_things

import recurra
from recurra.bundle import Bundle
from recurra.errors import ConfigError, DataError
from recurra.report.page import Page
from recurra.stream import StreamPool
from recurra.stream.lines import Lines
from recurra.tasks.base import Caption as Written
from recurra.tasks.base import Captions, Exports, Parted, Streams
from recurra.tasks.caption.evaluate import SHUFFLED
from recurra.tasks.caption.looking import looked
from recurra.tasks.caption.task import Caption


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("captioner")
    pictures = write_things(folder / "pictures", 120)
    return recurra.fit("caption", pictures, out=folder / "bundle", time_budget="6s", quiet=True, **SMALL)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """One that has learnt nothing, and says much."""
    return captioner(tmp_path_factory.mktemp("drawn"))


def test_it_is_a_task_that_can_all_of_it() -> None:
    for what in (Captions, Exports, Parted, Streams):
        assert isinstance(Caption(), what)


def test_a_run_is_judged_beside_the_baselines(fitted: Bundle) -> None:
    methods = [score["method"] for score in fitted.record["scores"]]
    assert methods == [
        "Recurra",
        "Best constant caption",
        "Random training caption",
        "Nearest training picture",
        SHUFFLED,
    ]
    for score in fitted.record["scores"]:
        assert set(score["metrics"]) == {"bleu1", "bleu2", "bleu3", "bleu4", "cider", "rouge"}
    assert fitted.record["signature"].startswith("caption|unit:words|pictures:12|beam:3|")
    assert any("pictures" in line for line in fitted.record["words"])


def test_the_report_shows_where_it_looked(fitted: Bundle) -> None:
    page = (fitted.path / "report.html").read_text()
    assert "Pictures and captions" in page
    assert page.count("data:image/jpeg;base64,") >= 4
    assert not re.search(r"(src|href)=\"http", page)


def test_a_figure_has_a_shadow_for_each_word() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)
    weights = rng.dirichlet(np.ones(4), 8).reshape(8, 2, 2)
    figure = looked(pixels, ["<b>", *"abcdefg"], weights, "what it is")
    assert figure.svg.count("<use ") == 9
    assert figure.svg.count("data:image/png;base64,") == 8
    assert "&lt;b&gt;" in figure.svg
    shadows = re.findall(r'data:image/png;base64,([^"]+)"', figure.svg)
    for weight, shadow in zip(weights, shadows, strict=True):
        cover = np.asarray(Image.open(io.BytesIO(base64.b64decode(shadow))))[..., 3]
        assert cover.shape == (2, 2)
        assert cover.min() == cover.flat[weight.argmax()] == 0


def test_predict_names_pictures_and_captions(fitted: Bundle, tmp_path: Path) -> None:
    new = write_things(tmp_path / "new", 5, seed=9)
    found = fitted.predict(new)
    assert found.columns == ["picture", "caption", "score"]
    assert found["picture"].to_list() == [f"{n:04}.png" for n in range(5)]
    told = fitted.caption([new / f"{n:04}.png" for n in range(5)])
    assert found["caption"].to_list() == [one[0].text for one in told]
    assert found["score"].to_list() == [one[0].score for one in told]


def test_captions_as_asked_for(drawn: Bundle, tmp_path: Path) -> None:
    path = write_things(tmp_path / "new", 1) / "0000.png"
    [[one, two]] = drawn.caption([path], beam=4, best=2)
    assert one.score >= two.score
    assert one.text != two.text
    assert one.text.split() == list(one.words)
    assert one.attention.shape == (len(one.words), *drawn.schema.shape.grid)
    np.testing.assert_allclose(one.attention.sum((1, 2)), 1, rtol=1e-5)
    assert drawn.caption([path.read_bytes()], beam=4)[0][0].text == one.text
    assert len(drawn.caption([path], most=2)[0][0].words) <= 2
    with pytest.raises(ConfigError, match="beam width"):
        drawn.caption([path], beam=0)
    with pytest.raises(DataError):
        drawn.caption([b"no picture"])
    with pytest.raises(DataError):
        drawn.caption([tmp_path / "nothing.png"])


def test_evaluate_on_other_pictures(fitted: Bundle, tmp_path: Path) -> None:
    found = fitted.evaluate(write_things(tmp_path / "later", 6, seed=5))
    assert [score.method for score in found.scores] == ["Recurra", SHUFFLED]
    assert any("No baseline stands beside the model" in line for line in found.words)
    task: Any = fitted.task
    data = task.read(fitted.config, tmp_path / "later", fitted.schema)
    page = Page("Captions", bundle=str(fitted.path))
    task.report(page, fitted.model, fitted.config, data, found)
    assert "people" in page.html().lower()


def test_a_stream_says_what_the_whole_says(drawn: Bundle, tmp_path: Path) -> None:
    folder = write_things(tmp_path / "new", 4, seed=2)
    paths = [folder / f"{n:04}.png" for n in range(4)]
    expected = [one[0] for one in drawn.caption(paths)]
    stream = drawn.stream()
    assert stream.step(stream.example)["steps"] == 1
    for n, path in enumerate(paths):
        text = base64.b64encode(path.read_bytes()).decode()
        answer = stream.step(f"data:image/png;base64,{text}" if n % 2 else text)
        same(answer, expected[n])
        json.dumps(answer, allow_nan=False)
    pool = StreamPool(drawn, 8)
    given = {pool.open(): base64.b64encode(path.read_bytes()).decode() for path in paths}
    for answer, caption in zip(pool.step(given).values(), expected, strict=True):
        same(answer, caption)


def same(answer: Any, caption: Written) -> None:
    assert (answer["text"], answer["score"], answer["words"]) == (
        caption.text,
        caption.score,
        list(caption.words),
    )
    attention = np.reshape(answer["attention"], caption.attention.shape)
    np.testing.assert_allclose(attention, caption.attention, atol=1e-4)


@pytest.mark.parametrize(
    ("observation", "told"),
    [
        (3, "expected a picture's file in base64, got int"),
        ("no base64!", "got a string that is none"),
        (base64.b64encode(b"no picture").decode(), "picture"),
        ("", "picture"),
    ],
)
def test_a_stream_refuses_what_is_no_picture(drawn: Bundle, observation: Any, told: str) -> None:
    with pytest.raises(DataError, match=told):
        drawn.stream().step(observation)


def test_lines_of_pictures(drawn: Bundle, tmp_path: Path) -> None:
    path = write_things(tmp_path / "new", 1) / "0000.png"
    lines = Lines(StreamPool(drawn, 2), by="who")
    text = base64.b64encode(path.read_bytes()).decode()
    answer = json.loads(lines.answer(json.dumps({"who": "a", "picture": text}).encode()))
    same(answer, drawn.caption([path])[0][0])
    assert "error" in json.loads(lines.answer(b'{"who": "a", "picture": "none"}'))
    with pytest.raises(ConfigError, match="a picture's file in base64, got --plain"):
        Lines(StreamPool(drawn, 2), plain=True)


@pytest.mark.parametrize("unit", ["words", "bpe", "characters"])
def test_every_unit_says_words_and_where_they_look(unit: str, tmp_path: Path) -> None:
    if unit == "bpe":
        pytest.importorskip("tokenizers", reason="byte-pair encoding needs tokenizers")
    options = {"vocabulary": 300} if unit == "bpe" else {}
    bundle = captioner(tmp_path, unit=unit, **options)
    [[found]] = bundle.caption([tmp_path / "pictures" / "0000.png"])
    assert len(found.attention) == len(found.words)
    np.testing.assert_allclose(found.attention.sum((1, 2)), 1, rtol=1e-4)
    if unit == "bpe":
        assert " ".join(found.words).split() == found.text.split()


def test_the_command_line(fitted: Bundle, tmp_path: Path) -> None:
    folder = write_things(tmp_path / "new", 3, seed=4)
    out = tmp_path / "captions.csv"
    command = [sys.executable, "-m", "recurra", "predict", fitted.path, folder, "--out", out]
    ran = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert pl.read_csv(out)["caption"].to_list() == fitted.predict(folder)["caption"].to_list()
    command = [sys.executable, "-m", "recurra", "predict", fitted.path, tmp_path / "nowhere"]
    ran = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr
