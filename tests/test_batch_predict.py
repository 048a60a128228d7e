"""Large files: read, answered and written part by part, with the answers of the whole, in bounded memory."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import recurra
from recurra import batch, cli
from recurra.data.portions import portions
from recurra.data.tables import read_table
from recurra.errors import ConfigError, DataError
from untrained import untrained

ROOT = Path(__file__).resolve().parents[1]
WORDS = ("film", "plot", "good", "bad", 'the "end"', "a\nline", "cast,", "not", "東京")


def texts(count: int, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    found = [" ".join(rng.choice(WORDS, int(rng.integers(2, 9)))) for _ in range(count)]
    return pl.DataFrame({"text": found, "label": ["pos" if "good" in one else "neg" for one in found]})


def waves(count: int) -> pl.DataFrame:
    """A series in each row."""
    rng = np.random.default_rng(1)
    value = np.cumsum(rng.normal(size=(count, 12)), axis=1)
    columns = {f"v{t}": value[:, t] for t in range(12)}
    return pl.DataFrame({**columns, "label": np.where(value[:, -1] > 0, "up", "down")})


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("runs")
    rng = np.random.default_rng(3)
    long = pl.DataFrame(
        {
            "id": np.repeat(np.arange(30), 6),
            "t": np.tile(np.arange(6), 30),
            "x": rng.normal(size=180) + np.repeat(np.arange(30) % 2, 6),
            "label": np.repeat(["a", "b"] * 15, 6),
        }
    )
    return {
        "texts": untrained("classify", texts(150), folder / "texts", hidden=8),
        "waves": untrained("classify", waves(80), folder / "waves", hidden=8),
        "long": untrained("classify", long, folder / "long", hidden=8, label="label"),
    }


def parts(bundle: Any, source: Any, **sizes: int) -> tuple[pl.DataFrame, int]:
    """All answers, and how many parts they came in."""
    found = list(batch.answers(bundle, source, **sizes))
    return pl.concat([one.frame for one in found]), len(found)


def written(frame: pl.DataFrame, path: Path) -> Path:
    """A frame as a file by its ending."""
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    elif path.suffix == ".ndjson":
        frame.write_ndjson(path)
    elif path.suffix == ".txt":
        path.write_text("\n".join(one.replace("\n", " ") for one in frame["text"]) + "\n")
    else:
        frame.write_csv(path.with_suffix(".csv"))
        if path.suffix == ".gz":
            path.write_bytes(gzip.compress(path.with_suffix(".csv").read_bytes()))
    return path


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet", ".ndjson", ".txt"])
def test_rows_of_texts(bundles: dict[str, Any], tmp_path: Path, ending: str) -> None:
    paths = [written(texts(count, seed=count), tmp_path / f"f{count}{ending}") for count in (90, 41)]
    whole = bundles["texts"].predict(paths)
    found, many = parts(bundles["texts"], paths, size=1_000)
    assert many > 4
    assert found["example"].to_list() == [str(n) for n in range(1, 132)]
    assert_frame_equal(found, whole, check_exact=False, abs_tol=1e-6)
    assert parts(bundles["texts"], paths)[1] == 1  # small enough to be read at once


def test_rows_of_numbers(bundles: dict[str, Any], tmp_path: Path) -> None:
    path = written(waves(120), tmp_path / "waves.csv")
    found, many = parts(bundles["waves"], str(path), size=4_000)
    assert many > 3
    assert_frame_equal(found, bundles["waves"].predict(path), check_exact=False, abs_tol=1e-6)


def test_a_step_a_row_goes_by_files(bundles: dict[str, Any], tmp_path: Path) -> None:
    def steps(ids: range, name: str) -> Path:
        frame = pl.DataFrame({"id": np.repeat(list(ids), 4), "t": np.tile(np.arange(4), len(ids))})
        return written(frame.with_columns(x=pl.col("id") * 0.1), tmp_path / name)

    paths = [steps(range(5), "a.csv"), steps(range(5, 8), "b.csv")]
    whole = bundles["long"].predict(paths)
    found, many = parts(bundles["long"], paths, together=10)
    assert many == 2
    assert_frame_equal(found, whole, check_exact=False, abs_tol=1e-6)
    paths.append(steps(range(4, 9), "c.csv"))
    assert parts(bundles["long"], paths)[1] == 1  # together, where a sequence may go on in another file
    with pytest.raises(DataError) as error:
        parts(bundles["long"], paths, together=10)
    assert str(error.value) == (
        "c.csv: expected whole sequences in each file, as they are too large to be read together, got '4' in "
        "a.csv too. Put all of it in one file."
    )


def test_what_is_one_stays_one(tmp_path: Path) -> None:
    bundle = recurra.load(ROOT / "tests" / "legacy" / "format-1-forecast" / "bundle")
    source = ROOT / "tests" / "legacy" / "format-1-forecast" / "source.csv"
    found, many = parts(bundle, source, size=10, together=10)
    assert many == 1
    assert_frame_equal(found, bundle.predict(source))


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".ndjson", ".json"])
def test_files_of_answers(bundles: dict[str, Any], tmp_path: Path, ending: str) -> None:
    source = written(texts(100), tmp_path / "in.csv")
    out = tmp_path / f"out{ending}"
    assert batch.predict(bundles["texts"], source, str(out), size=1_000) == 100
    readers: Any = {
        ".csv": pl.read_csv,
        ".parquet": pl.read_parquet,
        ".ndjson": pl.read_ndjson,
        ".json": pl.read_json,
    }
    wanted = bundles["texts"].predict(source)
    found = readers[ending](out).with_columns(pl.col("example").cast(str))
    assert_frame_equal(found, wanted, check_exact=False, abs_tol=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["in.csv", out.name])


def test_a_file_is_whole_or_not_there(bundles: dict[str, Any], tmp_path: Path) -> None:
    good, bad = written(waves(40), tmp_path / "good.csv"), tmp_path / "bad.csv"
    lines = good.read_text().splitlines()
    lines[30] = lines[30].replace(lines[30].split(",")[3], "much", 1)
    bad.write_text("\n".join(lines))
    out = tmp_path / "out.csv"
    out.write_text("before")
    with pytest.raises(
        DataError, match=r"bad\.csv, line 31, column 'v3': expected a finite number, got 'much'"
    ):
        batch.predict(bundles["waves"], [good, bad], str(out), size=1_500)
    assert out.read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 3
    with pytest.raises(ConfigError, match=r"expected to write .*, got No such file or directory"):
        batch.predict(bundles["waves"], good, str(tmp_path / "no" / "x.csv"))


def test_the_command_tells_how_far_it_is(
    bundles: dict[str, Any],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = written(texts(100), tmp_path / "in.csv")
    monkeypatch.setattr(batch.files, "LINE_EVERY", 0.0)
    monkeypatch.setattr(batch.files.answers, "__kwdefaults__", {"size": 1_000, "together": 10})
    monkeypatch.setattr(batch.files.predict, "__kwdefaults__", {"size": 1_000, "together": 10})
    with pytest.raises(SystemExit) as end:
        cli.main(["predict", str(bundles["texts"].path), str(source)])
    out, err = capfd.readouterr()
    assert end.value.code == 0
    assert out.count("\n") == 101
    assert out.startswith("example,class,probability,")
    assert " answers, 0 of 1 files done\n" in err
    assert err.endswith("100 answers\n")


def test_portions_keep_lines_and_columns(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("# of June\n\na;b\n" + "".join(f'{n};"x\n{n}"\n' for n in range(200)))
    tables = list(portions(path, size=300))
    assert len(tables) > 4
    assert pl.concat([one.frame for one in tables]).equals(read_table(path).frame)
    row = 0
    for table in tables:
        assert table.where(1) == ("x.csv", read_table(path).where(row + 1)[1])
        row += len(table.frame)


def test_portions_of_a_file_without_a_header(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("".join(f"{n % 3} {n}.5\n".replace(" ", "\t") for n in range(200)))
    tables = list(portions(path, size=300))
    assert len(tables) > 4
    assert pl.concat([one.frame for one in tables]).equals(read_table(path).frame)
    assert tables[0].where(0)[1] == 1
    assert tables[1].where(0)[1] == len(tables[0].frame) + 1


def test_portions_agree_on_numbers(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a;b\n" + "1,5;2\n" * 100 + "1,234,567;2\n" * 100)
    with pytest.raises(DataError) as error:
        list(portions(path, size=600))
    assert str(error.value) == (
        "x.csv: expected numbers written in one way, got decimal comma and, from line 101 on, thousands "
        "comma. Write them in one way."
    )


MEMORY = """
import resource, sys, recurra
from recurra import batch
batch.predict(recurra.load(sys.argv[1]), sys.argv[2], sys.argv[3])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(bundle: Any, source: Path, out: Path) -> float:
    """Megabytes that predicting takes at most."""
    words = [sys.executable, "-c", MEMORY, str(bundle.path), str(source), str(out)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    told = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
    return float(told.stdout.splitlines()[-1]) / 1024


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_memory_does_not_grow_with_the_file(bundles: dict[str, Any], tmp_path: Path, ending: str) -> None:
    few = written(pl.concat([texts(20_000)] * 10), tmp_path / f"few{ending}")  # 8 MB of text
    many = written(pl.concat([texts(20_000)] * 100), tmp_path / f"many{ending}")
    small, large = (peak(bundles["texts"], path, tmp_path / f"out{ending}") for path in (few, many))
    assert large < small + 150


def test_on_a_ray_cluster(bundles: dict[str, Any], tmp_path: Path) -> None:
    ray = pytest.importorskip("ray", reason="the adapter for Ray Data needs ray")
    data = pytest.importorskip("ray.data", reason="the adapter for Ray Data needs ray[data]")
    from recurra.batch.ray import Predictor  # noqa: PLC0415

    source = written(texts(200), tmp_path / "in.parquet")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    try:
        reviews = data.read_parquet(str(source))
        found = reviews.map_batches(
            Predictor,
            fn_constructor_kwargs={"bundle": str(bundles["texts"].path)},
            batch_format="pyarrow",
            batch_size=64,
            compute=data.ActorPoolStrategy(size=1),
        )
        frame = pl.from_pandas(found.to_pandas())
    finally:
        ray.shutdown()
    assert frame.columns == ["text", "label", "class", "probability", "p(neg)", "p(pos)"]
    wanted = bundles["texts"].predict(source).with_columns(text=texts(200)["text"])
    both = [one.select("text", "class", "p(pos)").sort("text", "p(pos)") for one in (frame, wanted)]
    assert_frame_equal(*both, check_exact=False, abs_tol=1e-6)
