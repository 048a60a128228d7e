import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(__file__).parents[1]


def test_the_forecasting_example_runs(tmp_path):
    command = [sys.executable, ROOT / "examples" / "forecast.py", tmp_path / "air", "3s"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert found.returncode == 0, found.stderr
    assert "Seasonal naive" in found.stdout
    assert len(pl.read_csv(tmp_path / "air" / "forecast.csv")) == 12
    assert (tmp_path / "air" / "report.html").stat().st_size > 10_000


def test_the_classification_example_runs(tmp_path):
    # A tenth of the names: all of them are counted and judged for most of a minute.
    few = pl.read_csv(ROOT / "examples" / "data" / "names.csv").gather_every(10)
    few.write_csv(tmp_path / "names.csv")
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'examples')!r}); import classify; "
        f"classify.DATA = {str(tmp_path / 'names.csv')!r}; classify.main('names', '2s')"
    )
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert found.returncode == 0, found.stderr
    assert "TF-IDF" in found.stdout
    assert "Schneider" not in found.stderr
    assert (tmp_path / "names" / "report.html").stat().st_size > 10_000


def test_the_language_example_runs(tmp_path):
    command = [sys.executable, ROOT / "examples" / "language.py", tmp_path / "plays", "2s"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert found.returncode == 0, found.stderr
    assert "Kneser-Ney" in found.stdout
    assert (tmp_path / "plays" / "report.html").stat().st_size > 10_000


def test_the_translation_example_runs(tmp_path):
    command = [sys.executable, ROOT / "examples" / "translate.py", tmp_path / "french", "2s"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert found.returncode == 0, found.stderr
    assert "Most frequent phrases" in found.stdout
    assert (tmp_path / "french" / "report.html").stat().st_size > 10_000


def test_the_transcription_example_runs(tmp_path):
    command = [sys.executable, ROOT / "examples" / "transcribe.py", tmp_path / "digits", "3s"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert found.returncode == 0, found.stderr
    assert "Nearest training recording" in found.stdout
    assert "said:" in found.stdout
    assert (tmp_path / "digits" / "report.html").stat().st_size > 10_000


def test_the_caption_example_runs(tmp_path):
    command = [sys.executable, ROOT / "examples" / "caption.py", tmp_path / "things", "3s"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert found.returncode == 0, found.stderr
    assert "Nearest training picture" in found.stdout
    assert "drawn: a " in found.stdout
    assert (tmp_path / "things" / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("name", "rows", "columns"),
    [
        ("births.csv", 7305, ["date", "births"]),
        ("air_passengers.csv", 144, ["month", "passengers"]),
        ("names.csv", 20050, ["name", "language"]),
        ("m3_monthly_30.csv", 3452, ["id", "month", "value"]),
        ("digits/transcripts.csv", 420, ["path", "text"]),
    ],
)
def test_example_data_are_whole(name, rows, columns):
    frame = pl.read_csv(ROOT / "examples" / "data" / name, infer_schema_length=None)
    assert frame.columns == columns
    assert len(frame) == rows
    assert frame.null_count().sum_horizontal().item() == 0
