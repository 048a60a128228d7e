"""A recogniser of tones.py's language, learnt in seconds, the same on every machine but for rounding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from recurra import bundle, tasks
from recurra.fit import configure
from tones import write_tones
from untrained import untrained

STEPS, ROWS, RATE = 240, 16, 1e-2


def listener(folder: Path, **options: Any) -> bundle.Bundle:
    """A bundle at folder / "bundle", of the recordings in folder / "tones"."""
    source = write_tones(folder / "tones", many=80)
    made = untrained("transcribe", source, folder / "bundle", finish=False, hidden=32, layers=1, **options)
    task: Any = tasks.find("transcribe")
    config = configure(task.Config, {"hidden": 32, "layers": 1, **options})
    data, model = task.read(config, source), made.model.train()
    steps = torch.optim.AdamW(model.parameters(), lr=RATE)
    epoch, keys = 0, np.zeros((0, 3), dtype=np.int64)
    for _ in range(STEPS):
        if len(keys) < ROWS:
            keys = np.concatenate([keys, *task.epoch(config, data, epoch)])
            epoch += 1
        loss, _ = task.loss(model, task.batch(data, keys[:ROWS]), None)
        keys = keys[ROWS:]
        steps.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        steps.step()
    model.eval()
    task.finish(model, config, data)
    bundle.save(made.path, task, config, data, model, task.evaluate(model, config, data), "")
    return bundle.load(made.path)
