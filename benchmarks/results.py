"""docs/results.md: each benchmark writes its own section and leaves the others alone."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from recurra.bundle import Bundle

PAGE = Path(__file__).resolve().parents[1] / "docs" / "results.md"
HEAD = "# Results\n\nEvery figure here is written by the script that its section names.\n"


def write_section(name: str, text: str) -> None:
    """Put a benchmark's text between its two marks on the page, at the end if it is new there."""
    begin, end = f"<!-- {name}: written by a script -->", f"<!-- end of {name} -->"
    page = PAGE.read_text() if PAGE.exists() else HEAD
    section = f"{begin}\n{text.strip()}\n{end}"
    if begin in page:
        before, rest = page.split(begin)
        page = before + section + rest.split(end)[1]
    else:
        page = f"{page.rstrip()}\n\n{section}\n"
    PAGE.write_text(page)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, numbers to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def fitted(bundle: Bundle, started: float) -> dict[str, Any]:
    """What is kept of a fit: how long it took since `started` (time.monotonic), its size and its scores."""
    log = [json.loads(line) for line in (bundle.path / "log.jsonl").read_text().splitlines()]
    return {
        "seconds": round(time.monotonic() - started),
        "threads": torch.get_num_threads(),
        "steps": max(line["step"] for line in log),
        "shape": bundle.schema.shape.model_dump(mode="json"),
        "parameters": bundle.record["parameters"],
        "scores": {score["method"]: score["metrics"] for score in bundle.record["scores"]},
        "signature": bundle.record["signature"],
    }


def keep(path: Path, key: str, found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Add one result to a file of them; returns all."""
    every = load(path) | {key: found}
    path.write_text(json.dumps(every, indent=1, sort_keys=True) + "\n")
    return every


def load(path: Path) -> dict[str, dict[str, Any]]:
    """The results that are kept."""
    return json.loads(path.read_text()) if path.exists() else {}


def machine() -> str:
    """What the figures were made on, in words."""
    cores = f"{os.cpu_count()} cores ({platform.machine()})"
    return f"{cores}, Python {platform.python_version()}, torch {torch.__version__}"


def processor() -> str:
    """The CPU's name, family and model."""
    path = Path("/proc/cpuinfo")
    pairs = (line.partition(":") for line in path.read_text().splitlines()) if path.exists() else ()
    known = {name.strip(): value.strip() for name, _, value in pairs}
    words = known.get("model name") or platform.processor() or platform.machine()
    if "cpu family" in known:
        words += f" (family {known['cpu family']}, model {known['model']})"
    return words
