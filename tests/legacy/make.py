"""Writes a bundle of today's format as a fixture, once for each format and name; it is never written again.

python tests/legacy/make.py counting
python tests/legacy/make.py forecast          (or another of the RECIPES below)
"""

from __future__ import annotations

import gzip
import shutil
import sys
from collections.abc import Callable
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import recurra
from recurra.bundle import FORMAT
from recurra.tasks import base
from recurra.tasks.caption import shape as seen
from recurra.tasks.classify import shape

HERE = Path(__file__).resolve().parent
DATA = HERE.parent.parent / "examples" / "data"
# A smaller table of n-grams than runs have, so that the file stays small.
shape.FEWEST_PLACES = shape.MOST_PLACES = 2**12
# And fewer channels for pictures.
seen.SEEN = ((32, 8),)


def counting(folder: Path) -> tuple[Path, str | base.Task, dict[str, Any]]:
    """The tests' own task."""
    sys.path.insert(0, str(HERE.parent))
    from counting.task import Counting, write_numbers  # noqa: PLC0415

    return write_numbers(folder / "source.csv"), Counting(), {"steps": 40, "hidden": 4}


def forecast(folder: Path) -> tuple[Path, str, dict[str, Any]]:
    """One series with a season."""
    return shutil.copy(DATA / "air_passengers.csv", folder / "source.csv"), "forecast", {"horizon": 12}


def classify_names(folder: Path) -> tuple[Path, str, dict[str, Any]]:
    """Texts by characters."""
    every = pl.read_csv(DATA / "names.csv").filter(pl.col("language").is_in(["Czech", "Greek", "Japanese"]))
    few = every.filter(pl.int_range(pl.len()).over("language") < 40)
    few.write_csv(source := folder / "source.csv")
    return source, "classify", {"hidden": 8}


def classify_words(folder: Path) -> tuple[Path, str, dict[str, Any]]:
    """Texts by words: of two speakers, the first line of each speech."""
    who, rows = ("MENENIUS", "GLOUCESTER"), []
    lines = (DATA / "shakespeare.txt").read_text().split("\n")
    for speaker in who:
        rows += [(after, speaker) for line, after in pairwise(lines) if line == f"{speaker}:"][:50]
    pl.DataFrame(rows, ["line", "speaker"], orient="row").write_csv(source := folder / "source.csv")
    return source, "classify", {"hidden": 8, "unit": "words", "label": "speaker"}


def classify_series(folder: Path) -> tuple[Path, str, dict[str, Any]]:
    """Ragged series in a long table: a number with gaps, another, and a category; two labels."""
    rng, parts = np.random.default_rng(0), []
    for number in range(48):
        fast, loud = number % 2, number // 2 % 2
        step = np.arange(rng.integers(20, 30))
        x = (1 + loud) * np.sin(step * (0.4 + 0.4 * fast)) + 0.3 * rng.standard_normal(len(step))
        parts.append(
            pl.DataFrame(
                {
                    "id": f"run {number}",
                    "step": step,
                    "x": np.where(rng.random(len(step)) < 0.1, np.nan, x.round(2)),
                    "y": rng.standard_normal(len(step)).round(2),
                    "state": rng.choice(["on", "off"], len(step)),
                    "fast": fast,
                    "loud": loud,
                }
            )
        )
    pl.concat(parts).fill_nan(None).write_csv(source := folder / "source.csv")
    return source, "classify", {"hidden": 8, "label": ["fast", "loud"]}


def language(folder: Path) -> tuple[Path, str, dict[str, Any]]:
    """Characters."""
    source = folder / "source.txt"
    source.write_text((DATA / "shakespeare.txt").read_text()[:5_000])
    return source, "language", {"hidden": 32, "unit": "characters"}


def translate(folder: Path) -> tuple[Path, str, dict[str, Any]]:
    """Pairs of sentences, by words and with an unknown one among them."""
    with gzip.open(DATA / "english_french.tsv.gz", "rt", encoding="utf-8") as lines:
        (folder / "source.tsv").write_text("".join(islice(lines, 120)), encoding="utf-8")
    return folder / "source.tsv", "translate", {"hidden": 12, "unit": "words", "time_budget": 8, "beam": 3}


def transcribe(folder: Path) -> tuple[Path, str, dict[str, Any]]:
    """Some of the digits, with a language model of words."""
    rows = (DATA / "digits" / "transcripts.csv").read_text().splitlines()
    head, *few = [rows[0], *(row for row in rows[1:] if "_theo_" in row and row[0] in "0123")]
    (folder / "sound").mkdir()
    for row in few:
        shutil.copy(DATA / "digits" / row.split(",")[0], folder / "sound")
    (folder / "source.csv").write_text("\n".join([head, *(f"sound/{row}" for row in few)]) + "\n")
    return folder / "source.csv", "transcribe", {"hidden": 16, "layers": 1, "dropout": 0.0, "time_budget": 25}


def caption(folder: Path) -> tuple[Path, str, dict[str, Any]]:
    """Pictures that the example draws, small ones."""
    sys.path.insert(0, str(HERE.parent.parent / "examples"))
    from caption import write  # noqa: PLC0415

    rows = (write(folder / "pictures", 24, 0) / "captions.csv").read_text().splitlines()
    (folder / "pictures" / "captions.csv").unlink()
    (folder / "source.csv").write_text("\n".join([rows[0], *(f"pictures/{row}" for row in rows[1:])]) + "\n")
    return folder / "source.csv", "caption", {"side": 32, "hidden": 12, "time_budget": 12}


RECIPES: dict[str, Callable[[Path], tuple[Path, str | base.Task, dict[str, Any]]]] = {
    "counting": counting,
    "forecast": forecast,
    "classify-names": classify_names,
    "classify-words": classify_words,
    "classify-series": classify_series,
    "language": language,
    "translate": translate,
    "transcribe": transcribe,
    "caption": caption,
}


def main(name: str) -> None:
    """A folder format-<number>-<name> with the source, the bundle and its answers."""
    folder = HERE / f"format-{FORMAT}-{name}"
    if folder.exists():
        sys.exit(f"expected no folder {folder.name} yet, got one. What was written once stays as it is.")
    folder.mkdir()
    source, task, options = RECIPES[name](folder)
    bundle = recurra.fit(task, source, out=folder / "bundle", **options)
    bundle.predict(source).write_csv(folder / "answers.csv")
    # What going on with a run needs, and what only people read, is no part of what has to load for ever.
    shutil.rmtree(folder / "bundle" / "checkpoint")
    (folder / "bundle" / "report.html").unlink()
    (folder / "bundle" / "log.jsonl").unlink()


if __name__ == "__main__":
    main(*sys.argv[1:])
