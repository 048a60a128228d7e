"""Two processes that torchrun starts train what one would have trained."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import recurra
from counting.task import Counting
from recurra.errors import CheckpointError, ConfigError
from recurra.train.distributed import Peers
from recurra.train.state import refuse_other

TESTS = Path(__file__).resolve().parents[1]


def torchrun(
    *words: object, script: tuple[str, ...] = ("-m", "counting"), **more: Any
) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(TESTS.parent / "src"), str(TESTS)])
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    return subprocess.Popen(
        [sys.executable, *launcher, *script, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        **more,
    )


def end(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What it printed, once it has ended; it must not hang."""
    try:
        return process.communicate(timeout=90)
    finally:
        process.kill()


def validation(run: Path) -> list[float]:
    entries = map(json.loads, (run / "log.jsonl").read_text().splitlines())
    return [entry["valid"] for entry in entries if "valid" in entry]


def test_two_processes_train_what_one_does(numbers: Path, tmp_path: Path) -> None:
    """The same batches, each split in two: only the order of sums differs (without dropout)."""
    options = ("--dropout", 0, "--steps", 60, "--out", tmp_path / "two")
    process = torchrun("fit", "counting", numbers, *options)
    out, err = end(process)
    assert process.returncode == 0, err
    assert out.count("bundle ") == 1
    assert err.count("trained 60 steps") == 1
    recurra.fit(Counting(), numbers, out=tmp_path / "one", dropout=0, steps=60, quiet=True)
    assert validation(tmp_path / "two") == pytest.approx(validation(tmp_path / "one"), rel=1e-3)
    assert recurra.load(tmp_path / "two", Counting()).evaluate(numbers).scores[0].metrics[
        "mse"
    ] == pytest.approx(min(validation(tmp_path / "two")))


# Runs the command line, but process 1 comes to the end that its first argument names.
LOSING = """
import os, runpy, sys, threading, time
from pathlib import Path
kind, out = sys.argv[1], sys.argv[2]
del sys.argv[1:3]
from recurra.train import loop
loop.CHECKPOINT_SECONDS = 0.2
def lose():
    while len(list(Path(out, "checkpoint").glob("step-*"))) < 2:
        time.sleep(0.01)
    os.kill(os.getpid(), 9)
if os.environ["RANK"] == "1" and kind == "killed":
    threading.Thread(target=lose, daemon=True).start()
if os.environ["RANK"] == "1" and kind == "blind":
    sys.argv[sys.argv.index("counting") + 1] = "nowhere.csv"
runpy.run_module("counting", run_name="__main__")
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["killed", "blind"])
def test_one_that_is_lost_does_not_hang_the_other(numbers: Path, tmp_path: Path, kind: str) -> None:
    (tmp_path / "losing.py").write_text(LOSING)
    run, options = tmp_path / "run", ("--steps", 600)
    fit = ("fit", "counting", numbers, "--out", run, *options)
    started = time.monotonic()
    process = torchrun(kind, run, *fit, script=(str(tmp_path / "losing.py"),))
    _, err = end(process)
    assert process.returncode != 0
    assert time.monotonic() - started < 60
    said = "expected a file of numbers" if kind == "blind" else "expected 2 processes to the end, got fewer"
    assert said in err
    assert not (run / "bundle.json").exists()
    if kind == "killed":
        process = torchrun(*fit, "--resume")
        _, err = end(process)
        assert process.returncode == 0, err
        assert "resuming at step" in err
        whole = torchrun("fit", "counting", numbers, "--out", tmp_path / "whole", *options)
        end(whole)
        weights = [(folder / "weights.safetensors").read_bytes() for folder in (run, tmp_path / "whole")]
        assert weights[0] == weights[1]


@pytest.mark.slow
def test_ctrl_c_reaches_all_and_saves_once(numbers: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = torchrun("fit", "counting", numbers, "--steps", 10**5, "--out", run, start_new_session=True)
    while not (run / "checkpoint").exists() and process.poll() is None:
        time.sleep(0.02)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    _, err = end(process)
    assert process.returncode != 0
    assert "stopped by SIGINT after step" in err
    steps = sorted(int(path.name.removeprefix("step-")) for path in (run / "checkpoint").glob("step-*"))
    assert steps[-1] > 0


def test_batches_that_cannot_be_shared_out() -> None:
    for key in ((1, 2), "ab", 5):
        with pytest.raises(
            ConfigError, match=r"be shared out among 2 processes, got a (tuple|str|int). Run without"
        ):
            Peers(0, 2).share(key)
    assert [Peers(rank, 2).share([1, 2, 3]) for rank in (0, 1)] == [([1, 3], 2), ([2], 1)]
    assert Peers(1, 2).share([1]) == ([], 0)
    assert Peers().share((1, 2)) == ((1, 2), 1)


def test_other_numbers_of_processes_are_refused() -> None:
    identity = {"task": "counting", "options": {}, "data": "0", "processes": 2, "plan": {}}
    with pytest.raises(
        CheckpointError, match="expected 2 processes as this run was started, got 1 processes"
    ):
        refuse_other(identity, identity | {"processes": 1})
