"""The same training steps with a model and its accelerated copy, in turns."""

from __future__ import annotations

import gc
from collections.abc import Callable
from copy import deepcopy
from itertools import islice
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

import recurra
from models.kind import Batch, Kind
from models.skipped import skipped

WARM = 2  # steps that are not timed
SIDES = ("torch", "ours", "nudged", "skipped")
Found = dict[str, Any]
Change = Callable[[nn.Module], nn.Module]


def race(kind: Kind, steps: int, accelerate: Change | None = None) -> Found:
    """Seconds and losses of each side's steps from the same start, on the same batches, with the same dice.

    Besides the model and its accelerated copy there are two more: one of torch.nn's layers with every weight
    moved to a neighbouring float, whose losses drift as far as rounding alone takes this model; and one whose
    recurrent layers do not run, which takes the time that they cannot save.
    """
    torch.manual_seed(0)
    plain = kind.build().train()
    accelerate = accelerate or recurra.accelerate
    changes: tuple[Change, ...] = (lambda model: model, accelerate, nudged, skipped)
    sides = {name: change(deepcopy(plain)) for name, change in zip(SIDES, changes, strict=True)}
    optimizers = {
        name: torch.optim.SGD(model.parameters(), kind.learning_rate) for name, model in sides.items()
    }
    batches, text = kind.batches()
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    losses: dict[str, list[float]] = {name: [] for name in sides}
    order = list(sides)
    gc.disable()
    for number, batch in enumerate(islice(batches, steps)):
        for name in order:
            torch.manual_seed(number)
            start = perf_counter()
            loss = step(sides[name], optimizers[name], batch, kind.clip)
            seconds[name].append(perf_counter() - start)
            losses[name].append(float(loss.detach()))
        order.reverse()
        gc.collect()
    gc.enable()
    engines = sorted({str(module.engine) for module in recurra.explain(sides["ours"]).modules})
    timed = {name: taken[WARM:] for name, taken in seconds.items()}
    return {"seconds": timed, "losses": losses, "text": text, "engines": engines}


def step(model: nn.Module, optimizer: torch.optim.Optimizer, batch: Batch, clip: float) -> Tensor:
    """One training step; its loss."""
    optimizer.zero_grad()
    loss: Tensor = model(*batch)
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    return loss


def nudged(model: nn.Module) -> nn.Module:
    """The model with each weight moved to the next float, up or down."""
    dice = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in model.parameters():
            up = torch.randint(0, 2, weight.shape, generator=dice) > 0
            weight.copy_(torch.nextafter(weight, torch.where(up, torch.inf, -torch.inf)))
    return model


def drift(found: Found, side: str) -> float:
    """The largest relative difference between a side's losses and the plain model's."""
    losses: dict[str, list[float]] = found["losses"]
    pairs = zip(losses[side], losses["torch"], strict=True)
    return max(abs(loss - plain) / abs(plain) for loss, plain in pairs)
