"""docs/layers.md and docs/accelerate.md: their code runs, and prints what the pages say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def run(page: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The names that the page's code leaves behind."""
    text = (DOCS / page).read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(code, names)
    (printed,) = re.findall(r"```\n```\n(.*?)```", text, re.DOTALL)
    assert capsys.readouterr().out == printed
    return names


def test_layers(capsys: pytest.CaptureFixture[str]) -> None:
    names = run("layers.md", capsys)
    assert names["answer"].shape == (8, 2)
    assert not names["out"].isnan().any()
    assert names["y"].shape == (2, 20)
    assert names["second"] == 1


def test_accelerate(capsys: pytest.CaptureFixture[str]) -> None:
    names = run("accelerate.md", capsys)
    assert names["scores"].shape == (8, 20, 5)
    assert not names["tagged"][1, 3:].any()
