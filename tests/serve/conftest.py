"""A bundle whose streams are served, and servers of it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the extra [serve]")
pytest.importorskip("uvicorn", reason="needs the extra [serve]")
pytest.importorskip("websockets", reason="needs the extra [serve]")
pytest.importorskip("httptools", reason="needs the extra [serve]")
pytest.importorskip("prometheus_client", reason="needs the extra [serve]")

from painted import shapes_bundle
from servers import Redis, Server
from walking.task import Walking, write_walks

import recurra
from recurra.bundle import Bundle
from recurra.tasks import TASKS, Entry
from tones import PLAIN, fit_tones

Start = Callable[..., Server]
DATA = Path(__file__).parents[2] / "examples" / "data"


@pytest.fixture(scope="module", autouse=True)
def _walking() -> Iterator[None]:
    TASKS["walking"] = Entry("walking", "Walking", "Where a walk goes.")
    yield
    del TASKS["walking"]


@pytest.fixture(scope="session")
def make_walk(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Fits a bundle of the small task; its seed and options make it another one."""

    def make(**options: Any) -> Path:
        folder = tmp_path_factory.mktemp("bundle")
        recurra.fit(Walking(), write_walks(folder / "walks.csv"), out=folder / "walk", **options)
        return folder / "walk"

    return make


@pytest.fixture(scope="session")
def walk(make_walk: Callable[..., Path]) -> Path:
    """A bundle."""
    return make_walk()


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts servers, all of which are gone after the module's tests."""
    servers: list[Server] = []

    def begin(bundles: Any, *options: str) -> Server:
        several = bundles if isinstance(bundles, list) else [bundles]
        servers.append(Server(tmp_path_factory.mktemp("server"), several, *options))
        return servers[-1]

    yield begin
    for server in servers:
        server.kill()


@pytest.fixture(scope="module")
def server(start: Start, walk: Path) -> Server:
    """A server of the bundle, for tests that do it no harm."""
    return start(walk)


@pytest.fixture(scope="session")
def task_bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    """One of each task, of a second or two of training, or of none."""
    folder = tmp_path_factory.mktemp("tasks")
    names = (DATA / "names.csv").read_text().splitlines()
    (folder / "names.csv").write_text("\n".join([names[0], *names[1::40]]) + "\n")
    (folder / "play.txt").write_text((DATA / "shakespeare.txt").read_text()[:20_000])
    pairs = [f"{one[::-1]}\t{one}" for one in (line.split(",")[0] for line in names[1::40])]
    (folder / "pairs.tsv").write_text("\n".join(["source\ttarget", *pairs]) + "\n")
    options: dict[str, tuple[Path, dict[str, Any]]] = {
        "forecast": (DATA / "air_passengers.csv", {"horizon": 6}),
        "classify": (folder / "names.csv", {"label": "language"}),
        "language": (folder / "play.txt", {"unit": "characters"}),
        "translate": (folder / "pairs.tsv", {"unit": "characters", "hidden": 16, "beam": 2}),
    }
    found = {
        task: recurra.fit(task, str(file), out=folder / task, time_budget=2, **more)
        for task, (file, more) in options.items()
    }
    heard = fit_tones(folder / "transcribe", steps=80, **PLAIN)
    return found | {"transcribe": heard, "caption": shapes_bundle(folder / "caption")}


@pytest.fixture(scope="module")
def tasks(start: Start, task_bundles: dict[str, Bundle]) -> Server:
    """A server of all of them."""
    return start([bundle.path for bundle in task_bundles.values()])


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A redis-server."""
    pytest.importorskip("redis", reason="needs the extra [redis]")
    if shutil.which("redis-server") is None:
        pytest.skip("needs redis-server: apt install redis-server")
    found = Redis(tmp_path_factory.mktemp("redis"))
    yield found
    found.stop()


@pytest.fixture
def walked() -> Callable[[int, int], list[dict[str, float]]]:
    """Observations of a stream, by its number."""

    def observations(number: int, steps: int) -> list[dict[str, float]]:
        dice = random.Random(number)
        return [{"east": dice.gauss(0, 1), "north": dice.gauss(0, 1)} for _ in range(steps)]

    return observations


@pytest.fixture
def alone(walk: Path) -> Callable[[list[Any]], list[Any]]:
    """What one stream, without a server, answers."""
    bundle = recurra.load(walk, Walking())

    def run(observations: list[Any]) -> list[Any]:
        stream = bundle.stream()
        return [stream.step(one) for one in observations]

    return run
