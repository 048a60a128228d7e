"""A file of numbers, and a run on it that is finished."""

from __future__ import annotations

from pathlib import Path

import pytest

from counting.task import write_numbers


@pytest.fixture(scope="session")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_numbers(tmp_path_factory.mktemp("data") / "numbers.csv")
