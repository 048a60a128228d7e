"""What stands beside figures: the machine, threads, and how they were measured."""

from __future__ import annotations

from typing import Any

import torch

from layers.core import instructions
from layers.timing import Effort
from results import machine, processor


def surroundings(effort: Effort) -> dict[str, Any]:
    """Of what is measured now, with this effort."""
    return {
        "processor": processor(),
        "machine": machine(),
        "instructions": instructions(),
        "threads": torch.get_num_threads(),
        "samples": effort.samples,
        "sample_seconds": effort.seconds,
    }
