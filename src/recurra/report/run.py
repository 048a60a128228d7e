"""What the report of every task has: the verdict, how training went, the options."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from recurra.report import figures
from recurra.report.numbers import number
from recurra.report.page import Figure, Page

Record = Mapping[str, Any]
# Points that a curve of training losses is averaged into.
CURVE_POINTS = 120
# Times in training at which one example is shown.
SAMPLES = 5


def read_log(folder: str | Path) -> list[Record]:
    """The records of a run's log.jsonl; none where there is no log."""
    path = Path(folder) / "log.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def verdict(page: Page, words: Sequence[str]) -> None:
    """Add what an evaluation found in words, the first of them to stand out."""
    if not words:
        return
    first, *rest = words
    kind = "plain"
    if "is better than" in first:
        kind = "good" if first.startswith("The model") else "bad"
    page.note(first, kind=kind)
    page.lines(rest)


def samples(page: Page, records: Sequence[Record], what: str, of: str, head: str) -> None:
    """Add a section of what the model made of one example while it was trained, if the log tells.

    what: grew, as in "caption".  of: the example, in words.  head: of the column.
    """
    written = [record for record in records if record.get("sample")]
    if not written:
        return
    steps = np.geomspace(1, len(written), min(SAMPLES, len(written))).round().astype(int)
    page.section(f"How one {what} grew")
    page.text(of)
    rows = [
        (f"{written[place]['step']:,}", number(written[place]["valid"]), written[place]["sample"])
        for place in np.unique(steps) - 1
    ]
    page.table(("Step", "Validation loss", head), rows, words=True)


def training(page: Page, records: Sequence[Record]) -> None:
    """Add a section with the learning curves, if the log holds any."""
    losses = _curve(records, "loss")
    valid = _curve(records, "valid")
    if not len(losses[0]) and not len(valid[0]):
        return
    page.section("How training went")
    told = f"Training ended after {int(max(r.get('step', 0) for r in records)):,} steps."
    if len(valid[0]):
        best = int(np.argmin(valid[1]))
        told += (
            f" The validation loss was lowest, {number(valid[1][best])}, at step {int(valid[0][best]):,}; "
            "the bundle holds the weights of that step."
        )
    page.text(told)
    if figures.missing() is None:
        page.gallery([_learning_curves(losses, valid, told)])


def _curve(records: Sequence[Record], name: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    found = [(r["step"], r[name]) for r in records if r.get(name) is not None and "step" in r]
    steps, values = zip(*found, strict=True) if found else ((), ())
    return np.array(steps, dtype=np.float64), np.array(values, dtype=np.float64)


def _learning_curves(losses: Any, valid: Any, told: str) -> Figure:
    with figures.drawing() as drawn:
        axes = drawn.axes
        if len(losses[0]):
            pieces = min(CURVE_POINTS, len(losses[0]))
            mean = [[part.mean() for part in np.array_split(side, pieces)] for side in losses]
            axes.plot(*mean, color=figures.COLOURS["quiet"], linewidth=1, label="training")
        if len(valid[0]):
            axes.plot(*valid, color=figures.COLOURS["model"], marker="o", markersize=2.5, label="validation")
            best = int(np.argmin(valid[1]))
            axes.plot(
                valid[0][best],
                valid[1][best],
                "o",
                markersize=8,
                fillstyle="none",
                color=figures.COLOURS["model"],
            )
        axes.set_xlabel("step")
        axes.set_title("Loss")
        axes.legend()
    return Figure(
        drawn.svg, f"Training and validation loss by step. {told}", "The circle marks the step kept."
    )


def options(page: Page, config: BaseModel) -> None:
    """Add a section with every option, those first that were given."""
    given = config.model_fields_set
    names = sorted(type(config).model_fields, key=lambda name: name not in given)
    rows = [
        (
            f"--{name.replace('_', '-')}",
            _shown(getattr(config, name), name in given),
            type(config).model_fields[name].description or "",
        )
        for name in names
    ]
    page.section("Options")
    page.table(("Option", "Value", "What it is"), rows, words=True)


def _shown(value: object, given: bool) -> str:
    if value is None:
        return "not given"
    text = ", ".join(map(str, value)) or "none" if isinstance(value, tuple | list) else str(value)
    return text if given else f"{text} (default)"
