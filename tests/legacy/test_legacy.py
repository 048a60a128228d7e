"""Bundles of every format that was ever released load, and answer as they did when they were written."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import recurra
from counting.task import Counting
from recurra.bundle import FORMAT
from recurra.tasks import TASKS

FIXTURES = sorted(Path(__file__).resolve().parent.glob("format-*"))


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path.name)
def test_old_bundles_answer_as_they_did(fixture: Path) -> None:
    task = Counting() if fixture.name.endswith("-counting") else None
    bundle = recurra.load(fixture / "bundle", task)
    (source,) = fixture.glob("source.*")
    expected = pl.read_csv(fixture / "answers.csv")
    answers = pl.read_csv(bundle.predict(source).write_csv().encode())
    assert_frame_equal(answers, expected, rel_tol=1e-4)


@pytest.mark.parametrize("task", ["counting", *TASKS])
def test_there_is_one_of_each_task_in_this_format(task: str) -> None:
    assert any(path.name.startswith(f"format-{FORMAT}-{task}") for path in FIXTURES)
