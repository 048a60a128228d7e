"""Bundles: what is in them, and that nothing but a whole one is ever loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import recurra
from counting.task import Counting, write_numbers
from recurra import sealed
from recurra.errors import BundleError
from recurra.tasks import TASKS

FILES = ["bundle.json", "weights.safetensors", "report.html", "log.jsonl"]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    numbers = write_numbers(folder / "numbers.csv")
    recurra.fit(Counting(), numbers, out=folder / "run", steps=20, quiet=True)
    return folder / "run"


@pytest.fixture
def copied(fitted: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fitted, tmp_path / "run"))


def rewrite(bundle: Path, **changes: Any) -> None:
    """Change entries of bundle.json and seal it again, as another program might write it."""
    record = json.loads((bundle / "bundle.json").read_text())
    record.pop("seal")
    (bundle / "bundle.json").write_bytes(sealed.seal(record | changes))


def refusal(bundle: Path) -> str:
    with pytest.raises(BundleError) as error:
        recurra.load(bundle, Counting())
    assert str(bundle) in str(error.value)
    return str(error.value).replace(str(bundle), "BUNDLE")


def test_what_it_holds(fitted: Path) -> None:
    record = json.loads((fitted / "bundle.json").read_text())
    assert record["format"] == 1
    assert record["task"] == "counting"
    assert record["config"]["steps"] == 20
    assert record["scores"][0]["method"] == "ours"
    assert record["signature"].startswith("counting|")
    assert record["versions"]["recurra"] == recurra.__version__
    assert set(record["files"]) == set(FILES[1:])
    assert sorted(path.name for path in fitted.iterdir()) == sorted([*FILES, "checkpoint"])
    assert "<h1>" in (fitted / "report.html").read_text()


def test_it_answers_as_when_it_was_fitted(fitted: Path) -> None:
    bundle = recurra.load(str(fitted), Counting())
    scores = [
        (score.method, score.metrics) for score in bundle.evaluate(fitted.parent / "numbers.csv").scores
    ]
    assert scores == [(score["method"], score["metrics"]) for score in bundle.record["scores"]]
    assert bundle.predict(fitted.parent / "numbers.csv").shape == (48, 1)
    assert float(bundle.model.spread) > 0
    assert not bundle.model.training


def test_loading_leaves_random_numbers_alone(fitted: Path) -> None:
    state = torch.get_rng_state()
    recurra.load(fitted, Counting())
    assert torch.equal(torch.get_rng_state(), state)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_change_is_refused(fitted: Path, data: st.DataObject) -> None:
    """A flipped bit, a byte put in or lost, or a file cut short: each is noticed, in every file."""
    folder = fitted.parent / "changed"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(fitted, folder, ignore=shutil.ignore_patterns("checkpoint"))
    path = folder / data.draw(st.sampled_from(FILES))
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    kind = data.draw(st.sampled_from(["flip", "put in", "lose", "cut"]))
    if kind == "flip":
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    elif kind == "put in":
        content.insert(place, data.draw(st.integers(0, 255)))
    elif kind == "lose":
        del content[place]
    else:
        del content[place:]
    path.write_bytes(content)
    assert refusal(folder).startswith("expected a whole bundle, got BUNDLE")


def test_lost_weights(copied: Path) -> None:
    (copied / "weights.safetensors").unlink()
    assert refusal(copied) == (
        "expected a whole bundle, got BUNDLE, which is damaged: weights.safetensors cannot be read "
        "(No such file or directory). Copy the whole folder again, or fit once more."
    )


@pytest.mark.parametrize("name", ["report.html", "log.jsonl"])
def test_what_people_read_may_be_taken_away(copied: Path, name: str) -> None:
    (copied / name).unlink()
    assert recurra.load(copied, Counting()).record["task"] == "counting"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode) | st.just(b"[" * 100_000))
def test_any_other_file_is_refused(fitted: Path, content: bytes) -> None:
    folder = fitted.parent / "foreign"
    folder.mkdir(exist_ok=True)
    (folder / "bundle.json").write_bytes(content)
    assert refusal(folder).startswith("expected a whole bundle, got BUNDLE/bundle.json, which is ")


def test_foreign_folders(tmp_path: Path, copied: Path) -> None:
    name = "Name a folder that `recurra fit` has written."
    assert refusal(tmp_path / "none") == f"expected a bundle at BUNDLE, got no such folder. {name}"
    assert refusal(tmp_path) == f"expected a bundle at BUNDLE, got no bundle.json in it. {name}"
    (copied / "bundle.json").unlink()
    assert refusal(copied) == (
        "expected a bundle at BUNDLE, got an unfinished run. "
        "Finish it with the same `recurra fit` and --resume."
    )
    (copied / "bundle.json").mkdir()
    assert refusal(copied).startswith("expected to read BUNDLE/bundle.json, got Is a directory.")


def test_newer_formats(copied: Path) -> None:
    rewrite(copied, format=2)
    assert refusal(copied) == (
        "expected a whole bundle, got BUNDLE/bundle.json, which is of format 2, newer than the 1 "
        "that this version reads. Load it with the version of recurra that wrote it, or a newer one."
    )


def test_other_tasks(copied: Path) -> None:
    with pytest.raises(
        BundleError,
        match=f"this version does not know: expected a task among {', '.join(TASKS)}, got",
    ):
        recurra.load(copied)
    rewrite(copied, task="forecast")
    assert refusal(copied) == (
        "expected a bundle of the task 'counting' at BUNDLE, got 'forecast'. Load it with that task."
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"config": {"hidden": 6, "mystery": 1}},
        {"config": {"hidden": 7}},
        {"config": None},
        {"schema": {}},
        {"files": {}},
        {"files": None},
    ],
)
def test_records_of_another_version(copied: Path, changes: dict[str, Any]) -> None:
    rewrite(copied, **changes)
    text = refusal(copied)
    assert "\n" not in text
    assert text.startswith("expected a whole bundle, got BUNDLE, which is written by another version: ")


def test_a_record_without_a_task(copied: Path) -> None:
    record = json.loads((copied / "bundle.json").read_text())
    record = {key: value for key, value in record.items() if key not in {"seal", "task"}}
    (copied / "bundle.json").write_bytes(sealed.seal(record))
    assert "written by another version: 'task'" in refusal(copied)


def test_weights_of_another_program(copied: Path) -> None:
    """Pickle is what torch.save writes and what could run code; it is only ever seen as bytes."""
    torch.save({"rnn.weight_ih_l0": torch.zeros(2)}, copied / "weights.safetensors")
    digest = sealed.sha256((copied / "weights.safetensors").read_bytes())
    files = json.loads((copied / "bundle.json").read_text())["files"] | {"weights.safetensors": digest}
    rewrite(copied, files=files)
    assert refusal(copied).startswith(
        "expected a whole bundle, got BUNDLE, which is written by another version: Error"
    )


def test_metrics_that_are_not_numbers(tmp_path: Path) -> None:
    class Undefined(Counting):
        def evaluate(self, model: Any, config: Any, data: Any) -> Any:
            evaluation = super().evaluate(model, config, data)
            evaluation.scores[1].metrics["mase"] = float(np.nan)
            return evaluation

    bundle = recurra.fit(
        Undefined(), write_numbers(tmp_path / "n.csv"), out=tmp_path / "run", steps=5, quiet=True
    )
    assert bundle.record["scores"][1]["metrics"]["mase"] is None
