"""Bundles as ONNX: every graph proved, and a reader that needs no torch and answers as the bundle does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import recurra
from recurra import cli
from recurra.data.archives import read_archive
from recurra.errors import ConfigError
from untrained import untrained

onnx = pytest.importorskip("onnx", reason="export needs onnx")
pytest.importorskip("onnxruntime", reason="export needs onnxruntime")

from recurra.export import bundles, reader  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES, LEGACY = ROOT / "examples" / "data", ROOT / "tests" / "legacy"
SEASONS = "The play’s the thing — wherein I’ll catch… the “conscience” of the king; 東京, ÜBER-straße!"
TEXTS = [
    "a good film",
    "not good , the end",
    "",
    "  zzz\n\nA B-side's  x",
    SEASONS,
    "▁ <unknown> \u0130\u03a3",
]


def opinions(count: int = 120) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    words = ["film", "plot", "end", "cast", "Score", "story's", "film-like", ",", "."]
    good = rng.random(count) < 0.5
    texts = [" ".join([*rng.choice(words, int(rng.integers(2, 8))), "good" if g else "bad"]) for g in good]
    return pl.DataFrame({"text": texts, "label": np.where(good, "pos", "neg")})


def steps(count: int = 40) -> pl.DataFrame:
    """A row a step: numbers with gaps, and categories."""
    rng = np.random.default_rng(1)
    rows = []
    for one in range(count):
        for t in range(int(rng.integers(1, 12))):
            speed = None if rng.random() < 0.1 else 5 * rng.normal() + one % 2
            rows.append({"id": one, "t": t, "speed": speed, "gear": str(rng.choice(["up", "down", "na"])),
                         "load": 1e3 + rng.normal(), "label": "ab"[one % 2]})  # fmt: skip
    return pl.DataFrame(rows)


def events(count: int = 40) -> pl.DataFrame:
    rng = np.random.default_rng(2)
    made = [
        [str(one) for one in rng.choice(["open", "close", "ring"], rng.integers(1, 9))] for _ in range(count)
    ]
    return pl.DataFrame({"event": made, "label": ["odd" if len(one) % 2 else "even" for one in made]})


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


def proved(bundle: Any, folder: Path, graphs: set[str]) -> Any:
    """The export, when its parts are there and its differences small."""
    written = bundle.export_onnx(folder, int8=True)
    assert set(written.difference) == set(written.loss) == graphs
    assert max(written.difference.values()) <= 1e-5
    assert max(written.loss.values()) < 0.5
    names = {f"{name}.{end}" for name in graphs for end in ("onnx", "int8.onnx")}
    assert {path.name for path in folder.iterdir()} == names | {"reader.json", "reader.py"}
    return reader.load(folder)


def assert_same(found: list[Any], frame: pl.DataFrame) -> None:
    mine = np.array([list(one["probabilities"].values()) for one in found])
    theirs = frame.select(pl.col("^p\\(.*$")).to_numpy()
    np.testing.assert_allclose(mine, theirs, atol=1e-5)


@pytest.mark.parametrize("unit", ["words", "characters", "bpe"])
def test_texts(runs: Path, unit: str) -> None:
    if unit == "bpe":
        pytest.importorskip("tokenizers", reason="byte-pair encoding needs tokenizers")
    bundle = untrained("classify", opinions(), runs / unit, hidden=8, unit=unit)
    model = proved(bundle, runs / f"{unit}.onnx", {"whole", "step"})
    frame = bundle.predict(pl.DataFrame({"text": TEXTS}))
    found = model.predict(TEXTS)
    assert_same(found, frame)
    assert [one["class"] for one in found] == frame["class"].to_list()
    for text in TEXTS:
        assert model.cut.encode(text) == bundle.schema.vocabulary.encode(text).tolist()
    stream = model.stream()
    for token in model.cut.split(TEXTS[1].lower()):
        answer = stream.step(token)
    assert answer["steps"] == len(model.cut.split(TEXTS[1]))
    assert_same([answer], frame[1:2])


@pytest.mark.parametrize("options", [{"output": "attention"}, {"bidirectional": True, "cell": "LSTM"}])
def test_steps_of_numbers_and_categories(runs: Path, options: dict[str, Any]) -> None:
    frame, name = steps(), "-".join(options)
    bundle = untrained("classify", frame, runs / name, hidden=8, label="label", **options)
    graphs = {"whole"} if "bidirectional" in options else {"whole", "step"}
    model = proved(bundle, runs / f"{name}.onnx", graphs)
    sequences = [
        {column: one[column].to_list() for column in ("speed", "gear", "load")}
        for one in frame.partition_by("id", maintain_order=True)
    ]
    assert_same(model.predict(sequences), bundle.predict(frame))
    if "step" not in graphs:
        with pytest.raises(ValueError, match="got one that must see the end"):
            model.stream()
        return
    stream = model.stream()
    for t in range(len(sequences[0]["speed"])):
        answer = stream.step({name: column[t] for name, column in sequences[0].items()})
    assert_same([answer], bundle.predict(frame)[:1])


def test_events_and_several_labels(runs: Path) -> None:
    frame = events()
    bundle = untrained("classify", frame, runs / "events", hidden=8)
    model = proved(bundle, runs / "events.onnx", {"whole", "step"})
    assert_same(model.predict(frame["event"].to_list()), bundle.predict(frame))
    assert_same(model.predict([["open", "new"]]), bundle.predict(pl.DataFrame({"event": [["open", "new"]]})))
    both = opinions().with_columns(x=pl.col("label") == "pos", y=pl.col("text").str.len_chars() % 2 == 0)
    both = both.with_columns(pl.col("x", "y").cast(int)).drop("label")
    bundle = untrained("classify", both, runs / "several", hidden=8, label=("x", "y"))
    model = proved(bundle, runs / "several.onnx", {"whole", "step"})
    frame, found = bundle.predict(both), model.predict(both["text"].to_list())
    assert_same(found, frame)
    assert ["|".join(one["labels"]) for one in found] == frame["labels"].to_list()


def test_series(runs: Path) -> None:
    source = EXAMPLES / "JapaneseVowels_TRAIN.ts.gz"
    bundle = untrained("classify", source, runs / "vowels", hidden=8)
    model = proved(bundle, runs / "vowels.onnx", {"whole", "step"})
    test = EXAMPLES / "JapaneseVowels_TEST.ts.gz"
    series = read_archive(test).series
    names = [channel.name for channel in bundle.schema.channels]
    sequences = [{name: series[n][:, k] for k, name in enumerate(names)} for n in range(len(series))]
    assert_same(model.predict(sequences), bundle.predict(test))


@pytest.mark.parametrize(
    ("unit", "documents", "cell"),
    [
        ("characters", "file", "GRU"),
        ("bytes", "file", "LSTM"),
        ("words", "blank", "GRU"),
        ("bpe", "line", "RNN"),
    ],
)
def test_language(runs: Path, unit: str, documents: str, cell: str) -> None:
    if unit == "bpe":
        pytest.importorskip("tokenizers", reason="byte-pair encoding needs tokenizers")
    text = (EXAMPLES / "shakespeare.txt").read_text()[:60_000]
    source = runs / f"{unit}.txt"
    source.write_text(text + "\n  \n\n" + SEASONS)
    bundle = untrained(
        "language", source, runs / unit / "lm", hidden=8, unit=unit, documents=documents, cell=cell,
        **({} if unit in ("bytes", "characters") else {"vocabulary": 600}),
    )  # fmt: skip
    model = proved(bundle, runs / f"{unit}-lm.onnx", {"whole", "step"})
    for one in (text[:3_000] + "\n  \n\n \t\n" + SEASONS, text[:30_000]):
        source.write_text(one)
        frame, found = bundle.predict(source), model.score(one)
        assert len(found) == len(frame)
        assert np.abs(frame["nats"].to_numpy() - [token["nats"] for token in found]).max() < 1e-4
    stream = model.stream()
    stream.step(None)
    tokens = bundle.schema.tokens.encode(text[:200]).tolist()
    for token in tokens[:-1]:
        answer = stream.step(token)
    assert len(answer["next"]) == 10
    assert 0 < sum(one["p"] for one in answer["next"]) <= 1 + 1e-6


def test_forecast(runs: Path) -> None:
    bundle = recurra.load(LEGACY / "format-1-forecast" / "bundle")
    folder = runs / "forecast.onnx"
    model = proved(bundle, folder, {"whole"})
    record = json.loads((folder / "reader.json").read_text())
    assert {one["name"] for one in record["networks"]["whole"]["inputs"]} == set(record["meanings"])
    assert record["outside"].startswith("The running history ")

    from recurra.tasks.forecast import onnx as forecast_onnx  # noqa: PLC0415
    from recurra.tasks.forecast.data import read_panel_with  # noqa: PLC0415
    from recurra.tasks.forecast.features import Features  # noqa: PLC0415
    from recurra.tasks.forecast.windows import Windows  # noqa: PLC0415

    source = LEGACY / "format-1-forecast" / "source.csv"
    panel = read_panel_with(bundle.schema, source)
    ends = np.array([len(y) for y in panel.target])
    inputs, view = Features.of(panel).view(Windows(np.arange(len(ends)), ends))
    found = model.predict(**forecast_onnx.given(inputs, view.level, view.scale, view.least))
    wanted = bundle.predict(source).select("^q.*$").to_numpy()
    np.testing.assert_allclose(found.reshape(wanted.shape), wanted, rtol=1e-5)


def test_the_reader_needs_neither_torch_nor_recurra(runs: Path, tmp_path: Path) -> None:
    bundle = untrained("classify", opinions(), runs / "alone", hidden=8)
    folder = Path(bundle.export_onnx(tmp_path / "onnx").path)
    script = (
        "import reader, sys; print(reader.load('.').predict(['a good film'])[0]['class']); "
        "print(sorted({'torch', 'recurra', 'onnx', 'polars'} & sys.modules.keys()))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True
    )
    wanted = bundle.predict(pl.DataFrame({"text": ["a good film"]}))["class"][0]
    assert told.stdout.splitlines() == [wanted, "[]"]
    record = json.loads((folder / "reader.json").read_text())
    (folder / "reader.json").write_text(json.dumps(record | {"format": 2}))
    with pytest.raises(
        ValueError, match=r"expected a reader.json of format 1 or less, got 2\. Take the reader"
    ):
        reader.load(folder)


def test_the_command(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = str(LEGACY / "format-1-forecast" / "bundle")

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            cli.main(["export", bundle, *words])
        told = capsys.readouterr()
        return int(end.value.code or 0), told.out, told.err

    code, out, _ = run("--to", "onnx", "--out", str(tmp_path / "x"))
    assert code == 0
    assert "ONNX Runtime gives what the bundle gives: largest relative difference " in out
    assert out.endswith(f"written to {tmp_path}/x\n")
    assert "int8" not in out
    code, _, err = run("--out", str(tmp_path / "x"))
    assert code == 2
    assert err == (
        f"recurra: expected a new folder, got {tmp_path}/x, which holds an export. "
        "Add --overwrite, or name another.\n"
    )
    assert run("--out", str(tmp_path / "x"), "--overwrite", "--int8")[0] == 0
    assert (tmp_path / "x" / "whole.int8.onnx").stat().st_size < (
        tmp_path / "x" / "whole.onnx"
    ).stat().st_size / 2
    assert not [one for one in tmp_path.iterdir() if one.name.startswith(".")]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    assert run("--out", str(tmp_path / "mine"), "--overwrite")[2] == (
        f"recurra: expected a new folder, got {tmp_path}/mine, which holds something else. "
        "Name another folder.\n"
    )
    assert run("--to", "tflite")[0] == 2


def test_nothing_is_written_of_a_graph_that_differs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bundle = recurra.load(LEGACY / "format-1-forecast" / "bundle")
    monkeypatch.setattr(
        bundles, "proved", lambda network: (_ for _ in ()).throw(recurra.errors.ExportError("no"))
    )
    with pytest.raises(recurra.errors.ExportError):
        bundle.export_onnx(tmp_path / "x")
    assert not list(tmp_path.iterdir())


def test_other_tasks(tmp_path: Path) -> None:
    from counting.task import Counting, write_numbers  # noqa: PLC0415

    bundle = recurra.fit(
        Counting(), write_numbers(tmp_path / "n.csv"), out=tmp_path / "run", steps=5, quiet=True
    )
    with pytest.raises(ConfigError, match=r"expected a bundle of a task that exports, got .* 'counting'"):
        bundle.export_onnx()
