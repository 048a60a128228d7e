"""Bundles of models that have learnt nothing, for tests of what is done with a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from recurra import bundle, tasks
from recurra.fit import configure
from recurra.tasks.base import Evaluation


def untrained(
    name: str, source: Any, folder: Path, *, finish: bool = True, spread: float | None = None, **options: Any
) -> bundle.Bundle:
    """A bundle on disk whose networks are as they were drawn. finish: fit what is fitted after training.

    spread: deviation of all weights, for answers that differ more than those of fresh ones.
    """
    task = tasks.find(name)
    config = configure(task.Config, options)
    data = task.read(config, source)
    torch.manual_seed(0)
    model = task.build(config, data.schema).eval()
    task.prepare(model, config, data)
    if spread is not None:
        for weight in model.parameters():
            torch.nn.init.normal_(weight, std=spread)
    if finish:
        task.finish(model, config, data)
    folder.mkdir(parents=True)
    (folder / bundle.LOG).write_text("")
    bundle.save(folder, task, config, data, model, Evaluation((), (), ""), "")
    return bundle.load(folder)
