"""The ways to run a cell over time, and the one place where one of them is chosen."""

from __future__ import annotations

import os
from typing import ClassVar

from torch import nn

from recurra.engines import reference, torch_native
from recurra.engines.explanation import Explained, Explanation
from recurra.engines.request import Engine, Request, Requesting, transformed
from recurra.errors import EngineError

# The first that can run a request is chosen.
ENGINES: tuple[Engine, ...] = (
    torch_native,
    reference,
)


class use_engine:
    """Force an engine by name, here and from now on, or inside `with use_engine(name):` alone.

    name: as in ENGINES; None: let `choose` choose. RECURRA_ENGINE in the environment sets the first value.
    It holds for the whole process. A layer that the engine cannot run raises EngineError: nothing steps in.
    """

    forced: ClassVar[str | None] = os.environ.get("RECURRA_ENGINE") or None

    def __init__(self, name: str | None) -> None:
        if name is not None:
            _named(name)
        self._before = use_engine.forced
        use_engine.forced = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        use_engine.forced = self._before


def choose(request: Request) -> Engine:
    """The engine that runs the request: the forced one, or the first in ENGINES that can."""
    if use_engine.forced is not None:
        engine = _named(use_engine.forced)
        reason = engine.why_not(request)
        if reason is not None:
            raise EngineError(
                f"Engine should be one that can run {request.cell}, got {engine.NAME!r}: {reason}. "
                "Force another with recurra.use_engine, or none."
            )
        return engine
    # The last engine, the reference, runs everything.
    return next(engine for engine in ENGINES if engine.why_not(request) is None)


def explain(model: nn.Module) -> Explanation:
    """Say module by module which engine runs it and why the others do not. Print what it returns."""
    recurrent = (nn.RNNBase, nn.modules.rnn.RNNCellBase)
    found = [(name, module) for name, module in model.named_modules() if isinstance(module, recurrent)]
    return Explanation(tuple(_explain(name, module) for name, module in found))


def _explain(name: str, module: nn.Module) -> Explained:
    if not isinstance(module, Requesting):
        kind = type(module).__name__
        return Explained(name, str(module), None, f"PyTorch runs it: torch.nn.{kind}, not recurra.nn.{kind}")
    request = module.request()
    try:
        chosen = choose(request).NAME
    except EngineError as error:
        return Explained(name, str(module), None, f"nothing runs it. {error}")
    forced = use_engine.forced is not None
    beaten = f"{chosen} is forced" if forced else f"could, but {chosen} comes first"
    others = {e.NAME: e.why_not(request) or beaten for e in ENGINES if chosen != e.NAME}
    return Explained(name, str(module), chosen, "forced" if forced else "", others)


def _named(name: str) -> Engine:
    for engine in ENGINES:
        if name == engine.NAME:
            return engine
    names = ", ".join(repr(engine.NAME) for engine in ENGINES)
    raise EngineError(
        f"Engine should be one of {names}, got {name!r}. "
        "Name one of these in recurra.use_engine or RECURRA_ENGINE."
    )


__all__ = [
    "ENGINES",
    "Engine",
    "EngineError",
    "Explained",
    "Explanation",
    "Request",
    "Requesting",
    "choose",
    "explain",
    "transformed",
    "use_engine",
]
