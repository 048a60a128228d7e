"""What bundles answer, as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from recurra.serve.keeping import written

if TYPE_CHECKING:
    import polars as pl

    from recurra.tasks.base import Evaluation, Surprise


def table(frame: pl.DataFrame, **more: Any) -> bytes:
    """A frame as its columns' names and a row each. polars writes the rows, since there may be many."""
    head = written(more | {"columns": frame.columns})
    return head[:-1] + b',"rows":' + frame.write_json().encode() + b"}"


def evaluation(found: Evaluation) -> bytes:
    """Scores, and the verdict in words."""
    scores = [{"method": score.method, "metrics": _finite(score.metrics)} for score in found.scores]
    return written({"scores": scores, "words": list(found.words), "signature": found.signature})


def surprise(found: Surprise) -> bytes:
    """Of tokens where there are any, of lines otherwise."""
    frame = found.lines if found.tokens is None else found.tokens
    about = {"metrics": _finite(found.metrics), "words": list(found.words), "signature": found.signature}
    return table(frame, **about)


def _finite(metrics: Mapping[str, float]) -> dict[str, float | None]:
    return {name: float(value) if math.isfinite(value) else None for name, value in metrics.items()}
