"""docs/layers.md: its code runs, and prints what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "layers.md"


def test_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(code, names)
    (printed,) = re.findall(r"```\n```\n(.*?)```", text, re.DOTALL)
    assert capsys.readouterr().out == printed
    assert names["answer"].shape == (8, 2)
    assert not names["out"].isnan().any()
