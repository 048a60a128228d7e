"""The compiled core: whether it is there, what it chose, and what the machine could do at most."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch

CORE: Any = import_module("recurra._core") if find_spec("recurra._core") else None


def instructions() -> str:
    """Which instruction sets our core and PyTorch chose here."""
    ours = CORE.instructions() if CORE else "without its core"
    return f"Recurra {ours}, PyTorch {torch.backends.cpu.get_cpu_capability()}"


def fma_peak(seconds: float) -> float | None:
    """Gflop/s in float32 of nothing but fused multiply-adds, on as many threads as PyTorch has."""
    probe = getattr(CORE, "fma_peak", None)
    return float(probe(torch.get_num_threads(), seconds)) if probe else None
