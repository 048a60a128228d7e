"""What the tests of the page share: bundles, a server, a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="expected fastapi, got none: pip install 'recurra[serve]'")
pytest.importorskip("selenium", reason="expected selenium, got none: pip install selenium")

from browser import CHROMIUM, DRIVER, Browser, Server, serving
from samples import fit_all

from recurra.tasks.forecast import classical


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classical, "PER_STEP", 0.05)  # ETS and Theta on a few windows: they take the most time
        return fit_all(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="session")
def server(bundles: dict[str, Path]) -> Iterator[Server]:
    with serving(bundles) as process:
        yield process


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("expected chromium and chromedriver, got none: apt-get install chromium chromium-driver")
    browser = Browser(tmp_path_factory.mktemp("downloads"))
    yield browser
    browser.driver.quit()


@pytest.fixture
def page(chromium: Browser, server: Server) -> Iterator[Browser]:
    """The page as it opens; afterwards it must have kept its manners."""
    chromium.open(server.url)
    chromium.see("h1")
    yield chromium
    chromium.check(server)
