"""What the benchmarks' tests share: the scripts' own modules, and an engine that is torch.nn's to compare."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from recurra.engines import use_engine

# Behind all others, so that none is hidden.
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))


@pytest.fixture(autouse=True)
def _native() -> Iterator[None]:
    with use_engine("torch_native"):
        yield
