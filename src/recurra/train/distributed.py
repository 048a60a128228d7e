"""Several processes that train one model, as `torchrun` starts them; gradients are averaged over each batch.

The sum goes through one buffer in a fixed order rather than DistributedDataParallel's buckets, which are laid
out anew after the first step: a run that is resumed adds up in the same order as one that never stopped.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from recurra.errors import ConfigError, TrainingError

PATIENCE = timedelta(hours=12)  # how long a process waits for rank 0, which evaluates alone
LOST = re.compile("gloo|closed by peer|reset by peer", re.IGNORECASE)  # in what torch says of a lost process


class Peers:
    """This process among those that train together; alone, everything here is free."""

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank = rank
        self.count = count

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes and speaks."""
        return self.rank == 0

    def share(self, key: Any) -> tuple[Any, int]:
        """This process's part of a batch, and its weight in the mean. ConfigError where it has no parts."""
        if self.count == 1:
            return key, 1
        if not isinstance(key, list | range | np.ndarray | Tensor):
            raise ConfigError(
                f"expected batches that can be shared out among {self.count} processes, "
                f"got a {type(key).__name__}. Run without torchrun."
            )
        part = key[self.rank :: self.count]
        return part, len(part)

    def mean(
        self, parameters: Sequence[nn.Parameter], loss: float, weight: int, flags: list[bool]
    ) -> tuple[float, list[bool]]:
        """Average loss and gradients, weighted; a flag that one process raises is raised for all.

        Returns the loss and the flags; `parameters` have the averaged gradients.
        """
        if self.count == 1:
            return loss, flags
        wide = torch.float64 if any(p.dtype == torch.float64 for p in parameters) else torch.float32
        gradients = [
            torch.zeros_like(p, dtype=wide) if p.grad is None else p.grad.to(wide) * weight
            for p in parameters
        ]
        present = [float(p.grad is not None) for p in parameters]
        last = torch.tensor(
            [*present, *map(float, flags), loss * weight if weight else 0.0, weight], dtype=wide
        )
        buffer = torch.cat([*(g.flatten() for g in gradients), last])
        dist.all_reduce(buffer)
        tail = buffer[-last.numel() :].tolist()
        parts = torch.split(buffer / tail[-1], [*(p.numel() for p in parameters), last.numel()])
        for p, part, seen in zip(parameters, parts[:-1], tail[: len(parameters)], strict=True):
            p.grad = part.view_as(p).to(p.dtype) if seen else None
        raised = [flag > 0 for flag in tail[len(present) : len(present) + len(flags)]]
        return tail[-2] / tail[-1], raised

    def tell(self, value: float) -> float:
        """Rank 0's number, on every process."""
        if self.count == 1:
            return value
        number = torch.tensor([value], dtype=torch.float64)
        dist.broadcast(number, 0)
        return float(number)

    def gather(self, content: bytes) -> list[bytes]:
        """Every process's bytes, in the order of ranks, on every process."""
        if self.count == 1:
            return [content]
        sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.count)]
        dist.all_gather(sizes, torch.tensor([len(content)]))
        longest = int(max(size.item() for size in sizes))
        padded = torch.frombuffer(bytearray(content.ljust(longest, b"\0")), dtype=torch.uint8)
        parts = [torch.empty(longest, dtype=torch.uint8) for _ in range(self.count)]
        dist.all_gather(parts, padded)
        return [part.numpy().tobytes()[: int(size)] for part, size in zip(parts, sizes, strict=True)]

    def same(self, model: nn.Module) -> None:
        """Give every process rank 0's weights."""
        if self.count > 1:
            for tensor in model.state_dict().values():
                dist.broadcast(tensor, 0)

    def wait(self) -> None:
        """Until every process is here."""
        if self.count > 1:
            dist.barrier()


@contextmanager
def peers() -> Iterator[Peers]:
    """The processes that torchrun started, or this one alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or "RANK" not in os.environ:
        yield Peers()
        return
    dist.init_process_group("gloo", timeout=PATIENCE)
    try:
        yield Peers(dist.get_rank(), dist.get_world_size())
    except RuntimeError as error:
        if not LOST.search(str(error)):
            raise
        raise TrainingError(
            f"expected {dist.get_world_size()} processes to the end, got fewer: one was lost or gave up. "
            "See what it said; --resume goes on from the last checkpoint."
        ) from error
    finally:
        dist.destroy_process_group()
