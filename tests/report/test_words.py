import json

import numpy as np
import pytest
from pydantic import BaseModel, Field

import recurra
from recurra.report import run
from recurra.report.numbers import count, number, percent
from recurra.report.page import Page
from recurra.report.signature import signature


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.012345, "0.0123"),
        (0.31, "0.310"),
        (-3.14159, "−3.142"),
        (37.0, "37.00"),
        (123.456, "123.5"),
        (9834.2, "9,834"),
        (1e20, "1.000e+20"),
        (float("nan"), "–"),
        (float("inf"), "–"),
    ],
)
def test_numbers(value, text):
    assert number(value) == text


def test_shares_and_counts():
    assert percent(0.783) == "78.3 %"
    assert percent(float("nan")) == "–"
    assert count(1, "window") == "1 window"
    assert count(1240, "window") == "1,240 windows"
    assert count(2, "series", "series") == "2 series"


def test_a_signature_names_what_scores_depend_on():
    found = signature("forecast", sha256="ab" * 32, seed=3, dtype="float64", horizon=24, levels=(0.1, 0.9))
    version = recurra.__version__
    assert found == (
        f"forecast|horizon:24|levels:0.1,0.9|data:{'ab' * 6}|seed:3|dtype:float64|version:{version}"
    )
    assert "note:a/b_c" in signature("x", sha256="", seed=0, dtype="float32", note="a|b c")
    assert "data:unknown" in signature("x", sha256="", seed=0, dtype="float32")


def log(folder, records):
    text = "".join(json.dumps(record) + "\n" for record in records)
    (folder / "log.jsonl").write_text(text, encoding="utf-8")
    return run.read_log(folder)


def test_learning_curves_are_read_from_the_log(tmp_path):
    records = [{"step": step, "loss": 1 / step, "time": 0.1} for step in range(1, 301)]
    records += [{"step": 100, "valid": 0.5}, {"step": 200, "valid": 0.4}, {"step": 300, "valid": None}]
    page = Page("A run")
    run.training(page, log(tmp_path, records))
    html = page.html()
    assert "Training ended after 300 steps." in html
    assert "The validation loss was lowest, 0.400, at step 200" in html
    assert html.count("<svg") == 1


def test_a_run_without_a_log_has_no_section_about_training(tmp_path):
    page = Page("A run")
    run.training(page, run.read_log(tmp_path))
    run.training(page, log(tmp_path, [{"step": 1, "note": "began"}]))
    assert "<h2" not in page.html()


class Config(BaseModel):
    horizon: int | None = Field(None, description="Steps ahead.")
    time_budget: float = Field(600.0, description="Seconds.")
    names: tuple[str, ...] = Field((), description="Columns.")


def test_options_list_what_was_given_first():
    page = Page("A run")
    run.options(page, Config(time_budget=60.0))
    html = page.html()
    assert html.index("--time-budget") < html.index("--horizon") < html.index("--names")
    assert "<td>60.0</td>" in html
    assert "<td>not given</td>" in html
    assert "<td>none (default)</td>" in html


def test_curves_of_many_steps_are_thinned():
    records = [{"step": i, "loss": float(np.sin(i))} for i in range(1, 50_001)]
    page = Page("A run")
    run.training(page, records)
    assert len(page.html()) < 60_000
