"""Pictures of coloured things and what they show, which a captioner learns in seconds."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from recurra.bundle import Bundle
from untrained import untrained

EXAMPLE = Path(__file__).parents[3] / "examples" / "caption.py"
SMALL: dict[str, Any] = {"side": 32, "hidden": 16, "beam": 3}


def example() -> ModuleType:
    """The example, which draws them."""
    spec = importlib.util.spec_from_file_location("example_caption", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_things(folder: Path, many: int = 40, seed: int = 0) -> Path:
    """A folder of pictures and the table of their captions."""
    written: Path = example().write(folder, many, seed)
    return written


def captioner(folder: Path, many: int = 40, **options: Any) -> Bundle:
    """A bundle that has learnt nothing, with weights so large that pictures differ."""
    pictures = write_things(folder / "pictures", many)
    return untrained("caption", pictures, folder / "bundle", spread=0.3, **{**SMALL, **options})
