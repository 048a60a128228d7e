"""What bundles answer, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recurra.bundle import finite, scores_as_json
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
    scores = scores_as_json(found.scores)
    return written({"scores": scores, "words": list(found.words), "signature": found.signature})


def surprise(found: Surprise) -> bytes:
    """Of tokens where there are any, of lines otherwise."""
    frame = found.lines if found.tokens is None else found.tokens
    about = {"metrics": finite(found.metrics), "words": list(found.words), "signature": found.signature}
    return table(frame, **about)
