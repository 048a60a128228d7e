"""A run that is killed at any moment and resumed ends in the same bits as one that was never disturbed."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forks import Forks


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with Forks() as started:
        yield started


@pytest.fixture(scope="module")
def whole(forks: Forks, numbers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbs, with few checkpoints."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert forks.fit(numbers, out) == 0
    return out


def contents(bundle: Path) -> Any:
    """All of a bundle that does not tell the time: log, weights and record."""
    log = [json.loads(line) for line in (bundle / "log.jsonl").read_text().splitlines()]
    record = json.loads((bundle / "bundle.json").read_text())
    assert all(entry.pop("seconds") >= 0 for entry in log)
    for name in ("seal", "files"):
        record.pop(name)
    return log, (bundle / "weights.safetensors").read_bytes(), record


def finish(forks: Forks, numbers: Path, out: Path) -> Any:
    assert forks.fit(numbers, out, resume=True) == 0
    return contents(out)


def killed_by_the_clock(forks: Forks, numbers: Path, out: Path, seconds: float) -> None:
    status = forks.fit(numbers, out, resume=True, save_always=True, after=(signal.SIGKILL, seconds))
    assert status in (-signal.SIGKILL, 0)


def killed_at_a_file(forks: Forks, numbers: Path, out: Path, operation: int) -> None:
    """Each save is some ten operations: open, write, rename; the bundle's files come last."""
    status = forks.fit(numbers, out, resume=True, save_always=True, at_operation=operation)
    assert status in (-signal.SIGKILL, 0)


def test_the_same_seed_gives_the_same_bits(forks: Forks, numbers: Path, whole: Path, tmp_path: Path) -> None:
    assert forks.fit(numbers, tmp_path / "run", save_always=True) == 0
    assert contents(tmp_path / "run") == contents(whole)


@pytest.mark.parametrize("seconds", [0.0, 0.2, 0.8])
def test_killed_by_the_clock(
    forks: Forks, numbers: Path, whole: Path, tmp_path: Path, seconds: float
) -> None:
    killed_by_the_clock(forks, numbers, tmp_path / "run", seconds)
    assert finish(forks, numbers, tmp_path / "run") == contents(whole)


@pytest.mark.parametrize("operation", [3, 17, 301])
def test_killed_at_a_file(forks: Forks, numbers: Path, whole: Path, tmp_path: Path, operation: int) -> None:
    killed_at_a_file(forks, numbers, tmp_path / "run", operation)
    assert finish(forks, numbers, tmp_path / "run") == contents(whole)


@pytest.mark.parametrize(
    "operation", [pytest.param(n, marks=() if n in (19, 25, 26) else pytest.mark.slow) for n in range(34)]
)
def test_killed_while_the_bundle_is_written(
    forks: Forks, numbers: Path, whole: Path, tmp_path: Path, operation: int
) -> None:
    """With two checkpoints only, these are the operations from the last of them to the end."""
    out = tmp_path / "run"
    status = forks.fit(numbers, out, at_operation=operation)
    if (out / "bundle.json").exists():
        assert contents(out) == contents(whole)
    else:
        assert status == -signal.SIGKILL
    assert finish(forks, numbers, out) == contents(whole)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(60))
def test_killed_again_and_again(forks: Forks, numbers: Path, whole: Path, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 3)):
        if chance.random() < 0.5:
            killed_by_the_clock(forks, numbers, tmp_path / "run", chance.uniform(0, 2))
        else:
            killed_at_a_file(forks, numbers, tmp_path / "run", chance.randint(0, 700))
    assert finish(forks, numbers, tmp_path / "run") == contents(whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_stops(
    forks: Forks, numbers: Path, whole: Path, tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "run"
    assert forks.fit(numbers, out, save_always=True, after=(number, 0.2)) == 128 + number
    assert not (out / "bundle.json").exists()
    assert finish(forks, numbers, out) == contents(whole)
