"""Checkpoints that survive a crash at any moment: each is a folder that appears whole or not at all."""

from __future__ import annotations

import os
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from recurra import sealed
from recurra.errors import CheckpointError

FORMAT = 1
KEPT = 2  # so that one damaged on disk leaves another
_TENSORS, _STATE = "tensors.safetensors", "state.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Tensors and JSON of a run at one step."""

    tensors: dict[str, Tensor]
    state: dict[str, Any]


def save(folder: Path, step: int, checkpoint: Checkpoint) -> None:
    """Write `folder/step-…`, drop all but the newest two. CheckpointError when the disk refuses."""
    final = folder / f"step-{step:09d}"
    temporary = folder / f".{final.name}.tmp"
    tensors = safetensors.torch.save({k: v.contiguous() for k, v in checkpoint.tensors.items()})
    state = sealed.seal({"format": FORMAT, "sha256": sealed.sha256(tensors), **checkpoint.state})
    try:
        _remove(temporary)
        temporary.mkdir(parents=True)
        sealed.write_here(temporary / _TENSORS, tensors)
        sealed.write_here(temporary / _STATE, state)
        sealed.sync(temporary)
        _remove(final)  # only ever one that was found damaged: a step is saved once
        os.rename(temporary, final)
        sealed.sync(folder)
        for old in _names(folder)[KEPT:]:
            _remove(old)
    except OSError as error:
        size = f"{len(tensors) / 1e6:.1f} MB"
        raise CheckpointError(
            f"expected room for a checkpoint of {size} in {folder}, got {error.strerror}. "
            "Make room, or permit writing, and add --resume."
        ) from error


def newest(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest whole checkpoint, and a line on each newer one that is damaged.

    Raises CheckpointError when there are checkpoints and none of them is whole.
    """
    damaged: list[str] = []
    for path in _names(folder):
        try:
            return read(path), damaged
        except CheckpointError as error:
            damaged.append(str(error))
    if damaged:
        raise CheckpointError(
            f"expected a whole checkpoint in {folder}, got {len(damaged)} damaged: {' '.join(damaged)} "
            "Start afresh with --overwrite."
        )
    return None, []


def read(path: Path) -> Checkpoint:
    """One checkpoint folder. Raises CheckpointError when it is damaged or from a newer version."""
    try:
        state = sealed.unseal((path / _STATE).read_bytes(), FORMAT)
        content = (path / _TENSORS).read_bytes()
        if sealed.sha256(content) != state["sha256"]:
            raise sealed.BrokenSeal(f"damaged: {_TENSORS} does not match its sha256")
        return Checkpoint(safetensors.torch.load(content), state)
    except sealed.BrokenSeal as error:
        raise CheckpointError(f"{path} is {error}.") from error
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}.") from error


def random_state() -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The states of the generators of torch, numpy and Python."""
    kind, keys, position, gauss, cached = np.random.get_state()  # noqa: NPY002
    version, internal, normal = random.getstate()
    tensors = {
        "random.torch": torch.get_rng_state(),
        "random.numpy": torch.from_numpy(np.asarray(keys, dtype=np.int64)),
        "random.python": torch.tensor(internal, dtype=torch.int64),
    }
    return tensors, {"numpy": [kind, position, gauss, cached], "python": [version, normal]}


def set_random_state(tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Put the generators back to where `random_state` found them."""
    torch.set_rng_state(tensors["random.torch"])
    kind, position, gauss, cached = state["numpy"]
    keys = tensors["random.numpy"].numpy().astype(np.uint32)
    np.random.set_state((kind, keys, position, gauss, cached))  # noqa: NPY002
    version, normal = state["python"]
    random.setstate((version, tuple(tensors["random.python"].tolist()), normal))


def _names(folder: Path) -> list[Path]:
    """Newest first."""
    return sorted(folder.glob("step-*"), reverse=True)


def _remove(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)
