"""Writes a bundle of today's format as a fixture, once for each format and task; it is never written again.

python tests/legacy/make.py counting
python tests/legacy/make.py forecast examples/data/air_passengers.csv --horizon 12
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import recurra
from recurra.bundle import FORMAT

HERE = Path(__file__).resolve().parent


def counting(folder: Path) -> None:
    """The tests' own task."""
    sys.path.insert(0, str(HERE.parent))
    from counting.task import Counting, write_numbers  # noqa: PLC0415

    source = write_numbers(folder / "source.csv")
    bundle = recurra.fit(Counting(), source, out=folder / "bundle", steps=40, hidden=4)
    bundle.predict(source).write_csv(folder / "answers.csv")


def main(task: str, *rest: str) -> None:
    """A folder format-<number>-<task> with the source, the bundle and its answers."""
    folder = HERE / f"format-{FORMAT}-{task}"
    if folder.exists():
        sys.exit(f"expected no folder {folder.name} yet, got one. What was written once stays as it is.")
    folder.mkdir()
    if task == "counting":
        counting(folder)
    else:
        source, options = rest[0], dict(zip(rest[1::2], rest[2::2], strict=True))
        shutil.copy(source, folder / "source.csv")
        given = {name.removeprefix("--").replace("-", "_"): value for name, value in options.items()}
        bundle = recurra.fit(task, folder / "source.csv", out=folder / "bundle", **given)
        bundle.predict(folder / "source.csv").write_csv(folder / "answers.csv")
    # What going on with a run needs, and what only people read, is no part of what has to load for ever.
    shutil.rmtree(folder / "bundle" / "checkpoint")
    (folder / "bundle" / "report.html").unlink()


if __name__ == "__main__":
    main(*sys.argv[1:])
