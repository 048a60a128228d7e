"""One vector of the outputs of all steps: the last, the largest, their mean, or a mean with weights.

Sums are running sums in float64, one step after another, so that a sequence gives the same bits in one piece
and as it comes. What is kept of B sequences, by name:

    last, max        "kept" (B, H)
    mean, attention  "sum" (B, H) float64 of weighted outputs, "weight" (B,) float64
"""

from __future__ import annotations

import torch
from torch import Tensor

Kept = dict[str, Tensor]


def fresh(output: str, rows: int, width: int) -> Kept:
    """Of sequences that have not begun."""
    if output in ("last", "max"):
        return {"kept": torch.full((rows, width), -torch.inf if output == "max" else 0.0)}
    return {
        "sum": torch.zeros(rows, width, dtype=torch.float64),
        "weight": torch.zeros(rows, dtype=torch.float64),
    }


def add(output: str, kept: Kept, y: Tensor, weight: Tensor) -> Kept:
    """After steps with outputs y (B, T, H), T >= 1; weight (B, T) is 1 for all but attention."""
    if output == "last":
        return {"kept": y[:, -1]}
    if output == "max":
        return {"kept": torch.maximum(kept["kept"], y.amax(1))}
    total, weights, of = kept["sum"].clone(), kept["weight"].clone(), weight.double()
    for step in range(y.shape[1]):
        total += y[:, step] if output == "mean" else of[:, step, None] * y[:, step]
        weights += of[:, step]
    return {"sum": total, "weight": weights}


def value(output: str, kept: Kept) -> Tensor:
    """(B, H) float32."""
    if output in ("last", "max"):
        return kept["kept"]
    return (kept["sum"] / kept["weight"][:, None]).float()


def running(output: str, y: Tensor, weight: Tensor) -> Tensor:
    """(B, T, H) after each step, from outputs y (B, T, H) and their weights (B, T)."""
    if output == "last":
        return y
    if output == "max":
        return y.cummax(1).values
    weights = weight.double()
    return ((weights[..., None] * y).cumsum(1) / weights.cumsum(1)[..., None]).float()
