"""The promises of the compiled core: every test here runs on engine `cpu`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from forms import FORMS, Form

from recurra.engines import use_engine


@pytest.fixture(autouse=True)
def _on_the_core() -> Iterator[None]:
    pytest.importorskip("recurra._core", reason="the compiled core is not built here")
    with use_engine("cpu"):
        yield


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> Form:
    """Each form of each cell that the core knows."""
    return FORMS[request.param]
