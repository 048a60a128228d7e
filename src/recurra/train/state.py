"""All that a run is made of at one step, into a checkpoint and back."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from recurra.errors import CheckpointError
from recurra.tasks.base import Plan
from recurra.train.checkpoint import Checkpoint, random_state, set_random_state
from recurra.train.distributed import Peers
from recurra.train.tree import pack, unpack


@dataclass(slots=True)
class Progress:
    """Where a run stands."""

    step: int = 0
    epoch: int = 0
    position: int = 0  # batches of this epoch that are done
    best: float | None = None
    best_step: int = 0
    stale: int = 0  # validations since the best one
    losses: list[float] = field(default_factory=list)  # since the last line of the log
    log_bytes: int = 0
    seconds: float = 0.0
    done: str = ""  # why training is over


class State:
    """Weights, their running average, the best ones so far, the optimizer's moments and the carried state."""

    def __init__(self, model: nn.Module, plan: Plan) -> None:
        self.model = model
        self.averaged = model if plan.ema is None else copy.deepcopy(model)
        self._copied = [-1 for _ in model.buffers()]  # versions of the buffers
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        matrices = [p for p in self.parameters if p.ndim > 1]
        vectors = [p for p in self.parameters if p.ndim <= 1]
        groups = [
            {"params": matrices, "weight_decay": plan.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(
            [g for g in groups if g["params"]], lr=plan.learning_rate, fused=True
        )
        self.best: dict[str, Tensor] = {}
        self.carry: Any = None
        self.at = Progress()

    def average(self, decay: float) -> None:
        """Move the running average towards the weights; buffers are copied."""
        with torch.no_grad():
            for mean, now in zip(self.averaged.parameters(), self.model.parameters(), strict=True):
                mean.lerp_(now, 1 - decay)
            both = zip(self.averaged.buffers(), self.model.buffers(), strict=True)
            for at, (copied, buffer) in enumerate(both):
                # Large ones may never change, such as a language model's n-grams.
                if buffer._version != self._copied[at]:
                    copied.copy_(buffer)
                    self._copied[at] = buffer._version

    def capture(self, identity: Mapping[str, Any], peers: Peers) -> Checkpoint:
        """The whole state; what differs from process to process is gathered from all of them."""
        tensors: dict[str, Tensor] = {}
        models = {"model": self.model.state_dict(), "best": self.best}
        if self.averaged is not self.model:
            models["averaged"] = self.averaged.state_dict()
        for name, weights in models.items():
            tensors |= {f"{name}.{key}": value.clone() for key, value in weights.items()}
        optimizer = pack(self.optimizer.state_dict()["state"], "optimizer", tensors)
        own = []
        for rank, content in enumerate(peers.gather(self._own())):
            part = safetensors.torch.load(content)
            own.append(json.loads(part.pop("json").numpy().tobytes()))
            tensors |= {f"{rank}.{name}": value for name, value in part.items()}
        state = {
            "identity": identity,
            "progress": asdict(self.at),
            "optimizer": optimizer,
            "own": own,
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
        }
        return Checkpoint(tensors, state)

    def _own(self) -> bytes:
        """What only this process knows: its random numbers, and the state that its loss carries on."""
        tensors, random = random_state()
        carry = pack(self.carry, "carry", tensors)
        text = json.dumps({"random": random, "carry": carry}).encode()
        tensors["json"] = torch.from_numpy(np.frombuffer(text, dtype=np.uint8).copy())
        return safetensors.torch.save(tensors)

    def restore(self, saved: Checkpoint, identity: Mapping[str, Any], peers: Peers) -> None:
        """Become what was captured. Raises CheckpointError where it was a run of something else."""
        refuse_other(saved.state["identity"], json.loads(json.dumps(identity)))
        self.at = Progress(**saved.state["progress"])
        self.model.load_state_dict(_under(saved.tensors, "model"))
        if self.averaged is not self.model:
            self.averaged.load_state_dict(_under(saved.tensors, "averaged"))
        self.best = _under(saved.tensors, "best")
        groups = self.optimizer.state_dict()["param_groups"]
        moments = unpack(saved.state["optimizer"], saved.tensors)
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        own = saved.state["own"][peers.rank]
        tensors = _under(saved.tensors, str(peers.rank))
        self.carry = unpack(own["carry"], tensors)
        set_random_state(tensors, own["random"])


def refuse_other(saved: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Raise CheckpointError when a run was started with another task, other options, data or processes."""
    again = "Give what it was started with, or start afresh with --overwrite."
    for name in {**saved["options"], **given["options"]}:
        before, now = saved["options"].get(name), given["options"].get(name)
        if before != now and saved["task"] == given["task"]:
            raise CheckpointError(f"expected {name}={before!r} as this run was started, got {now!r}. {again}")
    for name, words in {
        "task": "the task {}",
        "data": "data with sha256 {:.12}…",
        "processes": "{} processes",
        "plan": "the plan {}",
    }.items():
        if saved.get(name) != given.get(name):
            before, now = words.format(saved[name]), words.format(given[name])
            raise CheckpointError(f"expected {before} as this run was started, got {now}. {again}")


def _under(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """The tensors whose names start with `name.`, without it."""
    return {key[len(name) + 1 :]: value for key, value in tensors.items() if key.startswith(name + ".")}
