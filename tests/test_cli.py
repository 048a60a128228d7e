"""The command line: what it does, what it says, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import polars as pl
import pytest

import recurra
from counting.task import write_numbers
from recurra import cli
from recurra.tasks import TASKS, Entry

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        TASKS, "counting", Entry("counting", "Counting", "The running sum of a row of numbers.")
    )
    cli.add_tasks()


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_numbers(tmp_path_factory.mktemp("data") / "numbers.csv")


class Command:
    """Runs the command line in this process."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self.capfd = capfd

    def __call__(self, *words: object, code: int = 0) -> str:
        """What it prints: on stdout when it ends well, else the one line on stderr."""
        self.capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main([str(word) for word in words])
        told = self.capfd.readouterr()
        assert end.value.code == code, told
        if code == 0:
            return told.out
        assert told.out == ""
        line = told.err.splitlines()[-1]
        assert line.startswith("recurra: ")
        assert "Traceback" not in told.err
        return line.removeprefix("recurra: ")


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Command:
    return Command(capfd)


def start(*words: object, **more: str) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", **more}
    return subprocess.Popen(
        [sys.executable, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def test_from_a_file_to_answers(command: Command, numbers: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    told = command(
        "fit", "counting", numbers, "--steps", 20, "--out", run, "--names", "a,b", "--names", '"c,d"'
    )
    table, words, signature, where = told.split("\n")[1:3], *told.split("\n")[3:6]
    assert [line.split()[0] for line in table] == ["ours", "zero"]
    assert words == "Fine."
    assert signature.startswith("counting|")
    assert where == f"bundle {run}, report {run}/report.html"
    assert recurra.load(run).config.names == ("a", "b", "c,d")

    assert command("evaluate", run, numbers).splitlines()[:3] == told.splitlines()[:3]
    told = command("inspect", run)
    assert told.startswith(f"{run}: counting, ")
    assert "\noptions: steps=20, names=('a', 'b', 'c,d'), all others as by default\n" in told
    assert f"written by recurra {recurra.__version__}, torch" in told

    printed = command("predict", run, numbers)
    assert printed.startswith("sum\n")
    command("predict", run, numbers, "--out", tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text() == printed
    command("predict", run, numbers, "--out", tmp_path / "x.parquet")
    command("predict", run, numbers, "--out", tmp_path / "x.json")
    frame = pl.read_parquet(tmp_path / "x.parquet")
    assert frame.equals(pl.read_csv(tmp_path / "x.csv"))
    assert json.loads((tmp_path / "x.json").read_text()) == frame.to_dicts()


def test_explain_names_engines(command: Command) -> None:
    told = command("explain")
    assert re.match(r"cpu runs on \w+ instructions \(this machine has .*portable\), \d+ threads?\n", told)
    assert "GRU: GRU(64, 128)\n  runs on cpu\n" in told


def test_mistakes_are_one_sentence(command: Command, numbers: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"

    def fit(*words: object) -> str:
        return command("fit", "counting", numbers, "--out", run, *words, code=2)

    assert fit("--hidden", "many") == (
        "expected hidden to be a valid integer, unable to parse string as an integer, got 'many'. "
        "Give another hidden."
    )
    assert fit("--hidden", -3) == "expected hidden to be greater than 0, got '-3'. Give another hidden."
    assert fit("--hiden", 3) == "Unknown option: --hiden. Did you mean --hidden?"
    assert fit("--resume", "--overwrite") == "expected --resume or --overwrite, got both. Give one of them."
    assert command("fit", "countin", numbers, code=2).startswith(
        'Unknown command "countin". Did you mean "counting"?'
    )
    assert command("fitt", code=2).startswith('Unknown command "fitt". Did you mean "fit"?')
    assert command("fit", "counting", code=2) == 'Command "fit counting" parameter FILE requires an argument.'
    assert command("fit", "counting", tmp_path / "none.csv", "--out", run, code=2) == (
        f"expected a file of numbers, got nothing at {tmp_path}/none.csv. Name another file."
    )
    assert not run.exists()
    assert command("predict", run, numbers, code=2) == (
        f"expected a bundle at {run}, got no such folder. Name a folder that `recurra fit` has written."
    )
    assert command("predict", run, numbers, "--out", "x.xlsx", code=2) == (
        "expected a file ending in .csv, .parquet, .ndjson or .json, got x.xlsx. Give it such an ending."
    )
    command("fit", "counting", numbers, "--steps", 5, "--out", run)
    assert fit().startswith(f"expected a new folder, got {run}, which holds a bundle. Add --resume to go on")
    assert command("predict", run, numbers, "--out", tmp_path / "no" / "x.csv", code=2) == (
        f"expected to write {tmp_path}/no/x.csv, got No such file or directory. Name another file."
    )


def test_help_shows_every_option_with_its_default(command: Command) -> None:
    told = " ".join(command("fit", "counting", "--help").split())
    for words in (
        "--hidden N",
        "--names A,B...",
        "[default: 10m]",
        "--ema X",
        "--resume",
        "--overwrite",
        "FILE",
    ):
        assert words in told
    assert "130 and 143" in command("--help").replace("\n", " ")
    assert command("--version") == f"{recurra.__version__}\n"
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == recurra.__version__


def test_ctrl_c_saves_and_resume_goes_on(numbers: Path, tmp_path: Path, command: Command) -> None:
    run = tmp_path / "run"
    words = ("fit", "counting", numbers, "--steps", 1500, "--out", run)
    process = start("-m", "counting", *words)
    while not (run / "checkpoint").exists() and process.poll() is None:
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    told = err.splitlines()[-1]
    assert told.startswith("recurra: stopped by SIGINT after step ")
    assert told.endswith(f"which is saved in {run}/checkpoint. Give the same command with --resume to go on.")
    assert "bundle " in command(*words, "--resume")


def test_help_and_import_do_not_wait_for_torch() -> None:
    """torch takes a second or two to load; neither the help nor `import recurra` needs it."""
    script = "import sys, recurra, recurra.cli; recurra.cli.main(['fit', 'forecast', '--help'])"
    process = start("-X", "importtime", "-c", script)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "--horizon" in out
    loaded = {line.rsplit("|", 1)[1].strip() for line in err.splitlines() if line.startswith("import time:")}
    assert not {"torch", "polars", "matplotlib", "statsforecast"} & loaded


@pytest.mark.slow
def test_import_adds_little_to_torch() -> None:
    """Less than 150 ms for the package and its layers: the least of five, torch being there already."""
    script = (
        "import time, torch; start = time.perf_counter(); import recurra; recurra.nn; "
        "print(time.perf_counter() - start)"
    )
    seconds = [float(start("-c", script).communicate(timeout=60)[0]) for _ in range(5)]
    assert min(seconds) < 0.15


def test_nothing_to_judge_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = Path(__file__).parent / "legacy" / "format-1-forecast" / "bundle"
    short = tmp_path / "short.csv"
    short.write_text("month,passengers\n1961-01,450\n1961-02,460\n")
    with pytest.raises(SystemExit) as stopped:
        cli.main(["evaluate", str(bundle), str(short)])
    assert stopped.value.code == 2
    assert "no series has 12 steps left over for a test" in capsys.readouterr().err
