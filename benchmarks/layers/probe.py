"""The most memory that a training step takes, in a process of its own: python -m layers.probe JSON."""

from __future__ import annotations

import ctypes
import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from layers.pairs import Pair
from layers.shapes import Shape

STEPS = 3
Sizes = tuple[int, int, int, int]  # B, T, I, H
SMALL = 2  # steps and rows of the batch that warms up


def measured(cell: str, sizes: Sizes, side: str, memory: str | None, threads: int) -> dict[str, float]:
    """Bytes that a training step takes at its peak beyond inputs and outputs, in a fresh process.

    side: "torch" or "ours".  memory: the mode of ours.
    Returns peak: of three steps, the largest growth over what the process held before the first, less y, the
    states and the gradients; kept: what it still holds when all that the caller has is let go.
    """
    given = json.dumps({"cell": cell, "sizes": sizes, "side": side, "memory": memory, "threads": threads})
    command = [sys.executable, "-m", "layers.probe", given]
    here = Path(__file__).resolve().parents[1]
    found = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
    if found.returncode:
        raise RuntimeError(f"expected figures of a training step, got: {found.stderr.strip()[-2000:]}")
    bytes_: dict[str, float] = json.loads(found.stdout.splitlines()[-1])
    return bytes_


def probe(cell: str, sizes: Sizes, side: str, memory: str | None, threads: int) -> dict[str, float]:
    """What `measured` reports, of this process."""
    torch.set_num_threads(threads)
    options = {"memory": memory} if memory else {}
    pair = Pair.of(cell, Shape(*sizes), **options)
    layer, forward = pair.sides[side]
    warm = pair.x.detach()[:SMALL, :SMALL].clone().requires_grad_()
    y, _ = layer(warm)
    torch.autograd.backward(y, torch.randn_like(y))
    del y, warm
    _forget(layer)

    peaks = []
    before = _settled()
    for _ in range(STEPS):
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
        y, state = forward()
        torch.autograd.backward(y, pair.dy)
        peak = _status("VmHWM")
        states = (state,) if isinstance(state, torch.Tensor) else state
        outputs = [y, *states, pair.x.grad, *(weight.grad for weight in layer.parameters())]
        size = sum(part.numel() * part.element_size() for part in outputs)
        peaks.append(peak - before - size)
        pair.x.grad = None
        _forget(layer)
        del y, state, states, outputs
    return {"peak": max(peaks), "first": peaks[0], "kept": _settled() - before}


def _forget(layer: Any) -> None:
    for weight in layer.parameters():
        weight.grad = None


def _settled() -> int:
    """Bytes held once what is free went back to the system, as far as the allocator lets go."""
    gc.collect()
    if hasattr(trim := ctypes.CDLL(None), "malloc_trim"):
        trim.malloc_trim(0)
    return _status("VmRSS")


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"expected {name} in /proc/self/status, got none. Run this on Linux.")


if __name__ == "__main__":
    print(json.dumps(probe(**json.loads(sys.argv[1]))))
